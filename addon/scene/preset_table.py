"""The expressions that Likeness comes with, in ARKit's controls.

A control that ends in `*` moves its left and its right side alike. The values were chosen by looking at rendered heads
until each reads as what it is called; most faces do less than 1.
"""

from __future__ import annotations

_SIDED: dict[str, dict[str, float]] = {
    "Neutral": {},
    "Smile": {
        "mouthSmile*": 1.0, "mouthDimple*": 0.3, "mouthUpperUp*": 0.15, "cheekSquint*": 0.6, "eyeSquint*": 0.3,
    },
    "Laugh": {
        "jawOpen": 0.45, "mouthSmile*": 1.0, "mouthUpperUp*": 0.5, "mouthLowerDown*": 0.2, "mouthDimple*": 0.2,
        "cheekSquint*": 0.8, "eyeSquint*": 0.5, "noseSneer*": 0.1, "browInnerUp": 0.1,
    },
    "Surprise": {
        "browInnerUp": 0.9, "browOuterUp*": 0.9, "eyeWide*": 0.8, "jawOpen": 0.5, "mouthFunnel": 0.25,
    },
    "Sad": {
        "browInnerUp": 0.9, "browDown*": 0.25, "mouthFrown*": 0.8, "mouthShrugLower": 0.45, "mouthRollLower": 0.15,
        "eyeBlink*": 0.2, "eyeSquint*": 0.2, "eyeLookDown*": 0.25,
    },
    "Angry": {
        "browDown*": 1.0, "eyeSquint*": 0.3, "eyeWide*": 0.35, "noseSneer*": 0.8, "mouthFrown*": 0.8,
        "mouthPress*": 0.4, "mouthShrugLower": 0.5, "mouthRollUpper": 0.2, "jawForward": 0.25,
    },
    "Disgust": {
        "noseSneer*": 1.0, "mouthUpperUp*": 0.65, "browDown*": 0.55, "eyeSquint*": 0.5, "cheekSquint*": 0.5,
        "mouthFrown*": 0.45, "mouthShrugLower": 0.35, "jawOpen": 0.08,
    },
    "Fear": {
        "browInnerUp": 1.0, "browOuterUp*": 0.4, "browDown*": 0.4, "eyeWide*": 1.0, "mouthStretch*": 1.0,
        "mouthLowerDown*": 0.5, "mouthUpperUp*": 0.2, "jawOpen": 0.25,
    },
    "Blink": {"eyeBlink*": 1.0, "browDown*": 0.05},
    "Wink": {
        "eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "eyeSquintLeft": 0.3, "mouthSmileLeft": 0.55,
        "mouthSmileRight": 0.2, "browDownLeft": 0.25, "browOuterUpRight": 0.25,
    },
    "Kiss": {"mouthPucker": 1.0, "mouthFunnel": 0.15, "mouthClose": 0.03, "jawOpen": 0.03, "eyeBlink*": 0.25},
    "Ah": {"jawOpen": 0.6, "mouthLowerDown*": 0.15, "mouthUpperUp*": 0.1},
    "Ee": {
        "jawOpen": 0.15, "mouthStretch*": 0.8, "mouthSmile*": 0.4, "mouthDimple*": 0.3, "mouthUpperUp*": 0.5,
        "mouthLowerDown*": 0.6,
    },
    "Oh": {"jawOpen": 0.42, "mouthFunnel": 0.65, "mouthPucker": 0.35},
    "Oo": {"jawOpen": 0.12, "mouthPucker": 0.8, "mouthFunnel": 0.35},
    "M/B/P": {"mouthPress*": 0.35, "mouthRollUpper": 0.35, "mouthRollLower": 0.35, "mouthClose": 0.02},
    "F/V": {"jawOpen": 0.14, "mouthRollLower": 0.9, "mouthUpperUp*": 0.75},
}  # fmt: skip


def both_sides(values: dict[str, float]) -> dict[str, float]:
    """Write out the controls that end in `*` as left and right."""
    pairs = ((name[:-1] + side if name.endswith("*") else name, value) for name, value in values.items()
             for side in (("Left", "Right") if name.endswith("*") else ("",)))  # fmt: skip
    return dict(pairs)


PRESETS: dict[str, dict[str, float]] = {name: both_sides(values) for name, values in _SIDED.items()}
"""Control values by preset name, in the panel's order."""
