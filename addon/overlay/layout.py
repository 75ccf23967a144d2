"""Gaussians as texels of one static texture, all of them or a level of detail.

Convention: a Gaussian rides on the triangle a, b, c with the frame F = [e1, e2, n / sqrt(|n|)]; its mean is
a + F local_mean, its covariance F C F^T with C = local_basis local_basis^T. Everything here is in that frame.
Its colour is its albedo in the portrait's light (`likeness.contract.lighting`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.levels import widening
from likeness.contract.lighting import LitColors

from ..conventions import blender_to_head

Array = Annotated
TEXELS = 5
"""RGBA32F texels of a Gaussian: a, b, c, opacity | mean xyz, red | C xx, xy, xz, green | C yy, yz, zz, blue | facing;
the colour is the albedo."""
WIDTH = 1280
"""Texels in a row of every data texture; a multiple of TEXELS, and no graphics card is narrower."""


@dataclass(frozen=True)
class Gaussians:
    """An avatar's Gaussians as its points carry them."""

    rest: Array[np.ndarray, "N 3"]
    """Means on the neutral head, Blender's axes."""
    corners: Array[np.ndarray, "N 3"]
    """The mesh's vertices a, b, c of each Gaussian's triangle, int32."""
    local_mean: Array[np.ndarray, "N 3"]
    local_basis: Array[np.ndarray, "N 3 3"]
    opacities: Array[np.ndarray, "N"]
    lit: LitColors


@dataclass(frozen=True)
class Packed:
    """Gaussians ready to draw, sorted by triangle: neighbours in memory read the same corners."""

    texels: Array[np.ndarray, "N 5 4"]
    corners: Array[np.ndarray, "T 3"]
    """The triangles that carry something, int32."""
    triangle: Array[np.ndarray, "N"]
    """Which of `corners` each Gaussian rides on, ascending."""
    weights: Array[np.ndarray, "N 4"]
    """1 and local_mean: against a triangle's depth terms they give the depth of the Gaussian."""


def pack(gaussians: Gaussians, most: int | None = None) -> Packed:
    """Pack the Gaussians, or the first `most` (at least one) of them, widened to cover what all of them covered."""
    count = len(gaussians.rest) if most is None else min(most, len(gaussians.rest))
    kept = np.lexsort(gaussians.corners[:count].T)
    corners = gaussians.corners[kept]
    starts = np.any(corners != np.roll(corners, 1, axis=0), axis=1)
    starts[:1] = True
    factor = widening(blender_to_head(gaussians.rest), count)
    mean = gaussians.local_mean[kept]
    return Packed(
        texels=_texels(gaussians, kept, factor[kept]),
        corners=corners[starts],
        triangle=np.cumsum(starts) - 1,
        weights=np.concatenate([np.ones((len(kept), 1), np.float32), mean], axis=1, dtype=np.float32),
    )


def padded_rows(values: Array[np.ndarray, "M C"]) -> Array[np.ndarray, "H W C"]:
    """Return float32 texels as rows of WIDTH, filled up with zeros."""
    rows = max(1, -(-len(values) // WIDTH))
    filled = np.zeros((rows * WIDTH, values.shape[1]), np.float32)
    filled[: len(values)] = values
    return filled.reshape(rows, WIDTH, values.shape[1])


def _texels(
    gaussians: Gaussians, kept: Array[np.ndarray, "M"], factor: Array[np.ndarray, "M"]
) -> Array[np.ndarray, "M 5 4"]:
    basis = gaussians.local_basis[kept].astype(np.float64)
    covariance = factor[:, None, None] * (basis @ basis.transpose(0, 2, 1))
    texels = np.empty((len(kept), TEXELS, 4), np.float32)
    texels[:, 0, :3], texels[:, 0, 3] = gaussians.corners[kept], gaussians.opacities[kept]
    texels[:, 1, :3] = gaussians.local_mean[kept]
    texels[:, 2, :3] = covariance[:, 0]
    texels[:, 3, :3] = covariance[:, [1, 1, 2], [1, 2, 2]]
    texels[:, 1:4, 3] = gaussians.lit.albedo[kept]
    texels[:, 4, :3], texels[:, 4, 3] = gaussians.lit.facing[kept], 0
    return texels
