"""The matte: how much of each pixel is the person, and the person's own colours there."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

from likeness.portrait.closed_form import solve_alpha
from likeness.portrait.detectors import segment_selfie
from likeness.portrait.foreground import estimate_foreground


def cut_out(
    rgb: Float[np.ndarray, "S S 3"],
    valid: Bool[np.ndarray, "S S"],
    landmarks: Float[np.ndarray, "478 2"],
    file_alpha: Float[np.ndarray, "S S"] | None = None,
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, "S S 3"]]:
    """Separate the person from the background: alpha, 0 outside `valid`, and foreground colours."""
    mask = segment_selfie(np.round(rgb * 255).astype(np.uint8))
    inside = cv2.erode((mask > 0.92).astype(np.uint8), np.ones((15, 15))) > 0
    outside = cv2.dilate((mask > 0.08).astype(np.uint8), np.ones((19, 19))) == 0
    weight = np.where(inside | outside, np.inf, 0.0)
    alpha = solve_alpha(rgb.astype(np.float64), np.where(inside, 1.0, 0.0), weight)
    if file_alpha is not None:
        alpha = alpha * file_alpha
    alpha = np.where(valid, alpha, 0.0).astype(np.float32)
    return alpha, estimate_foreground(rgb, alpha)
