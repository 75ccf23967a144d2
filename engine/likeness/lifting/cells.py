"""Squares of pixels that one Gaussian each can stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.portrait.types import Portrait

FLAT = {2: 0.02, 4: 0.012}
"""Largest standard deviation of colour (0..1) inside a square of that side that is still lifted as one."""
MOST_TOLERANT = 8.0
MAX_OPACITY, MIN_OPACITY = 0.97, 0.02


@dataclass(frozen=True)
class Cells:
    """Square cells of pixels."""

    row: Int[np.ndarray, "N"]
    """A pixel of the cell, to look things up."""
    column: Int[np.ndarray, "N"]
    center: Float[np.ndarray, "N 2"]
    """x, y in pixels."""
    size: Float[np.ndarray, "N"]
    """Side in pixels."""
    color: Float[np.ndarray, "N 3"]
    """Mean foreground colour."""
    opacity: Float[np.ndarray, "N"]


def adaptive_cells(portrait: Portrait, mask: Bool[np.ndarray, "S S"], coarsest: int, budget: int = 10**9) -> Cells:
    """Tile the masked pixels with squares of side `coarsest`, ..., 2, 1, coarse ones where the picture is flat.

    Where that takes more than `budget` squares, more of the picture is taken for flat.
    """
    image = np.concatenate([portrait.foreground * portrait.alpha[..., None], portrait.alpha[..., None]], -1)
    tolerance = 1.0
    corners = _tile(image, mask, coarsest, tolerance)
    while len(corners) > budget and tolerance < MOST_TOLERANT:
        tolerance *= 1.4
        corners = _tile(image, mask, coarsest, tolerance)
    return _cells(portrait, *corners.T)


def _tile(
    image: Float[np.ndarray, "S S 4"], mask: Bool[np.ndarray, "S S"], coarsest: int, tolerance: float
) -> Int[np.ndarray, "N 3"]:
    """Return row, column and side of every square."""
    left = mask.copy()
    parts = []
    side = coarsest
    while side > 1:
        flat = _flat_blocks(image, left, side, tolerance)
        parts.append(np.c_[np.argwhere(flat) * side, np.full(flat.sum(), side)])
        left &= ~np.repeat(np.repeat(flat, side, 0), side, 1)
        side //= 2
    parts.append(np.c_[np.argwhere(left), np.ones(left.sum(), np.int64)])
    return np.concatenate(parts)


def _flat_blocks(
    image: Float[np.ndarray, "S S 4"], mask: Bool[np.ndarray, "S S"], side: int, tolerance: float
) -> Bool[np.ndarray, "B B"]:
    """Mark the blocks that lie in the mask whole and hardly vary."""
    blocks = len(mask) // side
    shape = (blocks, side, blocks, side)
    whole = mask.reshape(shape).all((1, 3))
    return whole & (image.reshape(*shape, 4).std((1, 3)).max(-1) < tolerance * FLAT[side])


def _cells(
    portrait: Portrait, top: Int[np.ndarray, "N"], left: Int[np.ndarray, "N"], size: Int[np.ndarray, "N"]
) -> Cells:
    color = np.zeros((len(top), 3))
    opacity = np.zeros(len(top))
    for side in np.unique(size):
        own = size == side
        offset = np.arange(side)
        rows = top[own][:, None, None] + offset[:, None]
        columns = left[own][:, None, None] + offset[None, :]
        color[own] = portrait.foreground[rows, columns].mean((1, 2))
        opacity[own] = portrait.alpha[rows, columns].mean((1, 2))
    center = np.stack([left + size / 2, top + size / 2], 1)
    return Cells(
        row=top + size // 2,
        column=left + size // 2,
        center=center,
        size=size.astype(np.float64),
        color=color,
        opacity=np.clip(opacity, MIN_OPACITY, MAX_OPACITY),
    )
