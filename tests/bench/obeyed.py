"""Whether controls move what their names say: MediaPipe measures renders of the neutral head from the front.

Lengths are in interocular distances (outer corners). tests/engine/avatar/test_controls.py holds more of this, on one
avatar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from measures import GREY, SIZE, detect, interocular

from likeness.avatar.animate import DrivenAvatar, neutral, render_avatar, with_controls
from likeness.avatar.pictures import over
from likeness.avatar.views import orbit_camera

LIDS, EYE_CORNERS = ((386, 374), (159, 145)), ((263, 362), (33, 133))
LIPS, MOUTH_CORNERS = (13, 14), (61, 291)
BROWS = (336, 107)
BLINK = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
JAW = {"jawOpen": 0.8}
SMILE = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
BROWS_UP = {"browInnerUp": 1.0}


class Obeyed(NamedTuple):
    """What four controls do; NaN where a render shows no face."""

    blink: float
    """Height over width of the eyes at a blink, over that at rest: the less the better."""
    jaw: float
    """How much further apart the lips are with the jaw open."""
    smile: float
    """How much wider the mouth is in a smile."""
    brows: float
    """How much higher the inner brows are when raised."""


LEAST = Obeyed(blink=0.6, jaw=0.15, smile=0.06, brows=0.015)
"""What counts as obeyed: for the blink at most, for the others at least; about half of what a good head reaches."""


def obeyed(driven: DrivenAvatar) -> Obeyed:
    """Measure the four controls."""
    rest, blink, jaw, smile, brows = (_face(driven, values) for values in ({}, BLINK, JAW, SMILE, BROWS_UP))
    return Obeyed(
        blink=eye_opening(blink) / eye_opening(rest),
        jaw=_apart(jaw, LIPS) - _apart(rest, LIPS),
        smile=_apart(smile, MOUTH_CORNERS) - _apart(rest, MOUTH_CORNERS),
        brows=_height(brows) - _height(rest),
    )


def all_obeyed(measured: Obeyed) -> bool:
    """Tell whether every control does its work."""
    least = [each >= wanted for each, wanted in zip(measured[1:], LEAST[1:], strict=True)]
    return measured.blink <= LEAST.blink and all(least)


def eye_opening(points: Float[np.ndarray, "478 2"]) -> float:
    """Return height over width of the eyes' openings, mean of both."""
    pairs = zip(LIDS, EYE_CORNERS, strict=True)
    return float(np.mean([_apart(points, lids) / _apart(points, corners) for lids, corners in pairs]))


def _face(driven: DrivenAvatar, values: Mapping[str, float]) -> Float[np.ndarray, "478 2"]:
    expression = with_controls(driven.avatar.rig, neutral(driven.avatar), values)
    camera = orbit_camera(driven.avatar, 0, 0, SIZE, SIZE)
    faces = detect(over(render_avatar(driven, camera, expression), GREY))
    return faces[0].landmarks if faces else np.full((478, 2), np.nan)


def _apart(points: Float[np.ndarray, "478 2"], pair: tuple[int, int]) -> float:
    return float(np.linalg.norm(np.subtract(*points[list(pair)])) / interocular(points))


def _height(points: Float[np.ndarray, "478 2"]) -> float:
    """Return how far the inner brows are above the line through the eyes' outer corners."""
    return float((points[[33, 263], 1].mean() - points[list(BROWS), 1].mean()) / interocular(points))
