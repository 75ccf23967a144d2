"""What the colours say about each pixel: how like the nearby background, how much of the nearby person."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy import ndimage

# Lengths are fractions of the face's width.
REACH = 0.07
"""Beyond this distance outside the mask a pixel counts as background when its colours are measured."""
NEAR = 0.36
"""Farther from the mask's border than this, on either side, the colours are not asked."""
DEPTH = 0.03
"""Beyond this distance inside the mask a pixel counts as the person."""
LOCAL = 0.18
"""Radius over which colours are averaged."""

CLEAN_DEVIATION = 0.03
"""Standard deviation of a background that is called clean; sRGB 0..1."""
MIN_DEVIATION = 0.014
ROBUST_STEPS = ((3, 0.3), (3, 0.12), (2, 0.08), (1, 0.06), (1, 0.06))
"""Radius, in LOCAL, and the colour distance beyond which a pixel hardly counts."""
MIN_CLEAN_SHARE = 0.5
MIN_KNOWN_SHARE = 0.02
"""Below this nothing is known about the background, as when a face fills the picture."""
PALETTE_SIZE = 8
MIN_PRESENCE = 0.04
"""A palette colour explains a pixel only where this part of the person nearby has it."""


@dataclass(frozen=True)
class ColourClues:
    """Evidence for the matte, each array (S, S)."""

    outside: np.ndarray
    """Distance outside the mask's border, pixels; 0 inside."""
    inside: np.ndarray
    """Distance inside the mask's border, pixels; 0 outside."""
    cleanness: np.ndarray
    """1 where the nearby background is smooth, 0 where it is busy."""
    deviation: np.ndarray
    """How far the colour is from the nearby background, in that background's standard deviations."""
    projected: np.ndarray
    """Alpha by the position between the nearby background and the person's best fitting colour."""
    unexplained: np.ndarray
    """How far the colour is from any such mixture."""
    separation: np.ndarray
    """1 where all of the person's nearby colours are far from the background's; 0 where colour cannot tell."""
    distinctness: np.ndarray
    """1 where they are far from it even compared with all that the background's own colours vary."""


def measure_clues(
    rgb: Float[np.ndarray, "S S 3"], valid: Bool[np.ndarray, "S S"], mask: Float[np.ndarray, "S S"], unit: float
) -> ColourClues:
    """Compare every pixel with the background and the person around it; `unit` is the face's width in pixels."""
    person = mask > 0.5
    outside = ndimage.distance_transform_edt(~person)
    inside = np.where(person, ndimage.distance_transform_edt(person | ~valid), 0.0)
    is_background = (valid & (outside > REACH * unit) & (mask < 0.3)).astype(np.float32)
    is_person = (valid & (mask > 0.95) & (inside > DEPTH * unit)).astype(np.float32)
    background, deviation, share, variation = _local_background(rgb, is_background, LOCAL * unit)
    palette, presence = _local_palette(rgb, is_person, LOCAL * unit)
    near = valid & (outside < NEAR * unit) & (inside < NEAR * unit)
    projected, unexplained, nearest = np.zeros((3, *mask.shape), np.float32)
    projected[near], unexplained[near], nearest[near] = _project(rgb[near], background[near], palette, presence[near])
    separation = np.clip(nearest / 0.2 - 0.5, 0, 1)
    difference = np.linalg.norm(cv2.GaussianBlur(rgb - background, (0, 0), 0.7), axis=-1)
    # Film grain must not fray an edge that only the mask can see.
    wide = np.sqrt(cv2.GaussianBlur(difference**2, (0, 0), 3.0))
    difference = np.where(near & (separation < 0.2), wide, difference)
    return ColourClues(
        outside=outside,
        inside=inside,
        cleanness=np.exp(-((deviation / CLEAN_DEVIATION) ** 2)) * np.clip((share - MIN_CLEAN_SHARE) * 5, 0, 1),
        deviation=difference / np.maximum(deviation, MIN_DEVIATION),
        projected=projected,
        unexplained=unexplained,
        separation=separation,
        distinctness=np.clip(nearest / np.maximum(variation, MIN_DEVIATION) - 1.8, 0, 1) * (share > MIN_KNOWN_SHARE),
    )


