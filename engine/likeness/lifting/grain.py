"""The skin's grain (pores, stubble, freckles) carried on to where the portrait does not show it.

Space is cut into cells of a centimetre, and what skin lies in one takes the grain of one patch of the plain seen skin
near it, as a quilt does (Efros and Freeman, Image Quilting, 2001, without its seams: grain is so fine that none show).
So a beard goes on as a beard and a smooth cheek smoothly, and no strand or shadow is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.lifting.types import Scene
from likeness.lifting.visibility import Visibility

COARSEST = 0.0025
"""Standard deviation of the blur against which grain stands out, metres."""
MOST_GRAIN = 0.25
"""Largest logarithm of a grain."""
GAIN = 1.2
"""Makes up for what neighbouring samples' overlap takes from it."""
CELL, MARGIN = 0.009, 0.006
"""Side of a cell, and distance of patches' middles from the border of the plain skin, metres."""
LEAST_FACING = 0.6
"""Cosine with the view of the skin that patches are taken from: foreshortened grain is coarse."""
CHOICE, EVERY = 200, 2
"""How many of the nearest patches a cell draws from; their middles are so many pixels apart."""
DARKEST = 0.03
"""Brightness below which there is no grain."""


@dataclass(frozen=True)
class Grain:
    """Where grain is copied from."""

    value: Float[np.ndarray, "S S"]
    """Logarithm of brightness over the smooth skin's; 0 beside the plain skin."""
    middles: Int[np.ndarray, "B 2"]
    """Row and column of the patches' middles."""
    strength: Float[np.ndarray, "B"]
    """Mean square of their grain: the quieter half of the patches shows neither wrinkle nor mole."""
    tree: cKDTree | None
    """Finds them by their places in head space."""
    metres_per_pixel: float

    def at(self, points: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
        """Return the grain of places of the surface; head space, metres."""
        if self.tree is None or not len(points):
            return np.zeros(len(points))
        cells, own = np.unique(np.floor(points / CELL).astype(np.int64), axis=0, return_inverse=True)
        centers = (cells + 0.5) * CELL
        choice = min(CHOICE, len(self.middles))
        near = self.tree.query(centers, k=np.arange(1, choice + 1))[1]
        quiet = np.take_along_axis(near, np.argsort(self.strength[near], 1), 1)
        drawn = np.random.default_rng(0).integers(0, (choice + 1) // 2, len(cells))
        nearest = quiet[np.arange(len(cells)), drawn]
        right = np.cross([0.0, 1.0, 0.0], normals)
        right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-6)
        down = np.cross(right, normals)
        away = points - centers[own.ravel()]
        offset = np.stack([(away * down).sum(1), (away * right).sum(1)], 1) / self.metres_per_pixel
        return ndimage.map_coordinates(self.value, (self.middles[nearest[own.ravel()]] + offset).T, order=1)


def gather_grain(
    scene: Scene, view: Visibility, color: Float[np.ndarray, "S S 3"], plain: Bool[np.ndarray, "S S"]
) -> Grain:
    """Measure the grain of the plain skin and find the patches to copy it from."""
    pixel = scene.metres_per_pixel
    brightness = np.log(np.maximum(color.mean(-1), DARKEST))
    weight = ndimage.gaussian_filter(plain.astype(np.float64), COARSEST / pixel)
    smooth = ndimage.gaussian_filter(brightness * plain, COARSEST / pixel) / np.maximum(weight, 1e-6)
    value = GAIN * np.clip(brightness - smooth, -MOST_GRAIN, MOST_GRAIN) * plain
    inner = ndimage.distance_transform_edt(plain) * pixel > MARGIN
    middles = np.argwhere(inner & (view.facing > LEAST_FACING))
    middles = middles[(middles % EVERY == 0).all(1)]
    points = scene.camera.unproject(middles[:, ::-1] + 0.5, view.depth[tuple(middles.T)].astype(np.float64))
    strength = ndimage.uniform_filter(value**2, max(1, round(CELL / pixel)))[tuple(middles.T)]
    return Grain(value, middles, strength, cKDTree(points) if len(middles) else None, pixel)
