"""EWA projection of 3-D Gaussians to the picture and its hand-derived backward pass, one Gaussian at a time.

Zwicker et al. 2001, EWA Splatting; the low-pass of 0.3 px and the clamp of the Jacobian beside the picture are those
of Kerbl et al. 2023 and gsplat. Computed in float64 per Gaussian, stored in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from likeness.geometry.cameras import PINHOLE, Lens

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
    """A camera as plain numbers for the kernels, and the interval of u = x/d and v = y/d where J is not clamped.

    The divisor d is the depth z, or 1 for an orthographic lens: d = perspective z + (1 - perspective).
    """

    rotation: tuple[tuple[float, float, float], ...]
    translation: tuple[float, float, float]
    focal: tuple[float, float]
    center: tuple[float, float]
    low: tuple[float, float]
    high: tuple[float, float]
    width: int
    height: int
    perspective: float
    near: float
    far: float


def make_view(viewmat: np.ndarray, K: np.ndarray, width: int, height: int, lens: Lens = PINHOLE) -> View:
    """Take T_camera_head (4,4) and K (3,3, without skew) apart."""
    viewmat, K, size = np.asarray(viewmat, np.float64), np.asarray(K, np.float64), np.array([width, height])
    focal, center = np.array([K[0, 0], K[1, 1]]), K[:2, 2]
    low, high = -center / focal - 0.15 * size / focal, (size - center) / focal + 0.15 * size / focal
    rotation = tuple(tuple(row) for row in viewmat[:3, :3].tolist())
    pairs = (tuple(pair.tolist()) for pair in (focal, center, low, high))
    translation, perspective = tuple(viewmat[:3, 3].tolist()), 0.0 if lens.orthographic else 1.0
    return View(rotation, translation, *pairs, width, height, perspective, float(lens.near), float(lens.far))


@njit(cache=True, nogil=True, error_model="numpy")
def project(begin, end, scene, view, splats):
    """Fill splats[begin:end]; what is too near, too far, transparent, broken or beside the picture gets opacity 0."""
    means, covars, opacities, colors = scene
    for i in range(begin, end):
        splat = splats[i]
        splat.opacity = 0.0
        x, y, z = _to_camera(means, i, view)
        if not (z > view.near and z <= view.far and opacities[i] > MIN_ALPHA):
            continue
        d = _divisor(z, view)
        row_x, row_y = _jacobian(x / d, y / d, d, view)
        xx, xy, yy = _covariance(_symmetric(covars, i), row_x, row_y)
        determinant = xx * yy - xy * xy
        if not (determinant > 0.0 and xx > 0.0 and np.isfinite(determinant)):
            continue
        splat.x, splat.y = view.focal[0] * x / d + view.center[0], view.focal[1] * y / d + view.center[1]
        bound = 2.0 * np.log(opacities[i] / MIN_ALPHA)  # the squared Mahalanobis distance where alpha is MIN_ALPHA
        splat.reach_x, splat.reach_y = np.sqrt(bound * xx), np.sqrt(bound * yy)
        splat.conic_xx, splat.conic_xy, splat.conic_yy = yy / determinant, -xy / determinant, xx / determinant
        splat.red, splat.green, splat.blue = colors[i, 0], colors[i, 1], colors[i, 2]
        splat.depth = z
        beside = abs(2 * splat.x - view.width) > view.width + 2 * splat.reach_x
        beyond = abs(2 * splat.y - view.height) > view.height + 2 * splat.reach_y
        if not (beside or beyond):
            splat.opacity = opacities[i]


@njit(cache=True, nogil=True, error_model="numpy")
def project_backward(begin, end, scene, view, splats, first_slot, moments, grads):
    """Fill grads (a Scene) for [begin, end) from the moments of each Gaussian's tiles, summed in a fixed order.

    The moments of Gaussian i are moments[first_slot[i]:first_slot[i + 1]].
    """
    means, covars, opacities, _ = scene
    mean_grads, covar_grads, opacity_grads, color_grads = grads
    total = np.empty(MOMENTS)
    for i in range(begin, end):
        if first_slot[i + 1] == first_slot[i]:
            continue
        total[:] = 0.0
        for slot in range(first_slot[i], first_slot[i + 1]):
            for k in range(MOMENTS):
                total[k] += moments[slot, k]
        first, second = (total[1], total[2]), (total[3], total[4], total[5])
        mean, covar = _backward_geometry(first, second, _to_camera(means, i, view), _symmetric(covars, i), view)
        opacity_grads[i] = total[0] / opacities[i]
        for k in range(3):
            color_grads[i, k] = total[6 + k]
            mean_grads[i, k] = mean[k]
            for j in range(3):
                covar_grads[i, k, j] = covar[k][j]


@njit(cache=True, nogil=True, error_model="numpy")
def _backward_geometry(first, second, point, covar, view):
    """Take the moments of a Gaussian to the gradients of its mean (3) and covariance (3 rows) in head space.

    `first` are the sums of v dx and v dy, `second` those of v dx^2, v dx dy and v dy^2; `point` is in camera space.
    """
    x, y, z = point
    d = _divisor(z, view)
    u, v = x / d, y / d
    row_x, row_y = _jacobian(u, v, d, view)
    image_x, image_y = _apply(covar, row_x), _apply(covar, row_y)
    conic, grad = _backward_conic(second, *_covariance(covar, row_x, row_y))
    row_x_grad = _combine(2 * grad[0], image_x, 2 * grad[1], image_y)
    row_y_grad = _combine(2 * grad[1], image_x, 2 * grad[2], image_y)
    # dL/du through the 2-D mean, then through the rows of J R, which hold u unless it is clamped or orthographic.
    u_mean = view.focal[0] * (conic[0] * first[0] + conic[1] * first[1])
    v_mean = view.focal[1] * (conic[1] * first[0] + conic[2] * first[1])
    u_row = -view.focal[0] / d * _dot(row_x_grad, view.rotation[2]) if view.low[0] < u < view.high[0] else 0.0
    v_row = -view.focal[1] / d * _dot(row_y_grad, view.rotation[2]) if view.low[1] < v < view.high[1] else 0.0
    u_grad, v_grad = (u_mean + view.perspective * u_row) / d, (v_mean + view.perspective * v_row) / d
    d_grad = -u_grad * u - v_grad * v - (_dot(row_x_grad, row_x) + _dot(row_y_grad, row_y)) / d
    z_grad = view.perspective * d_grad
    in_xy = _combine(u_grad, view.rotation[0], v_grad, view.rotation[1])
    mean_grad = _combine(1.0, in_xy, z_grad, view.rotation[2])
    by_x, by_y = _combine(grad[0], row_x, grad[1], row_y), _combine(grad[1], row_x, grad[2], row_y)
    covar_grad = (
        _combine(row_x[0], by_x, row_y[0], by_y),
        _combine(row_x[1], by_x, row_y[1], by_y),
        _combine(row_x[2], by_x, row_y[2], by_y),
    )
    return mean_grad, covar_grad


@njit(cache=True, nogil=True, error_model="numpy")
def _backward_conic(second, xx, xy, yy):
    """Return the conic Q = S^-1 and the gradient of the 2-D covariance S, both as (xx, xy, yy).

    The exponent is -d^T Q d / 2, so the gradient of Q is -M / 2 with M the second moments, and that of S is Q M Q / 2.
    """
    determinant = xx * yy - xy * xy
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    m_xx, m_xy, m_yy = 0.5 * second[0], 0.5 * second[1], 0.5 * second[2]
    first_x, first_y = a * m_xx + b * m_xy, a * m_xy + b * m_yy
    second_x, second_y = b * m_xx + c * m_xy, b * m_xy + c * m_yy
    return (a, b, c), (first_x * a + first_y * b, first_x * b + first_y * c, second_x * b + second_y * c)


@njit(cache=True, nogil=True, error_model="numpy")
def _to_camera(means, i, view):
    """Return the mean in camera space."""
    mean = (np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2]))
    x, y, z = _dot(view.rotation[0], mean), _dot(view.rotation[1], mean), _dot(view.rotation[2], mean)
    return x + view.translation[0], y + view.translation[1], z + view.translation[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _divisor(z, view):
    """Return what x and y are divided by; see View."""
    return view.perspective * z + (1.0 - view.perspective)


@njit(cache=True, nogil=True, error_model="numpy")
def _jacobian(u, v, d, view):
    """Return the two rows of J R, the derivative of the pixel by the head-space point, for u = x/d and v = y/d."""
    u, v = min(max(u, view.low[0]), view.high[0]), min(max(v, view.low[1]), view.high[1])
    u, v = view.perspective * u, view.perspective * v
    scale_x, scale_y = view.focal[0] / d, view.focal[1] / d
    row_x = _combine(scale_x, view.rotation[0], -u * scale_x, view.rotation[2])
    return row_x, _combine(scale_y, view.rotation[1], -v * scale_y, view.rotation[2])


@njit(cache=True, nogil=True, error_model="numpy")
def _covariance(covar, row_x, row_y):
    """Return xx, xy, yy of the 2-D covariance with its low-pass."""
    image_x, image_y = _apply(covar, row_x), _apply(covar, row_y)
    return _dot(row_x, image_x) + LOW_PASS, _dot(row_y, image_x), _dot(row_y, image_y) + LOW_PASS


@njit(cache=True, nogil=True, error_model="numpy")
def _symmetric(covars, i):
    """Return the upper triangle of covars[i] as six float64."""
    xx, xy, xz = np.float64(covars[i, 0, 0]), np.float64(covars[i, 0, 1]), np.float64(covars[i, 0, 2])
    return xx, xy, xz, np.float64(covars[i, 1, 1]), np.float64(covars[i, 1, 2]), np.float64(covars[i, 2, 2])


@njit(cache=True, nogil=True, error_model="numpy")
def _apply(covar, v):
    """Return the symmetric matrix (upper triangle) times the vector."""
    xx, xy, xz, yy, yz, zz = covar
    return _dot((xx, xy, xz), v), _dot((xy, yy, yz), v), _dot((xz, yz, zz), v)


@njit(cache=True, nogil=True, error_model="numpy")
def _dot(a, b):
    """Return the inner product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _combine(s, a, t, b):
    """Return s a + t b of two vectors."""
    return s * a[0] + t * b[0], s * a[1] + t * b[1], s * a[2] + t * b[2]
