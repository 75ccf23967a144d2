"""The person's own colours, without the background (Forte, "Approximate Fast Foreground Colour Estimation", 2021)."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

RADII = (90, 6)
"""Of the two blurs, pixels at 512: the first fills far, the second keeps detail."""
VARIANCE_RADIUS = 30
FALLBACK_WEIGHT = 1e-4


def estimate_foreground(
    rgb: Float[np.ndarray, "S S 3"], alpha: Float[np.ndarray, "S S"]
) -> Float[np.ndarray, "S S 3"]:
    """Solve I = alpha F + (1 - alpha) B for F by blur fusion; outside the matte F repeats colours nearby.

    What the blurred colours leave unexplained is shared between F and B by their variances, as in Bayesian matting
    (Chuang 2001, with alpha given), where Forte gives F the fraction alpha of it.
    """
    alpha = alpha[..., None]
    foreground = background = rgb
    mean = (rgb * alpha).sum((0, 1)) / (alpha.sum() + 1e-6)
    for radius in RADII:
        weight = _blur(alpha, radius)
        mean = (_blur(foreground * alpha, radius) + FALLBACK_WEIGHT * mean) / (weight + FALLBACK_WEIGHT)
        background = _blur(background * (1 - alpha), radius) / (1 - weight + 1e-5)
        ratio = _variance(rgb - background, alpha < 0.02) / _variance(rgb - mean, alpha > 0.98)
        gain = alpha / (alpha**2 + np.clip(ratio, 0.1, 3.0) * (1 - alpha) ** 2)
        residual = rgb - alpha * mean - (1 - alpha) * background
        foreground = np.clip(mean + gain * residual, 0, 1)
    return foreground


def _variance(difference: Float[np.ndarray, "S S 3"], member: Bool[np.ndarray, "S S 1"]) -> Float[np.ndarray, "S S 1"]:
    """Mean square of the members nearby."""
    square = (difference**2).sum(-1, keepdims=True) * member
    return (_blur(square, VARIANCE_RADIUS) + 1e-5) / (_blur(member.astype(np.float64), VARIANCE_RADIUS) + 1e-3)


def _blur(image: Float[np.ndarray, "S S C"], radius: int) -> Float[np.ndarray, "S S C"]:
    side = 2 * max(round(radius * image.shape[0] / 512), 1) + 1
    return cv2.blur(image, (side, side)).reshape(image.shape)
