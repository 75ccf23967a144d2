"""Self-reenactment: how much a clip's frames look like the head that its first frame became and the clip drives.

The field's protocol: real and rendered frame over black (the real one by its matte), cut to the square three times the
real face's width around it, resized to 512 x 512, every pixel counted. PSNR and SSIM from 8-bit sRGB; SSIM as Wang et
al. 2004 (Gaussian window of 1.5 pixels, K1 .01, K2 .03), mean of the three channels; landmarks are MediaPipe's 478,
detected on both pictures alike, their mean distance in pixels of the 512.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from skimage.metrics import structural_similarity

from likeness.portrait.crop import Square, resample_square, valid_square
from likeness.portrait.faces import find_faces
from likeness.portrait.matte import cut_out
from likeness.portrait.types import Photograph

SIZE = 512


@dataclass(frozen=True)
class RealFrame:
    """A clip's frame as it is judged."""

    square: Square
    """In the frame's pixels; what lies beyond the frame is black in both pictures."""
    picture: UInt8[np.ndarray, "512 512 3"]
    landmarks: Float[np.ndarray, "478 2"] | None
    """Detected on `picture`; None where no face was found on it."""


@dataclass(frozen=True)
class Score:
    """One frame's figures."""

    psnr: float
    """dB."""
    ssim: float
    landmarks: float
    """Pixels of 512; NaN where either picture shows no face."""


def real_frame(rgb: UInt8[np.ndarray, "H W 3"]) -> RealFrame | None:
    """Cut a frame's largest face out, over black; None where there is no face."""
    faces = find_faces(Photograph(rgb, None, ""))
    if not faces:
        return None
    left, top, side = (round(value) for value in faces[0].square)
    square = (left, top, side)
    piece = resample_square(rgb, square, SIZE).astype(np.float32) / 255
    landmarks = (faces[0].landmarks - square[:2]) * (SIZE / side)
    alpha, foreground = cut_out(piece, valid_square(rgb.shape[:2], square, SIZE), landmarks)
    picture = np.round(255 * np.clip(foreground * alpha[..., None], 0, 1)).astype(np.uint8)
    return RealFrame(square, picture, detect_landmarks(picture))


def cut_square(rgb: UInt8[np.ndarray, "H W 3"], square: Square) -> UInt8[np.ndarray, "512 512 3"]:
    """Cut the square out of a frame that was rendered over black; beyond the frame it is black."""
    return resample_square(rgb, square, SIZE) * valid_square(rgb.shape[:2], square, SIZE)[..., None]


def score(real: RealFrame, rendered: UInt8[np.ndarray, "512 512 3"]) -> Score:
    """Compare a frame with its rendering over black, cut to the same square."""
    error = np.mean((real.picture.astype(np.float64) - rendered) ** 2)
    ssim = structural_similarity(
        real.picture, rendered, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = detect_landmarks(rendered) if real.landmarks is not None else None
    apart = np.nan if found is None else float(np.linalg.norm(found - real.landmarks, axis=1).mean())
    return Score(float(10 * np.log10(255**2 / max(error, 1e-3))), float(ssim), apart)


def detect_landmarks(picture: UInt8[np.ndarray, "512 512 3"]) -> Float[np.ndarray, "478 2"] | None:
    """Return the landmarks of the face nearest to the middle; None where there is none."""
    faces = find_faces(Photograph(picture, None, ""))
    middle = np.array([SIZE, SIZE]) / 2
    face = min(faces, key=lambda face: float(np.linalg.norm(face.landmarks.mean(0) - middle)), default=None)
    return None if face is None else face.landmarks
