"""The 52 ARKit blend shape names, the controls that an animator sees on every head.

Source: Apple, ARKit, `ARFaceAnchor.BlendShapeLocation`. Left and right are the subject's own.
"""

from __future__ import annotations

import re

ARKIT_NAMES: tuple[str, ...] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
"""Alphabetical, as the shapes are stored on every rig; 52 of them."""

_BY_LETTERS = {name.lower(): name for name in ARKIT_NAMES}


def arkit_name(spelling: str) -> str | None:
    """Return ARKit's name for one of its common spellings, else None.

    Known: `browDownLeft` (ARKit), `BrowDownLeft` (Live Link Face), `browDown_L` (iFacialMocap, Faceware),
    `brow_down_left`.
    """
    letters = re.sub(r"(?<=[a-z])_?([LR])$", lambda side: {"L": "left", "R": "right"}[side[1]], spelling.strip())
    return _BY_LETTERS.get(letters.replace("_", "").lower())


def mirrored_name(control: str) -> str:
    """Return the control that does the same on the other side; what has no side is its own mirror image.

    ARKit's names follow the eye: eyeLookInLeft (towards the nose) is seen in a mirror as eyeLookInRight.
    """
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if control.endswith(side):
            return control.removesuffix(side) + other
    return control
