"""What a face looks like in a few colours, to tell two people of one clip apart; and how much the picture changed.

Measured on six clips of one person each and their portraits: 1.0 divides 99 % of the pairs of frames that show one
person (below) from 99 % of those that show two (above). The pairs of two people came from different recordings; in one
room, in one light, colours tell less.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

UNLIKE = 1.0
MEAN_WEIGHT, BLOCK_WEIGHT = 0.2, 0.02
BLOCKS = 8
SAMPLED = 32
OUTER_EYE_CORNERS, MOUTH_CORNERS = (33, 263), (61, 291)
PLACED = np.array([[9.5, 15.0], [22.5, 15.0], [16.0, 25.0]], np.float32)
"""Where both eye corners and the mouth lie in the sampled square."""
FACE = slice(1, -1)
THUMBNAIL = 32

Colours = UInt8[np.ndarray, "8 8 3"]
"""A face and the hair about it in Lab, upright, in 8 x 8 blocks."""


def face_colours(rgb: UInt8[np.ndarray, "H W 3"], landmarks: Float[np.ndarray, "478 2"]) -> Colours:
    """Sample the colours of a face."""
    mouth = landmarks[list(MOUTH_CORNERS)].mean(0)
    corners = np.array([*landmarks[list(OUTER_EYE_CORNERS)], mouth], np.float32)
    side = 4 * SAMPLED
    matrix = cv2.estimateAffinePartial2D(corners, PLACED * 4)[0]
    if matrix is None:
        return np.zeros((BLOCKS, BLOCKS, 3), np.uint8)
    patch = cv2.warpAffine(rgb, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(patch, cv2.COLOR_RGB2LAB)
    return cv2.resize(lab, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)


def difference(bank: UInt8[np.ndarray, "N 8 8 3"], colours: Colours) -> float:
    """Return how unlike a face is to the most similar of those in a bank; above `UNLIKE` it is another person's."""
    apart = bank.astype(np.float32) - colours
    mean = np.linalg.norm(apart[:, FACE, FACE, 1:].mean((1, 2)), axis=1)
    blocks = np.sqrt((apart**2).mean((1, 2, 3)))
    return float((MEAN_WEIGHT * mean + BLOCK_WEIGHT * blocks).min(initial=np.inf))


def thumbnail(rgb: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "32 32"]:
    """Reduce a frame to a few grey values with mean 0 and deviation 1: a change of the light leaves them."""
    small = cv2.resize(rgb, (4 * THUMBNAIL, 4 * THUMBNAIL), interpolation=cv2.INTER_LINEAR)
    small = cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    grey = small.mean(2, dtype=np.float32)
    return ((grey - grey.mean()) / (grey.std() + 1.0)).astype(np.float64)


def change(before: Float[np.ndarray, "32 32"], after: Float[np.ndarray, "32 32"]) -> float:
    """Return how much the picture changed, 0..2: one less the correlation of two thumbnails."""
    return float(np.clip(((before - after) ** 2).mean() / 2, 0.0, 2.0))


def sharpness(rgb: UInt8[np.ndarray, "H W 3"], center: Float[np.ndarray, "2"], size: float) -> float:
    """Return how much fine detail a face shows: the deviation of the Laplacian in its middle, at one size for all."""
    half = max(0.35 * size, 2.0)
    height, width = rgb.shape[:2]
    x0, y0 = np.clip(np.round(center - half).astype(int), 0, [width - 2, height - 2])
    x1, y1 = np.clip(np.round(center + half).astype(int), [x0 + 2, y0 + 2], [width, height])
    piece = rgb[y0:y1, x0:x1]
    way = cv2.INTER_AREA if piece.shape[0] > 96 else cv2.INTER_LINEAR
    grey = cv2.cvtColor(cv2.resize(piece, (96, 96), interpolation=way), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std())
