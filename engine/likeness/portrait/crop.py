"""Square pieces of a photograph at a chosen size."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Shaped
from PIL import Image

Square = tuple[int, int, int]
"""Left, top, side in the photograph's pixels; it may reach beyond the picture."""


def resample_square(
    pixels: Shaped[np.ndarray, "H W *C"],
    square: Square,
    size: int,
    *,
    filter: Image.Resampling = Image.Resampling.LANCZOS,
) -> Shaped[np.ndarray, "size size *C"]:
    """Cut a square out and resize it, antialiased; beyond the border the border's pixels are repeated."""
    left, top, side = square
    height, width = pixels.shape[:2]
    rows = np.clip([top, top + side], 0, height).clip([0, 1], [height - 1, height])
    columns = np.clip([left, left + side], 0, width).clip([0, 1], [width - 1, width])
    piece = pixels[slice(*rows), slice(*columns)]
    margins = [(int(rows[0]) - top, top + side - int(rows[1])), (int(columns[0]) - left, left + side - int(columns[1]))]
    if any(margin > 0 for pair in margins for margin in pair):
        piece = _repeat_border(piece, side, margins)
    return np.asarray(Image.fromarray(piece).resize((size, size), filter, reducing_gap=2.0))


def valid_square(shape: tuple[int, int], square: Square, size: int) -> Bool[np.ndarray, "size size"]:
    """Mark the square's pixels whose centres lie in a picture of this height and width."""
    left, top, side = square
    centers = (np.arange(size) + 0.5) * side / size
    inside_x = (centers + left >= 0) & (centers + left <= shape[1])
    inside_y = (centers + top >= 0) & (centers + top <= shape[0])
    return inside_y[:, None] & inside_x[None, :]


def _repeat_border(piece: np.ndarray, side: int, margins: list[tuple[int, int]]) -> np.ndarray:
    """Extend a piece to the square; margins may be negative where the square misses the picture altogether."""
    rows = np.clip(np.arange(side) - margins[0][0], 0, piece.shape[0] - 1)
    columns = np.clip(np.arange(side) - margins[1][0], 0, piece.shape[1] - 1)
    return piece[rows[:, None], columns[None, :]]
