"""Where to look for a face that was just seen: squares on a coarse grid, so that small differences do not matter.

The landmarks depend a little on the crop they are found in (0.1 to 0.5 % of the distance between the eyes). If the crop
followed the face exactly, those differences would be handed on from frame to frame, and a clip that begins one frame
later would give other curves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from likeness.portrait.crop import Square
from likeness.portrait.detectors import detect_two_meshes

SIDE = 2.2
"""Of the face's size."""
STEPS_PER_OCTAVE = 2
GRID = 0.25
"""Of the face's size."""
SHIFTS = ((0.03, 0.02, 0.93), (-0.03, -0.02, 1.08))
"""Right and down in face sizes, and a factor on the side. Two crops jitter a sixth less than one, four a fifth."""
MESH_PICTURE = 256
"""The mesh itself sees 192 pixels for three quarters of the crop."""
MOST_TRIES = 5


@dataclass(frozen=True, order=True)
class Cell:
    """A square region about a face on a grid of places and sizes."""

    level: int
    column: int
    row: int

    @property
    def size(self) -> float:
        """The face's size that it is for, pixels."""
        return 2.0 ** (self.level / STEPS_PER_OCTAVE)

    @property
    def center(self) -> Float[np.ndarray, "2"]:
        """Pixels."""
        return np.array([self.column, self.row]) * GRID * self.size


@dataclass(frozen=True)
class FoundMesh:
    """A face's landmarks in one frame."""

    cell: Cell
    landmarks: Float[np.ndarray, "478 2"]
    """Mean over the crops, pixels of the frame."""
    spread: float
    """Standard deviation between the crops over the face's size; NaN where only one of them shows a face."""

    @property
    def center(self) -> Float[np.ndarray, "2"]:
        """Of the landmarks' extent, pixels."""
        return (self.landmarks.min(0) + self.landmarks.max(0)) / 2

    @property
    def size(self) -> float:
        """The landmarks' larger extent, pixels."""
        return float(np.ptp(self.landmarks, axis=0).max())


def cell_of(center: Float[np.ndarray, "2"], size: float) -> Cell:
    """Return the cell for a face of this place and size."""
    level = round(STEPS_PER_OCTAVE * np.log2(max(size, 4.0)))
    column, row = np.round(center / (GRID * 2.0 ** (level / STEPS_PER_OCTAVE)))
    return Cell(level, int(column), int(row))


def find_mesh(rgb: UInt8[np.ndarray, "H W 3"], cell: Cell) -> FoundMesh | None:
    """Find the face in a cell, and again in the cell where it turns out to be, until that is the same.

    Where two cells send the face to each other the smaller one counts, so that the answer does not depend on which of
    them was looked at first.
    """
    tried: dict[Cell, FoundMesh] = {}
    for _ in range(MOST_TRIES):
        found = _mesh_in(rgb, cell)
        if found is None:
            return None
        tried[cell] = found
        cell = cell_of(found.center, found.size)
        if cell in tried:
            ring = list(tried)[list(tried).index(cell) :]
            return tried[min(ring)]
    return found


def _mesh_in(rgb: UInt8[np.ndarray, "H W 3"], cell: Cell) -> FoundMesh | None:
    squares = [_shifted(cell, *shift) for shift in SHIFTS]
    meshes = detect_two_meshes(*(cut_square(rgb, square, MESH_PICTURE) for square in squares))
    placed = [
        mesh[:, :2] * (square[2] / MESH_PICTURE) + square[:2]
        for mesh, square in zip(meshes, squares, strict=True)
        if mesh is not None
    ]
    if not placed:
        return None
    size = float(np.ptp(placed[0], axis=0).max())
    spread = float(np.std(placed, axis=0).mean()) / size if len(placed) == 2 else np.nan
    return FoundMesh(cell, np.mean(placed, axis=0), spread)


def _shifted(cell: Cell, right: float, down: float, scale: float) -> Square:
    side = max(round(SIDE * cell.size * scale), 8)
    left, top = np.round(cell.center + cell.size * np.array([right, down]) - side / 2)
    return int(left), int(top), side


def cut_square(rgb: UInt8[np.ndarray, "H W 3"], square: Square, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """Cut a square out and resize it, many times faster than `resample_square` and not quite as finely.

    Beyond the border the border's pixels are repeated.
    """
    left, top, side = square
    height, width = rgb.shape[:2]
    x0, y0 = np.clip([left, top], 0, [width - 1, height - 1])
    x1, y1 = np.clip([left + side, top + side], [x0 + 1, y0 + 1], [width, height])
    piece = rgb[y0:y1, x0:x1]
    if side >= 2 * size:
        smaller = side // size
        target = (max(piece.shape[1] // smaller, 1), max(piece.shape[0] // smaller, 1))
        piece = cv2.resize(piece, target, interpolation=cv2.INTER_AREA)
    zoom = np.array([x1 - x0, y1 - y0]) / (piece.shape[1], piece.shape[0]) * size / side
    # Pixel centres lie at half-integers, OpenCV's at integers.
    shift = (np.array([x0 - left, y0 - top]) * size / side) + 0.5 * zoom - 0.5
    matrix = np.array([[zoom[0], 0.0, shift[0]], [0.0, zoom[1], shift[1]]])
    return cv2.warpAffine(piece, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
