"""Gaussians as texels of one static texture, and which of them a share of them keeps.

Convention: a Gaussian rides on the triangle a, b, c with the frame F = [e1, e2, n / sqrt(|n|)]; its mean is
a + F local_mean, its covariance F C F^T with C = local_basis local_basis^T. Everything here is in that frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

Array = Annotated
TEXELS = 4
"""RGBA32F texels of a Gaussian: a, b, c, opacity | mean xyz, red | C xx, xy, xz, green | C yy, yz, zz, blue."""
WIDTH = 1024
"""Texels in a row of every data texture; a multiple of TEXELS, and no graphics card is narrower."""
MORTON_BITS = 10


@dataclass(frozen=True)
class Gaussians:
    """An avatar's Gaussians as its points carry them."""

    rest: Array[np.ndarray, "N 3"]
    corners: Array[np.ndarray, "N 3"]
    """The mesh's vertices a, b, c of each Gaussian's triangle, int32."""
    local_mean: Array[np.ndarray, "N 3"]
    local_basis: Array[np.ndarray, "N 3 3"]
    opacities: Array[np.ndarray, "N"]
    colors: Array[np.ndarray, "N 3"]


@dataclass(frozen=True)
class Packed:
    """Gaussians ready to draw, sorted by triangle: neighbours in memory read the same corners."""

    texels: Array[np.ndarray, "N 4 4"]
    corners: Array[np.ndarray, "T 3"]
    """The triangles that carry something, int32."""
    triangle: Array[np.ndarray, "N"]
    """Which of `corners` each Gaussian rides on, ascending."""
    weights: Array[np.ndarray, "N 4"]
    """1 and local_mean: against a triangle's depth terms they give the depth of the Gaussian."""


def pack(gaussians: Gaussians, share: float = 1.0) -> Packed:
    """Pack a share of the Gaussians (one at least), widened so that they cover what all of them covered."""
    kept = evenly_spread(gaussians.rest)[: kept_count(len(gaussians.rest), share)]
    kept = kept[np.lexsort(gaussians.corners[kept].T)]
    corners = gaussians.corners[kept]
    starts = np.any(corners != np.roll(corners, 1, axis=0), axis=1)
    starts[:1] = True
    mean = gaussians.local_mean[kept]
    return Packed(
        texels=_texels(gaussians, kept, np.float32(len(gaussians.rest) / len(kept))),
        corners=corners[starts],
        triangle=np.cumsum(starts) - 1,
        weights=np.concatenate([np.ones((len(kept), 1), np.float32), mean], axis=1, dtype=np.float32),
    )


def kept_count(count: int, share: float) -> int:
    """Return how many of `count` Gaussians a share in 0..1 keeps: at least one."""
    return min(count, max(1, round(count * share)))


def evenly_spread(points: Array[np.ndarray, "N 3"]) -> Array[np.ndarray, "N"]:
    """Return an order of points whose every beginning is spread evenly over all of them.

    Along a Z-curve (Morton 1966) neighbours in the order are neighbours in space; taking its places in the order of
    their reversed bits (van der Corput 1935) leaves, at any time, nearly equal gaps on the curve.
    """
    along = np.argsort(_morton_codes(points), kind="stable")
    bits = max(len(points) - 1, 1).bit_length()
    places = _reversed_bits(np.arange(1 << bits, dtype=np.uint32), bits)
    return along[places[places < len(points)]]


def padded_rows(values: Array[np.ndarray, "M C"]) -> Array[np.ndarray, "H W C"]:
    """Return float32 texels as rows of WIDTH, filled up with zeros."""
    rows = max(1, -(-len(values) // WIDTH))
    filled = np.zeros((rows * WIDTH, values.shape[1]), np.float32)
    filled[: len(values)] = values
    return filled.reshape(rows, WIDTH, values.shape[1])


def _texels(gaussians: Gaussians, kept: Array[np.ndarray, "M"], widening: np.float32) -> Array[np.ndarray, "M 4 4"]:
    basis = gaussians.local_basis[kept].astype(np.float64)
    covariance = widening * (basis @ basis.transpose(0, 2, 1))
    texels = np.empty((len(kept), TEXELS, 4), np.float32)
    texels[:, 0, :3], texels[:, 0, 3] = gaussians.corners[kept], gaussians.opacities[kept]
    texels[:, 1, :3] = gaussians.local_mean[kept]
    texels[:, 2, :3] = covariance[:, 0]
    texels[:, 3, :3] = covariance[:, [1, 1, 2], [1, 2, 2]]
    texels[:, 1:, 3] = gaussians.colors[kept]
    return texels


def _morton_codes(points: Array[np.ndarray, "N 3"]) -> Array[np.ndarray, "N"]:
    """Interleave the bits of x, y and z on a grid of 2^MORTON_BITS cells along the longest side."""
    points = np.asarray(points, np.float64)
    low = points.min(axis=0)
    side = max(float(np.ptp(points, axis=0).max()), 1e-12)
    cells = ((points - low) / side * ((1 << MORTON_BITS) - 1)).astype(np.uint32)
    codes = np.zeros(len(points), np.uint32)
    for bit in range(MORTON_BITS):
        for axis in range(3):
            codes |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return codes


def _reversed_bits(values: Array[np.ndarray, "N"], bits: int) -> Array[np.ndarray, "N"]:
    result = np.zeros_like(values)
    for bit in range(bits):
        result |= ((values >> bit) & 1) << (bits - 1 - bit)
    return result
