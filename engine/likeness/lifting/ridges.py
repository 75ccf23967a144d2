"""Narrow ridges of a picture, and the strongest closed paths along them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Int

WIDEST = 0.0075
"""Of a frame's rim, metres."""
BEND = 1.5
"""What a step of the radius costs the path, ridge units."""


def ridges(lab: Float[np.ndarray, "S S 3"], metres_per_pixel: float) -> Float[np.ndarray, "S S"]:
    """How far each pixel stands out from what lies on two sides of it, up to `WIDEST` apart, in CIELAB units."""
    side = 2 * round(WIDEST / metres_per_pixel / 2) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    hats = [cv2.morphologyEx(lab, kind, disk) for kind in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)]
    return np.linalg.norm(np.maximum(*hats), axis=-1)


def closed_paths(strength: Float[np.ndarray, "B A R"]) -> Int[np.ndarray, "B A"]:
    """Return the radius at every angle of the strongest path that changes by one step at most from angle to angle.

    Run three times round, the middle round is closed but for rare ties. B grids are searched at once.
    """
    steps = np.tile(strength, (1, 3, 1))
    total, came_from = steps[:, 0].copy(), np.zeros(steps.shape, np.int64)
    radius = np.arange(steps.shape[2])
    for row in range(1, steps.shape[1]):
        padded = np.pad(total, ((0, 0), (1, 1)), constant_values=-np.inf)
        choices = np.stack([padded[:, :-2] - BEND, total, padded[:, 2:] - BEND])
        choice = choices.argmax(0)
        came_from[:, row] = radius + choice - 1
        total = choices.max(0) + steps[:, row]
    path = np.empty(steps.shape[:2], np.int64)
    path[:, -1] = total.argmax(1)
    for row in range(steps.shape[1] - 1, 0, -1):
        path[:, row - 1] = np.take_along_axis(came_from[:, row], path[:, row, None], 1)[:, 0]
    return path[:, strength.shape[1] : 2 * strength.shape[1]]


def sample(image: Float[np.ndarray, "S S *C"], points: Float[np.ndarray, "*N 2"]) -> Float[np.ndarray, "*N *C"]:
    """Look an image up at points between pixel centres (at half-integers)."""
    grid = points.reshape(1, -1, 2).astype(np.float32) - 0.5
    found = cv2.remap(image.astype(np.float32), grid[..., 0], grid[..., 1], cv2.INTER_LINEAR)
    return found.reshape(*points.shape[:-1], *image.shape[2:])
