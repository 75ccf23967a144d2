"""The person's own colours, without the background (Forte, "Approximate Fast Foreground Colour Estimation", 2021)."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

RADII = (90, 6)
"""Of the two blurs, pixels at 512: the first fills far, the second keeps detail."""
VARIANCE_RADIUS = 30
FALLBACK_WEIGHT = 1e-4

FRINGE, DEEP = 6, 8
"""Distances from the outline, pixels at 512: up to the first the background shines through; from the second on it does
not."""
NEARBY = 9
"""Radius within which the person further inside and the background outside are looked up, pixels at 512."""
SOFT = 0.05
"""What a pixel lacks to alpha 1 when its alpha is fully in doubt."""
APART = (0.12, 0.3)
"""Colour distance of person and background from which on a mixture of the two can be told, and is told surely."""
MIXED = 0.1
"""How far from the line between the two a mixture's colour lies."""
FAINT = 0.1
"""Alpha under which a pixel says nothing about the person's colour."""


def estimate_foreground(rgb: Float[np.ndarray, "S S 3"], alpha: Float[np.ndarray, "S S"]) -> Float[np.ndarray, "S S 3"]:
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


def without_fringe(
    rgb: Float[np.ndarray, "S S 3"],
    valid: Bool[np.ndarray, "S S"],
    alpha: Float[np.ndarray, "S S"],
    foreground: Float[np.ndarray, "S S 3"],
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, "S S 3"]]:
    """Take a soft pixel between the person's colour further inside and the background's for a mixture of the two.

    Of the many pairs of alpha and colour that explain such a pixel the matte tends to one with too much of both: hair
    gets a rim in the background's colour. The composite over the old background stays what it was.
    """
    scale = len(alpha) / 512
    depth = ndimage.distance_transform_edt(alpha > 0.5)
    inner, person_near = _mean_nearby(rgb, depth > DEEP * scale)
    outer, background_near = _mean_nearby(rgb, valid & (alpha < 0.02))
    axis = inner - outer
    length = np.linalg.norm(axis, axis=-1)
    share = np.clip(((rgb - outer) * axis).sum(-1) / np.maximum(length**2, 1e-6), 0, 1)
    aside = np.linalg.norm(rgb - outer - share[..., None] * axis, axis=-1)
    told = np.clip((length - APART[0]) / (APART[1] - APART[0]), 0, 1) * np.exp(-((aside / MIXED) ** 2))
    doubt = np.clip((1 - alpha) / SOFT, 0, 1) * (depth < FRINGE * scale) * person_near * background_near
    weight = told * doubt
    clear = alpha + weight * (np.minimum(alpha, share) - alpha)
    own = (rgb - (1 - clear[..., None]) * outer) / np.maximum(clear, FAINT)[..., None]
    own = np.where(clear[..., None] > FAINT, np.clip(own, 0, 1), inner)
    return clear, foreground + weight[..., None] * (own - foreground)


def _mean_nearby(
    rgb: Float[np.ndarray, "S S 3"], member: Bool[np.ndarray, "S S"]
) -> tuple[Float[np.ndarray, "S S 3"], Bool[np.ndarray, "S S"]]:
    """Mean colour of the members nearby, and where there are any."""
    share = _blur(member[..., None].astype(np.float64), NEARBY)
    return _blur(rgb * member[..., None], NEARBY) / np.maximum(share, 1e-6), share[..., 0] > 0.01


def _variance(difference: Float[np.ndarray, "S S 3"], member: Bool[np.ndarray, "S S 1"]) -> Float[np.ndarray, "S S 1"]:
    """Mean square of the members nearby."""
    square = (difference**2).sum(-1, keepdims=True) * member
    return (_blur(square, VARIANCE_RADIUS) + 1e-5) / (_blur(member.astype(np.float64), VARIANCE_RADIUS) + 1e-3)


def _blur(image: Float[np.ndarray, "S S C"], radius: int) -> Float[np.ndarray, "S S C"]:
    side = 2 * max(round(radius * image.shape[0] / 512), 1) + 1
    return cv2.blur(image, (side, side)).reshape(image.shape)
