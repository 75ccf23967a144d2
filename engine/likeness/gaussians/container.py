"""Gaussians as rotations and scales, the form in which files hold them, and the way from and to covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.geometry.rotations import quat_to_rotmat, rotmat_to_quat


@dataclass(frozen=True)
class Gaussians:
    """Plain RGB Gaussians in head space, activated: float32, metres, sRGB and opacities in 0..1, quaternions wxyz."""

    means: Float[np.ndarray, "N 3"]
    quats: Float[np.ndarray, "N 4"]
    scales: Float[np.ndarray, "N 3"]
    """Standard deviations along the rotated axes."""
    opacities: Float[np.ndarray, "N"]
    colors: Float[np.ndarray, "N 3"]


def quat_scale_to_covar(
    quats: Float[np.ndarray, "*n 4"], scales: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3 3"]:
    """Return R diag(s)^2 R^T, float64; quaternions wxyz of any length but zero (Kerbl et al. 2023, equation 6)."""
    basis = quat_to_rotmat(quats) * np.asarray(scales, np.float64)[..., None, :]
    return basis @ np.swapaxes(basis, -1, -2)


def covar_to_quat_scale(
    covars: Float[np.ndarray, "*n 3 3"],
) -> tuple[Float[np.ndarray, "*n 4"], Float[np.ndarray, "*n 3"]]:
    """Return unit wxyz quaternions (w >= 0) and scales, smallest first, float64; the inverse of `quat_scale_to_covar`.

    Negative eigenvalues, which only rounding makes, become zero. The same input gives the same output: each axis points
    to where its largest component is positive, but for the last, which makes the rotation right-handed.
    """
    variances, axes = np.linalg.eigh(np.asarray(covars, np.float64))
    largest = np.take_along_axis(axes, np.abs(axes).argmax(-2, keepdims=True), -2)
    axes = np.where(largest < 0, -axes, axes)
    axes[..., 2] *= np.sign(np.linalg.det(axes))[..., None]
    return rotmat_to_quat(axes), np.sqrt(np.maximum(variances, 0))


def from_covars(
    means: Float[np.ndarray, "N 3"],
    covars: Float[np.ndarray, "N 3 3"],
    opacities: Float[np.ndarray, "N"],
    colors: Float[np.ndarray, "N 3"],
) -> Gaussians:
    """Return the Gaussians with their covariances taken apart."""
    quats, scales = covar_to_quat_scale(covars)
    return Gaussians(*(np.asarray(array, np.float32) for array in (means, quats, scales, opacities, colors)))
