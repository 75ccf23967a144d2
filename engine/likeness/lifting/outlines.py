"""MediaPipe's outlines of the face's features, and which pixels of a portrait lie inside them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.lifting.types import Scene

EYE_POLYGONS = {
    "eye_right": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "eye_left": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
}
"""Landmarks round each eye's opening, in order; left is the subject's."""
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""Landmarks round what shows between the lips, in order."""
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Landmarks round both lips, in order."""
BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
"""Landmarks round the subject's right and left brow, in order."""
FIXED_POINT = 4
"""Bits of a pixel's fraction that OpenCV is given."""


def inside_outline(scene: Scene, landmarks: tuple[int, ...]) -> Bool[np.ndarray, "S S"]:
    """Mark the pixels inside a closed line through landmarks in order."""
    return ndimage.binary_fill_holes(_filled(scene, _points(scene, landmarks)))


def inside_hulls(scene: Scene, *groups: tuple[int, ...]) -> Bool[np.ndarray, "S S"]:
    """Mark the pixels inside the convex hull of any of the groups of landmarks."""
    return np.any([_filled(scene, cv2.convexHull(_points(scene, group))) for group in groups], 0)


def features(scene: Scene) -> Bool[np.ndarray, "S S"]:
    """Mark what lies in the face and is no bare skin: brows, eyes and lips."""
    return inside_hulls(scene, *BROWS, *EYE_POLYGONS.values(), LIPS)


def _points(scene: Scene, landmarks: tuple[int, ...]) -> Float[np.ndarray, "N 2"]:
    return scene.portrait.landmarks[list(landmarks)].astype(np.float32)


def _filled(scene: Scene, points: Float[np.ndarray, "..."]) -> Bool[np.ndarray, "S S"]:
    """Fill a polygon of points in pixels, whose centres are at half-integers here and at integers in OpenCV."""
    mask = np.zeros(scene.portrait.alpha.shape, np.uint8)
    fixed_point = np.round((points - 0.5) * 2**FIXED_POINT).astype(np.int32)
    cv2.fillPoly(mask, [fixed_point], 1, shift=FIXED_POINT)
    return mask > 0
