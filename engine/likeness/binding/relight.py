"""Gaussians' colours after their triangles have turned in the light; `contract.lighting` says what the numbers mean."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from likeness.contract.lighting import DIMMEST, GAMMA, LitColors, shade
from likeness.geometry.frames import triangle_frames
from likeness.geometry.threads import parallel_for

GAUSSIANS_PER_PIECE = 8192
SMALLEST = np.float32(1e-30)
"""Squared length (metres^4) of a normal that has no direction: there is none, or the triangle has collapsed."""


def relight(
    lit: LitColors, triangle: Int[np.ndarray, "N"], vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N 3"]:
    """Return the colours (sRGB, float32) of Gaussians that ride on these triangles of a deformed mesh."""
    colors = np.empty_like(lit.albedo)
    vertices, faces = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32)
    arrays = triangle, lit.albedo, lit.conormals, np.ascontiguousarray(lit.harmonics, np.float32)
    parallel_for(_relight, len(colors), GAUSSIANS_PER_PIECE, *arrays, vertices, faces, colors)
    return colors


def relight_reference(
    lit: LitColors, triangle: Int[np.ndarray, "N"], vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N 3"]:
    """Return what `relight` returns, from the formula, in float64; the readable twin."""
    frames, _ = triangle_frames(np.asarray(vertices, np.float64), faces[triangle])
    u, v, w = np.moveaxis(frames, 2, 0)
    cofactors = np.stack([np.cross(v, w), np.cross(w, u), np.cross(u, v)], 2)  # F^-T, but for scale
    normals = np.einsum("nij,nj->ni", cofactors, lit.conormals)
    squared = (normals**2).sum(1, keepdims=True)
    directions = np.where(squared < SMALLEST, 0.0, normals / np.sqrt(np.maximum(squared, SMALLEST)))
    return lit.albedo * shade(lit.harmonics, directions)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check  # the tests' shape checks would wrap it in Python that numba cannot compile
def _relight(begin, end, triangle, albedo, conormals, harmonics, vertices, faces, colors):
    """Fill the colours of the Gaussians [begin, end); a frame's inverse transpose is its cofactors, but for scale."""
    for i in range(begin, end):
        p, q, r = conormals[i, 0], conormals[i, 1], conormals[i, 2]
        a, b, c = faces[triangle[i], 0], faces[triangle[i], 1], faces[triangle[i], 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        wx, wy, wz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        scale = np.float32(1.0) / np.sqrt(max(np.sqrt(wx * wx + wy * wy + wz * wz), np.float32(1e-24)))
        nx, ny, nz = wx * scale, wy * scale, wz * scale
        x = (vy * nz - vz * ny) * p + (ny * uz - nz * uy) * q + wx * r
        y = (vz * nx - vx * nz) * p + (nz * ux - nx * uz) * q + wy * r
        z = (vx * ny - vy * nx) * p + (nx * uy - ny * ux) * q + wz * r
        squared = x * x + y * y + z * z
        if squared < SMALLEST:
            for channel in range(3):
                colors[i, channel] = albedo[i, channel]
            continue
        scale = np.float32(1.0) / np.sqrt(squared)
        x, y, z = x * scale, y * scale, z * scale
        first, second, zonal = np.float32(3**0.5), np.float32(15**0.5), np.float32(5**0.5 / 2)
        for channel in range(3):
            light = harmonics[0, channel]
            light += first * (harmonics[1, channel] * x + harmonics[2, channel] * y + harmonics[3, channel] * z)
            light += second * (harmonics[4, channel] * x * y + harmonics[5, channel] * y * z)
            light += second * (harmonics[6, channel] * x * z + harmonics[7, channel] * (x * x - y * y) / 2)
            light += zonal * harmonics[8, channel] * (3 * z * z - 1)
            colors[i, channel] = albedo[i, channel] * max(light, np.float32(DIMMEST)) ** np.float32(1 / GAMMA)
