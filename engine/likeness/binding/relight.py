"""Gaussians' colours after the head has turned in its light; `contract.lighting` says what the numbers mean."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from likeness.contract.lighting import DIMMEST, GAMMA, LitColors, light_on, shade
from likeness.geometry.threads import parallel_for

GAUSSIANS_PER_PIECE = 8192


def relight(lit: LitColors, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "N 3"]:
    """Return the colours (sRGB, float32) of Gaussians whose mesh has been posed."""
    colors = np.empty_like(lit.albedo)
    light = light_on(lit.harmonics, vertices[lit.body], vertices[lit.head])
    parallel_for(_relight, len(colors), GAUSSIANS_PER_PIECE, lit.albedo, lit.facing, lit.still, light, colors)
    return colors


def relight_reference(lit: LitColors, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "N 3"]:
    """Return what `relight` returns, from the formula, in float64; the readable twin."""
    light = light_on(lit.harmonics, vertices[lit.body], vertices[lit.head])
    share = np.linalg.norm(lit.facing.astype(np.float64), axis=1, keepdims=True)
    normals = lit.facing / np.where(share > 0, share, 1)
    return np.minimum(lit.albedo * ((1 - share) * shade(lit.still, normals) + share * shade(light, normals)), 1)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check  # the tests' shape checks would wrap it in Python that numba cannot compile
def _relight(begin, end, albedo, facing, still, light, colors):
    """Fill the colours of the Gaussians [begin, end)."""
    for i in range(begin, end):
        x, y, z = facing[i, 0], facing[i, 1], facing[i, 2]
        share = np.sqrt(x * x + y * y + z * z)
        if share == 0:
            for channel in range(3):
                colors[i, channel] = min(albedo[i, channel], np.float32(1))
            continue
        x, y, z = x / share, y / share, z / share
        for channel in range(3):
            before, now = _shade(still, channel, x, y, z), _shade(light, channel, x, y, z)
            colors[i, channel] = min(albedo[i, channel] * (before + share * (now - before)), np.float32(1))


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _shade(harmonics, channel, x, y, z):
    first, second = np.float32(3**0.5), np.float32(15**0.5)
    third, zonal, one = second / np.float32(2), np.float32(5**0.5 / 2), np.float32(1)
    light = harmonics[0, channel]
    light += first * (harmonics[1, channel] * x + harmonics[2, channel] * y + harmonics[3, channel] * z)
    light += second * (harmonics[4, channel] * x * y + harmonics[5, channel] * y * z)
    light += second * harmonics[6, channel] * x * z + third * harmonics[7, channel] * (x * x - y * y)
    light += zonal * harmonics[8, channel] * (np.float32(3) * z * z - one)
    return max(light, np.float32(DIMMEST)) ** np.float32(1 / GAMMA)
