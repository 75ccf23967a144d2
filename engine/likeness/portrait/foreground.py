"""The person's own colours, without the background (Forte, "Approximate Fast Foreground Colour Estimation", 2021)."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

RADII = (90, 6)
"""Of the two blurs, pixels at 512: the first fills far, the second keeps detail."""


def estimate_foreground(
    rgb: Float[np.ndarray, "S S 3"], alpha: Float[np.ndarray, "S S"]
) -> Float[np.ndarray, "S S 3"]:
    """Solve I = alpha F + (1 - alpha) B for F by blur fusion; outside the matte F repeats the nearest colours."""
    alpha = alpha[..., None]
    foreground = background = rgb
    for radius in RADII:
        side = 2 * max(round(radius * rgb.shape[0] / 512), 1) + 1
        weight = cv2.blur(alpha, (side, side))[..., None]
        mean_foreground = cv2.blur(foreground * alpha, (side, side)) / (weight + 1e-5)
        background = cv2.blur(background * (1 - alpha), (side, side)) / (1 - weight + 1e-5)
        residual = rgb - alpha * mean_foreground - (1 - alpha) * background
        foreground = np.clip(mean_foreground + alpha * residual, 0, 1)
    return foreground
