"""Where the torso begins: shoulders and clothes stay when the head turns, hair and beard go with it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from likeness.lifting.types import CHIN, UNDER_NOSE
from likeness.portrait.types import Portrait

CHEEKS = (234, 454)
"""MediaPipe's landmarks beside the ears: the face's width."""
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


def _widths(beside: Bool[np.ndarray, "R W"]) -> Int[np.ndarray, "R"]:
    """Return how many pixels of each row come before the first that is beside the person."""
    return np.where(beside.any(1), beside.argmax(1), beside.shape[1])
