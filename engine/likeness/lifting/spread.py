"""Colours of some pixels spread over the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

COARSE = 128
"""Side of the picture on which colours are spread, pixels."""
SIGMAS = (21.0, 8.0, 3.2, 1.6)
"""Reaches of the spreading, widest first, pixels of that picture."""
ENOUGH_WEIGHT = 0.05
"""Share of masked pixels within a reach from which it decides instead of the wider ones."""


def spread(image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "S S 3"]:
    """Spread the masked colours over the whole picture, each place taking the nearest that amount to something."""
    if not mask.any():
        return np.full_like(image, 0.5)

    def coarse(values: Float[np.ndarray, "S S *C"]) -> Float[np.ndarray, "G G *C"]:
        return cv2.resize(values, (COARSE, COARSE), interpolation=cv2.INTER_AREA)

    share = coarse(mask.astype(np.float64))[..., None]
    color = coarse(image * mask[..., None])
    smooth = np.broadcast_to(image[mask].mean(0), color.shape)
    for sigma in SIGMAS:
        weight = ndimage.gaussian_filter(share, (sigma, sigma, 0))
        total = ndimage.gaussian_filter(color, (sigma, sigma, 0))
        nearer = np.clip(weight / ENOUGH_WEIGHT, 0, 1)
        smooth = nearer * total / np.maximum(weight, 1e-9) + (1 - nearer) * smooth
    return cv2.resize(smooth, mask.shape, interpolation=cv2.INTER_LINEAR)