def _local_background(
    rgb: Float[np.ndarray, "S S 3"], member: Float[np.ndarray, "S S"], radius: float
) -> tuple[Float[np.ndarray, "S S 3"], Float[np.ndarray, "S S"], Float[np.ndarray, "S S"], Float[np.ndarray, "S S"]]:
    """Mean colour of the members nearby, root mean square distance of those near it, their share, and that of all.

    Outliers are weighed down ever more strictly, so that strands over a plain wall do not count as the wall.
    """
    weights = member
    for reach, scale in ROBUST_STEPS:
        total = _smooth(weights, reach * radius) + 1e-9
        mean = _smooth(rgb * weights[..., None], reach * radius) / total[..., None]
        square = ((rgb - mean) ** 2).sum(-1)
        weights = member / (1 + square / scale**2) ** 2
    members = _smooth(member, 2 * radius) + 1e-9
    deviation = np.sqrt(_smooth(square * weights, radius) / (_smooth(weights, radius) + 1e-9))
    variation = np.sqrt(_smooth(np.minimum(square, 0.09) * member, 2 * radius) / members)
    return mean, deviation, _smooth(weights, 2 * radius) / members, variation


def _local_palette(
    rgb: Float[np.ndarray, "S S 3"], member: Float[np.ndarray, "S S"], radius: float
) -> tuple[Float[np.ndarray, "K 3"], Float[np.ndarray, "S S K"]]:
    """Reduce the person to a few colours; each one's share of the members nearby."""
    pixels = np.round(rgb[member > 0] * 255).astype(np.uint8)[None]
    picture = Image.fromarray(pixels)
    few = Image.fromarray(pixels[:, ::16]).quantize(PALETTE_SIZE, Image.Quantize.MEDIANCUT, kmeans=2)
    labels = np.asarray(picture.quantize(palette=few, dither=Image.Dither.NONE))[0]
    shares = np.zeros((*member.shape, PALETTE_SIZE), np.float32)
    shares[member > 0, labels] = 1.0
    own = rgb[member > 0]
    palette = np.array([own[labels == k].mean(0) if (labels == k).any() else (0, 0, 0) for k in range(PALETTE_SIZE)])
    shares = _smooth(shares, radius)
    return palette.astype(np.float32), shares / (shares.sum(-1, keepdims=True) + 1e-9)


def _project(
    rgb: Float[np.ndarray, "N 3"],
    background: Float[np.ndarray, "N 3"],
    palette: Float[np.ndarray, "K 3"],
    presence: Float[np.ndarray, "N K"],
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """Mix the background with the palette colour that explains each pixel best.

    Returns alpha, the colour distance left over, and the distance of the background to the nearest palette colour.
    """
    difference = rgb - background
    axes = palette[:, None] - background
    lengths = (axes**2).sum(-1)
    along = np.clip((difference * axes).sum(-1) / np.maximum(lengths, 1e-3), 0, 1)
    residuals = ((difference - along[..., None] * axes) ** 2).sum(-1)
    present = presence.T > MIN_PRESENCE
    residuals = np.where(present, residuals, np.inf)
    best = residuals.argmin(0)
    nearest = np.sqrt(np.where(present, lengths, np.inf).min(0))
    return np.take_along_axis(along, best[None], 0)[0], np.sqrt(residuals.min(0)), nearest


def _smooth(image: Float[np.ndarray, "S S *C"], radius: float) -> Float[np.ndarray, "S S *C"]:
    """Blur with wide tails, so that every pixel finds something, at a quarter of the size."""
    size = image.shape[0]
    small = cv2.resize(image, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
    small = sum(k * cv2.GaussianBlur(small, (0, 0), radius * s / 8) for k, s in ((1.0, 1), (1e-2, 3), (1e-5, 9)))
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
