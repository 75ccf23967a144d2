"""From a photograph and a face to the portrait that the fit and the lift work on."""

from __future__ import annotations

import numpy as np

from likeness.portrait.crop import resample_square, valid_square
from likeness.portrait.matte import cut_out
from likeness.portrait.types import DetectedFace, Photograph, Portrait


def make_portrait(photograph: Photograph, face: DetectedFace, size: int = 512) -> Portrait:
    """Cut out the face square, three face widths wide, at `size` pixels, with its matte."""
    left, top, side = face.square
    square = (round(left), round(top), round(side))
    rgb = resample_square(photograph.rgb, square, size).astype(np.float32) / 255
    valid = valid_square(photograph.rgb.shape[:2], square, size)
    landmarks = (face.landmarks - square[:2]) * (size / square[2])
    file_alpha = None
    if photograph.alpha is not None:
        file_alpha = np.clip(resample_square(photograph.alpha, square, size), 0, 1)
    alpha, foreground = cut_out(rgb, valid, landmarks, file_alpha)
    return Portrait(
        photograph=photograph,
        square=square,
        rgb=rgb,
        valid=valid,
        alpha=alpha,
        foreground=foreground,
        landmarks=landmarks,
    )
