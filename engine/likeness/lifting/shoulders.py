"""Where the torso begins and where it is bare: shoulders and clothes stay when the head turns, hair and beard go."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.lifting.parsing import Material
from likeness.lifting.types import CHIN, UNDER_NOSE, Scene
from likeness.lifting.visibility import Label, Visibility, pixel_of
from likeness.portrait.types import Portrait

CHEEKS = (234, 454)
"""MediaPipe's landmarks beside the ears: the face's width."""
BARE_REACH = 0.008
"""Standard deviation of the surroundings in which skin and cloth are told apart, metres."""
WIDEST_NECK = 1.05
"""Distance of the outline from the chin's column, in halves of the face's width, up to which it may be the neck's."""


def torso_pixels(portrait: Portrait, deep: Bool[np.ndarray, "S"]) -> Bool[np.ndarray, "S S"]:
    """Mark all pixels under the neck: under the line between the outline's narrowest places on its two sides.

    Where long hair hides such a place, the line runs where the rows begin that are `deep` in the torso.
    """
    size = len(deep)
    deepest = int(deep.argmax()) if deep.any() else size
    middle = int(np.clip(portrait.landmarks[CHIN, 0], 0, size - 1))
    rows = np.arange(max(int(portrait.landmarks[UNDER_NOSE, 1]), 0), deepest)
    beside = (portrait.alpha[rows] < 0.5) & portrait.valid[rows]
    widest = np.ptp(portrait.landmarks[list(CHEEKS), 0]) / 2 * WIDEST_NECK
    ends = []
    for side in (beside[:, middle::-1], beside[:, middle:]):
        width = _widths(side)
        narrow = np.flatnonzero(width == width.min(initial=widest))
        ends.append((width[narrow[-1]], rows[narrow[-1]]) if len(narrow) else (widest, deepest))
    (left, left_row), (right, right_row) = ends
    line = np.interp(np.arange(size), [middle - left, middle + right], [left_row, right_row])
    return np.arange(size)[:, None] >= line


def with_collar(torso: Bool[np.ndarray, "S S"], view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Add the cloth above the torso's line that hangs together with it: a collar's points, a turtleneck."""
    cloth = (view.material == Material.CLOTH) & (view.label == Label.VOLUME)
    pieces, _ = ndimage.label(cloth | torso)
    return torso | cloth & np.isin(pieces, np.setdiff1d(pieces[torso], 0))


def bareness(scene: Scene, view: Visibility, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    """Return, 0 to 1, how bare the surroundings of each point are in the portrait; 0 on cloth. Head space, metres."""
    person = view.label != Label.BACKGROUND
    reach = BARE_REACH / scene.metres_per_pixel
    skin, all_of_it = (
        ndimage.gaussian_filter(mask.astype(np.float64), reach)
        for mask in (person & (view.material == Material.SKIN), person)
    )
    share = (skin / np.maximum(all_of_it, 1e-6))[pixel_of(scene.camera.project(points)[0], len(view.label))]
    # The change lies on the skin's side of the border: skin stretches, a collar would tear.
    return np.clip(2 * share - 1, 0, 1)


def _widths(beside: Bool[np.ndarray, "R W"]) -> Int[np.ndarray, "R"]:
    """Return how many pixels of each row come before the first that is beside the person."""
    return np.where(beside.any(1), beside.argmax(1), beside.shape[1])
