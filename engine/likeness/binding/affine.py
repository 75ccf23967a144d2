"""Gaussians to triangle frames and back; `contract.avatar.BoundGaussians` says what the numbers mean."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from likeness.contract.avatar import BoundGaussians
from likeness.geometry.frames import triangle_frames
from likeness.geometry.threads import parallel_for

MIN_EXTENT, MAX_CONDITION = 1e-9, 1e6
"""Directions of a frame that are shorter (metres), or shorter than the longest by more, count as collapsed."""
GAUSSIANS_PER_PIECE = 8192


def bind(
    means: Float[np.ndarray, "N 3"],
    basis: Float[np.ndarray, "N 3 3"],
    triangle: Int[np.ndarray, "N"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3 3"]]:
    """Return local_mean and local_basis (float32) of Gaussians on the triangles of a mesh in head space, metres.

    `basis` is any B with covariance B B^T. On a collapsed triangle, whose frame has no inverse, what lies outside the
    frame's span is lost (pseudo-inverse), so the result is finite.
    """
    used, which = np.unique(triangle, return_inverse=True)
    frames, origins = triangle_frames(np.asarray(vertices, np.float64), faces[used])
    inverse = _pseudo_inverse(frames)[which]
    local_mean = np.einsum("nij,nj->ni", inverse, means - origins[which])
    return local_mean.astype(np.float32), (inverse @ basis).astype(np.float32)


def pose(
    bound: BoundGaussians, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3 3"]]:
    """Return means and covariances (float32) of the Gaussians on a deformed mesh."""
    count = len(bound.triangle)
    means, covars = np.empty((count, 3), np.float32), np.empty((count, 3, 3), np.float32)
    vertices, faces = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32)
    local = bound.triangle, bound.local_mean, bound.local_basis
    parallel_for(_pose, count, GAUSSIANS_PER_PIECE, *local, vertices, faces, means, covars)
    return means, covars


def transform(
    means: Float[np.ndarray, "N 3"], covars: Float[np.ndarray, "N 3 3"], matrix: Float[np.ndarray, "4 4"]
) -> None:
    """Take means and covariances (float32) through an affine map, in place."""
    parallel_for(_transform, len(means), GAUSSIANS_PER_PIECE, np.ascontiguousarray(matrix, np.float64), means, covars)


def pose_reference(
    bound: BoundGaussians, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3 3"]]:
    """Return what `pose` returns, from the formula, in float64; the readable twin."""
    frames, origins = triangle_frames(np.asarray(vertices, np.float64), faces[bound.triangle])
    basis = frames @ bound.local_basis
    return origins + np.einsum("nij,nj->ni", frames, bound.local_mean), basis @ basis.transpose(0, 2, 1)


def _pseudo_inverse(frames: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F 3 3"]:
    """Invert frames, leaving out the directions in which they are collapsed."""
    left, extent, right = np.linalg.svd(frames)
    collapsed = extent < np.maximum(extent[:, :1] / MAX_CONDITION, MIN_EXTENT)
    inverse_extent = np.where(collapsed, 0.0, 1 / np.where(collapsed, 1.0, extent))
    return np.einsum("fji,fj,fkj->fik", right, inverse_extent, left)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check  # as below
def _transform(begin, end, matrix, means, covars):
    """Replace the Gaussians [begin, end)."""
    product = np.empty((3, 3))
    for i in range(begin, end):
        x, y, z = means[i, 0], means[i, 1], means[i, 2]
        for row in range(3):
            means[i, row] = matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] * z + matrix[row, 3]
            for column in range(3):
                product[row, column] = 0.0
                for k in range(3):
                    product[row, column] += matrix[row, k] * covars[i, k, column]
        for row in range(3):
            for column in range(3):
                value = 0.0
                for k in range(3):
                    value += product[row, k] * matrix[column, k]
                covars[i, row, column] = value


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check  # the tests' shape checks would wrap it in Python that numba cannot compile
def _pose(begin, end, triangle, local_mean, local_basis, vertices, faces, means, covars):
    """Fill means and covars for the Gaussians [begin, end)."""
    for i in range(begin, end):
        a, b, c = faces[triangle[i], 0], faces[triangle[i], 1], faces[triangle[i], 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = np.sqrt(np.sqrt(nx * nx + ny * ny + nz * nz))
        scale = np.float32(1.0) / max(length, np.float32(1e-12))
        nx, ny, nz = nx * scale, ny * scale, nz * scale
        u, v, w = local_mean[i, 0], local_mean[i, 1], local_mean[i, 2]
        means[i, 0] = ax + ux * u + vx * v + nx * w
        means[i, 1] = ay + uy * u + vy * v + ny * w
        means[i, 2] = az + uz * u + vz * v + nz * w
        xx = xy = xz = yy = yz = zz = np.float32(0.0)
        for k in range(3):
            u, v, w = local_basis[i, 0, k], local_basis[i, 1, k], local_basis[i, 2, k]
            x, y, z = ux * u + vx * v + nx * w, uy * u + vy * v + ny * w, uz * u + vz * v + nz * w
            xx, xy, xz = xx + x * x, xy + x * y, xz + x * z
            yy, yz, zz = yy + y * y, yz + y * z, zz + z * z
        covars[i, 0, 0], covars[i, 0, 1], covars[i, 0, 2] = xx, xy, xz
        covars[i, 1, 0], covars[i, 1, 1], covars[i, 1, 2] = xy, yy, yz
        covars[i, 2, 0], covars[i, 2, 1], covars[i, 2, 2] = xz, yz, zz
