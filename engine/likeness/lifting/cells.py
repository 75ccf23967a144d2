"""Squares of pixels that one Gaussian each can stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.portrait.types import Portrait

FLAT = {2: 0.02, 4: 0.012}
"""Largest standard deviation of colour (0..1) inside a square of that side that is still lifted as one."""
MOST_TOLERANT, RAISED = 8.0, 1.4
"""Factor on those deviations up to which a budget may raise them, and its steps."""
MAX_OPACITY, MIN_OPACITY = 0.97, 0.02
"""Opacities (0..1) between which a lifted square begins: at the ends refinement would find no way back."""


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
    sides = [side for side in FLAT if side <= coarsest]
    deviation = {side: _deviations(image, side) for side in sorted(sides, reverse=True)}
    tolerance = 1.0
    corners = _tile(deviation, mask, tolerance)
    while len(corners) > budget and tolerance < MOST_TOLERANT:
        tolerance *= RAISED
        corners = _tile(deviation, mask, tolerance)
    return _cells(portrait, *corners.T)


def _deviations(image: Float[np.ndarray, "S S 4"], side: int) -> Float[np.ndarray, "B B"]:
    """Return the largest standard deviation of a channel in every block of `side` pixels, in its allowance."""
    blocks = len(image) // side
    return image.reshape(blocks, side, blocks, side, 4).std((1, 3)).max(-1) / FLAT[side]


def _tile(
    deviation: dict[int, Float[np.ndarray, "_ _"]], mask: Bool[np.ndarray, "S S"], tolerance: float
) -> Int[np.ndarray, "N 3"]:
    """Return row, column and side of every square, the coarsest first."""
    left = mask.copy()
    parts = []
    for side, varies in deviation.items():
        blocks = len(mask) // side
        whole = left.reshape(blocks, side, blocks, side).all((1, 3))
        flat = whole & (varies < tolerance)
        parts.append(np.c_[np.argwhere(flat) * side, np.full(flat.sum(), side)])
        left &= ~np.repeat(np.repeat(flat, side, 0), side, 1)
    parts.append(np.c_[np.argwhere(left), np.ones(left.sum(), np.int64)])
    return np.concatenate(parts)


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
