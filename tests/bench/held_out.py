"""Held-out views: how much an avatar made of one picture looks like other pictures of the same person.

Of every other picture camera, pose, expression and the body's direction are fitted (likeness.avatar.match); the
identity stays the avatar's. Both pictures lie over black (the real one by its matte), cut to the square three times the
real face's width around it, resized to 512 x 512: crop, PSNR and SSIM are self-reenactment's (reenactment.py). `face`
is the PSNR inside the convex hull of the real face's landmarks alone: the black surround flatters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import reenactment
from jaxtyping import UInt8
from measures import interocular

from likeness.avatar.animate import DrivenAvatar
from likeness.avatar.match import Picture, draw_matched, match
from likeness.avatar.match_picture import face_hull
from likeness.portrait.crop import valid_square


@dataclass(frozen=True)
class HeldOut:
    """One view: its figures and both pictures."""

    psnr: float
    """dB, the whole square."""
    ssim: float
    landmarks: float
    """Mean distance in interocular distances; NaN where either picture shows no face."""
    face: float
    """dB, inside the face's outline."""
    real: UInt8[np.ndarray, "512 512 3"]
    rendered: UInt8[np.ndarray, "512 512 3"]


def judge(driven: DrivenAvatar, picture: UInt8[np.ndarray, "H W 3"]) -> HeldOut | None:
    """Fit the avatar to another picture of its person and compare; None where the picture shows no face."""
    real = reenactment.real_frame(picture)
    if real is None or real.landmarks is None:
        return None
    rendered = _draw_like(driven, picture, real)
    score = reenactment.score(real, rendered)
    return HeldOut(
        psnr=score.psnr,
        ssim=score.ssim,
        landmarks=score.landmarks / interocular(real.landmarks),
        face=_psnr_inside(real, rendered),
        real=real.picture,
        rendered=rendered,
    )


def _draw_like(
    driven: DrivenAvatar, picture: UInt8[np.ndarray, "H W 3"], real: reenactment.RealFrame
) -> UInt8[np.ndarray, "512 512 3"]:
    """Draw the avatar in the picture's pose and expression, cut as the real picture is."""
    left, top, side = real.square
    size, shape = reenactment.SIZE, picture.shape[:2]
    center = (np.array([shape[1], shape[0]]) / 2 - (left, top)) * (size / side)
    valid = valid_square(shape, real.square, size)
    matched = match(driven, Picture(real.picture, valid, real.landmarks, center))
    return draw_matched(driven, matched) * valid[..., None]


def _psnr_inside(real: reenactment.RealFrame, rendered: UInt8[np.ndarray, "512 512 3"]) -> float:
    inside = face_hull(real.landmarks, reenactment.SIZE)
    error = np.mean((real.picture[inside].astype(np.float64) - rendered[inside]) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-3)))
