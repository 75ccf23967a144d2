"""EWA projection of 3-D Gaussians to the picture and its hand-derived backward pass, one Gaussian at a time.

Zwicker et al. 2001, EWA Splatting; the low-pass of 0.3 px and the clamp of the Jacobian beside the picture are those
of Kerbl et al. 2023 and gsplat. Computed in float64 per Gaussian, stored in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

NEAR = 0.01
"""Gaussians whose mean is nearer than this (metres along the view axis) are left out."""
LOW_PASS = 0.3
"""Square pixels added to every 2-D covariance."""
MIN_ALPHA = 1.0 / 255.0
"""Contributions under this are skipped."""
MOMENTS = 9
"""What the blending's backward pass sums for a Gaussian: v, v dx, v dy, v dx^2, v dx dy, v dy^2 with
v = dL/d(exponent), and the gradient of its colour."""

SPLAT = np.dtype(
    [
        *[(name, np.float32) for name in ("x", "y", "conic_xx", "conic_xy", "conic_yy", "opacity")],
        *[(name, np.float32) for name in ("reach_x", "reach_y", "red", "green", "blue", "depth")],
    ]
)
"""A Gaussian in the picture. Its half extents `reach` (pixels) hold all of it above MIN_ALPHA; opacity 0: not seen."""


class Scene(NamedTuple):
    """Gaussians in head space, float32."""

    means: np.ndarray
    covars: np.ndarray
    opacities: np.ndarray
    colors: np.ndarray


class View(NamedTuple):
    """A pinhole camera as float64 arrays for the kernels, and the interval of x/z and y/z where J is not clamped."""

    rotation: np.ndarray
    translation: np.ndarray
    focal: np.ndarray
    center: np.ndarray
    low: np.ndarray
    high: np.ndarray
    width: int
    height: int


def make_view(viewmat: np.ndarray, K: np.ndarray, width: int, height: int) -> View:
    """Take T_camera_head (4,4) and K (3,3, without skew) apart."""
    viewmat, K, size = np.asarray(viewmat, np.float64), np.asarray(K, np.float64), np.array([width, height])
    focal, center = np.array([K[0, 0], K[1, 1]]), K[:2, 2].copy()
    margin = 0.15 * size / focal
    rotation, translation = viewmat[:3, :3].copy(), viewmat[:3, 3].copy()
    return View(rotation, translation, focal, center, -center / focal - margin,
                (size - center) / focal + margin, width, height)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def project(begin, end, scene, view, splats):
    """Fill splats[begin:end]; what is too near, transparent, broken or beside the picture gets opacity 0."""
    for i in range(begin, end):
        splat = splats[i]
        splat.opacity = 0.0
        x, y, z = _to_camera(scene.means[i], view)
        opacity = scene.opacities[i]
        if not (z > NEAR and opacity > MIN_ALPHA):
            continue
        row_x, row_y = _jacobian(x / z, y / z, z, view)
        xx, xy, yy = _covariance(scene.covars[i], row_x, row_y)
        determinant = xx * yy - xy * xy
        if not (determinant > 0.0 and xx > 0.0 and np.isfinite(determinant)):
            continue
        splat.x, splat.y = view.focal[0] * x / z + view.center[0], view.focal[1] * y / z + view.center[1]
        bound = 2.0 * np.log(opacity / MIN_ALPHA)  # alpha = MIN_ALPHA where the Mahalanobis distance squared is this
        splat.reach_x, splat.reach_y = np.sqrt(bound * xx), np.sqrt(bound * yy)
        splat.conic_xx, splat.conic_xy, splat.conic_yy = yy / determinant, -xy / determinant, xx / determinant
        splat.red, splat.green, splat.blue = scene.colors[i, 0], scene.colors[i, 1], scene.colors[i, 2]
        splat.depth = z
        beside = abs(2 * splat.x - view.width) > view.width + 2 * splat.reach_x
        beyond = abs(2 * splat.y - view.height) > view.height + 2 * splat.reach_y
        if not (beside or beyond):
            splat.opacity = opacity


@njit(cache=True, nogil=True, error_model="numpy")
def project_backward(begin, end, scene, view, splats, first_pair, moments, grads):
    """Fill grads (a Scene) for [begin, end) from the moments of each Gaussian's tiles, summed in a fixed order.

    The pairs of Gaussian i are moments[first_pair[i]:first_pair[i + 1]]. With the exponent
    -(A dx^2 + 2 B dx dy + C dy^2) / 2 the moments give the gradients of the 2-D mean and of the conic (A, B, C).
    """
    total = np.empty(MOMENTS)
    for i in range(begin, end):
        if splats[i].opacity == 0.0:
            continue
        total[:] = 0.0
        for pair in range(first_pair[i], first_pair[i + 1]):
            for k in range(MOMENTS):
                total[k] += moments[pair, k]
        for channel in range(3):
            grads.colors[i, channel] = total[6 + channel]
        grads.opacities[i] = total[0] / scene.opacities[i]
        _backward_geometry(total, scene.means[i], scene.covars[i], view, grads.means[i], grads.covars[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _backward_geometry(moment, mean, covar, view, mean_grad, covar_grad):
    """Take the gradient from the 2-D mean and conic to the mean and the covariance in head space."""
    x, y, z = _to_camera(mean, view)
    u, v = x / z, y / z
    row_x, row_y = _jacobian(u, v, z, view)
    xx, xy, yy = _covariance(covar, row_x, row_y)
    determinant = xx * yy - xy * xy
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    # The gradient D of the 2-D covariance S = Q^-1 is -Q G Q; G, the gradient of Q, is -[moments of second order] / 2.
    second_xx, second_xy, second_yy = 0.5 * moment[3], 0.5 * moment[4], 0.5 * moment[5]
    left_x, left_y = a * second_xx + b * second_xy, a * second_xy + b * second_yy
    right_x, right_y = b * second_xx + c * second_xy, b * second_xy + c * second_yy
    d_xx, d_xy, d_yy = left_x * a + left_y * b, left_x * b + left_y * c, right_x * b + right_y * c
    image_x, image_y = _apply(covar, row_x), _apply(covar, row_y)
    u_grad = view.focal[0] * (a * moment[1] + b * moment[2])
    v_grad = view.focal[1] * (b * moment[1] + c * moment[2])
    z_grad = -u_grad * u - v_grad * v
    for k in range(3):
        row_x_grad = 2.0 * (d_xx * image_x[k] + d_xy * image_y[k])
        row_y_grad = 2.0 * (d_xy * image_x[k] + d_yy * image_y[k])
        z_grad -= row_x_grad * row_x[k] + row_y_grad * row_y[k]
        if view.low[0] < u < view.high[0]:
            shift = -view.focal[0] / z * row_x_grad * view.rotation[2, k]
            u_grad, z_grad = u_grad + shift, z_grad - shift * u
        if view.low[1] < v < view.high[1]:
            shift = -view.focal[1] / z * row_y_grad * view.rotation[2, k]
            v_grad, z_grad = v_grad + shift, z_grad - shift * v
        for j in range(3):
            covar_grad[k, j] = row_x[k] * (d_xx * row_x[j] + d_xy * row_y[j]) + row_y[k] * (
                d_xy * row_x[j] + d_yy * row_y[j]
            )
    rotation = view.rotation
    for k in range(3):
        mean_grad[k] = (rotation[0, k] * u_grad + rotation[1, k] * v_grad + rotation[2, k] * z_grad) / z


@njit(cache=True, nogil=True, error_model="numpy")
def _to_camera(mean, view):
    """Return the mean in camera space."""
    x, y, z = _apply(view.rotation, (mean[0], mean[1], mean[2]))
    return x + view.translation[0], y + view.translation[1], z + view.translation[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _jacobian(u, v, z, view):
    """Return the two rows of J R, the derivative of the pixel by the head-space point, for u = x/z and v = y/z."""
    u, v = min(max(u, view.low[0]), view.high[0]), min(max(v, view.low[1]), view.high[1])
    r, scale_x, scale_y = view.rotation, view.focal[0] / z, view.focal[1] / z
    row_x = (scale_x * (r[0, 0] - u * r[2, 0]), scale_x * (r[0, 1] - u * r[2, 1]), scale_x * (r[0, 2] - u * r[2, 2]))
    row_y = (scale_y * (r[1, 0] - v * r[2, 0]), scale_y * (r[1, 1] - v * r[2, 1]), scale_y * (r[1, 2] - v * r[2, 2]))
    return row_x, row_y


@njit(cache=True, nogil=True, error_model="numpy")
def _covariance(covar, row_x, row_y):
    """Return xx, xy, yy of the 2-D covariance with its low-pass."""
    image_x, image_y = _apply(covar, row_x), _apply(covar, row_y)
    return _dot(row_x, image_x) + LOW_PASS, _dot(row_y, image_x), _dot(row_y, image_y) + LOW_PASS


@njit(cache=True, nogil=True, error_model="numpy")
def _apply(matrix, vector):
    """Return the 3x3 matrix times the tuple, in float64."""
    a, b, c = vector
    return (
        np.float64(matrix[0, 0]) * a + np.float64(matrix[0, 1]) * b + np.float64(matrix[0, 2]) * c,
        np.float64(matrix[1, 0]) * a + np.float64(matrix[1, 1]) * b + np.float64(matrix[1, 2]) * c,
        np.float64(matrix[2, 0]) * a + np.float64(matrix[2, 1]) * b + np.float64(matrix[2, 2]) * c,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _dot(a, b):
    """Return the inner product of two 3-tuples."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
