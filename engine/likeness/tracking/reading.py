"""How the detector's reading of a face differs from what the face does, and what is done about it.

The detector shows less of most movements than there is: it keeps to faces it knows. Measured once on painted heads
(`tests/bench/detector_gains.py`), that is a gain for every control, and for the jaw a direction of its own, because the
detector opens the lips farther than the chin falls. What differs between people is calibrated on the
clip itself: how far lids are open usually and how far apart they still seem when they are shut; and what a face that
comes to rest now and then looks like at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.safe_npz import read_npz
from likeness.tracking.clip_head import ClipHead, Frames

JAW_SHOWN = Path(__file__).parent / "data" / "jaw_shown.npz"
JAW_OPEN = ARKIT_NAMES.index("jawOpen")
SHOWN = {
    "browDown": 0.59, "browInnerUp": 0.56, "browOuterUp": 0.37, "cheekPuff": 0.69, "eyeBlink": 0.89,
    "eyeLookDown": 0.77, "eyeLookIn": 0.87, "eyeLookOut": 0.85, "eyeLookUp": 0.81, "eyeSquint": 0.59, "eyeWide": 0.59,
    "jawForward": 0.79, "jawLeft": 0.66, "jawRight": 0.66, "jawOpen": 0.85, "mouthClose": 0.49, "mouthDimple": 0.81,
    "mouthFrown": 0.54, "mouthFunnel": 0.80, "mouthLeft": 0.77, "mouthRight": 0.77, "mouthLowerDown": 0.68,
    "mouthPress": 0.71, "mouthPucker": 0.67, "mouthRollLower": 0.49, "mouthRollUpper": 0.71, "mouthShrugLower": 0.72,
    "mouthShrugUpper": 0.94, "mouthSmile": 0.83, "mouthStretch": 0.56, "mouthUpperUp": 0.84,
}  # fmt: skip
"""How much of a control's movement the detector shows, without sides."""
HARDLY_SHOWN = 0.5
"""Of the others (cheekSquint, noseSneer: a tenth is shown): taken at their measure, noise would drive them."""
UPPER_LIDS, LOWER_LIDS = ((386, 385, 387), (159, 158, 160)), ((374, 380, 373), (145, 153, 144))
CORNERS = ((362, 263), (33, 133))
"""Left eye, then right."""
USUAL, SHUT = 65, 1
"""Percentiles of openness over a clip."""
SEEMS_SHUT = 0.35
"""Openness of shut lids over the usual one, where a clip shows no blink."""
BLINKED = 0.55
"""Of the usual openness: lids that come below were shut at some time."""
LEAST_BLINK, MOST_BLINK = 0.4, 1.3
BLINKS = [ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("eyeBlinkRight")]
DIRECT_FROM, DIRECT_TO = 0.5, 0.75
"""Of the way to shut: where lids begin to be read directly, and are so wholly. A lowered gaze comes half way."""
MOST_OPENED = 0.4
"""Blinks; how far the lids at rest may be moved."""
RESTS, MOST_REST = 10, 0.3
"""Percentile of a control over the clip that counts as rest, and how much may be taken off."""
TELLING = 3.0
"""Seconds of clip after which rest is half believed."""


@lru_cache(maxsize=1)
def shown_jaw() -> Float[np.ndarray, "478 3"]:
    """Return where the detector moves its landmarks when Open Head's jaw opens, metres."""
    return read_npz(JAW_SHOWN.read_bytes())["jawOpen"].astype(np.float64)


def shown() -> Float[np.ndarray, "52"]:
    """Return how much of every control the detector shows."""
    bare = [name.removesuffix("Left").removesuffix("Right") for name in ARKIT_NAMES]
    sided = [name if name in SHOWN else without for name, without in zip(ARKIT_NAMES, bare, strict=True)]
    return np.array([SHOWN.get(name, HARDLY_SHOWN) for name in sided])


def as_detected(head: ClipHead) -> ClipHead:
    """Return the head as the detector shows it."""
    directions = head.directions * shown()
    directions[:, :, JAW_OPEN] = shown_jaw()
    return replace(head, directions=np.ascontiguousarray(directions))


def openness(landmarks: Float[np.ndarray, "T 478 D"]) -> Float[np.ndarray, "T 2"]:
    """Return how far the left and the right lids are apart, over the eye's width (Soukupova and Cech 2016)."""
    eyes = []
    for upper, lower, (inner, outer) in zip(UPPER_LIDS, LOWER_LIDS, CORNERS, strict=True):
        apart = np.linalg.norm(landmarks[:, upper] - landmarks[:, lower], axis=-1).mean(1)
        eyes.append(apart / np.linalg.norm(landmarks[:, inner] - landmarks[:, outer], axis=-1))
    return np.stack(eyes, 1)


@dataclass(frozen=True)
class Lids:
    """A performer's lids, left and right: their openness usually, and when they are shut."""

    usual: Float[np.ndarray, "2"]
    shut: Float[np.ndarray, "2"]

    def blinks(self, seen: Float[np.ndarray, "T 2"]) -> Float[np.ndarray, "T 2"]:
        """Return how far lids of the given openness are on their way from usual to shut, 0..1."""
        return np.clip((self.usual - seen) / (self.usual - self.shut), 0, 1)


def find_lids(seen: Float[np.ndarray, "T 2"]) -> Lids:
    """Calibrate a performer's lids on their openness in many frames of a clip."""
    usual, least = np.percentile(seen, USUAL, axis=0), np.percentile(seen, SHUT, axis=0)
    shut = np.where(least < BLINKED * usual, np.minimum(least, SEEMS_SHUT * usual), SEEMS_SHUT * usual)
    return Lids(usual, shut)


def with_blinks(frames: Frames, lids: Lids, seen: Float[np.ndarray, "T 2"]) -> Frames:
    """Read nearly shut lids directly; other controls (gaze, squint) share in the fit, so that it stays below."""
    direct, controls = lids.blinks(seen), frames.controls.copy()
    share = np.clip((direct - DIRECT_FROM) / (DIRECT_TO - DIRECT_FROM), 0, 1)
    fitted = controls[:, BLINKS]
    controls[:, BLINKS] = fitted + share * np.maximum(direct - fitted, 0)
    return replace(frames, controls=controls)


def with_lids(head: ClipHead, lids: Lids) -> ClipHead:
    """Open the lids at rest as they usually are, and scale the blinks so that 1 brings them to where they seem shut."""
    base, directions = head.base.copy(), head.directions.copy()
    for eye, column in enumerate(BLINKS):
        rest, shut = openness(np.stack([head.base, head.base + head.directions[:, :, column]]))[:, eye]
        swing = max(rest - shut, 1e-3)
        base -= np.clip((lids.usual[eye] - rest) / swing, -MOST_OPENED, MOST_OPENED) * head.directions[:, :, column]
        directions[:, :, column] *= np.clip((lids.usual - lids.shut)[eye] / swing, LEAST_BLINK, MOST_BLINK)
    return replace(head, base=base, directions=directions)


def with_rest(head: ClipHead, controls: Float[np.ndarray, "T 52"], seconds: float) -> ClipHead:
    """Take into the neutral face what hardly ever leaves the controls: it is the person, not the expression."""
    kept = seconds / (seconds + TELLING)
    rest = kept * np.minimum(np.percentile(controls, RESTS, axis=0), MOST_REST)
    return replace(head, base=head.base + head.directions @ rest)
