"""Which pixels a render has, and its camera as the engine takes it; no bpy.

Convention: pixels are counted from the top left in K and from the bottom left in `Region`, as each side has them. The
engine draws the whole frame, whatever is rendered of it: its splats' shapes depend a little on where the frame ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

Array = Annotated
Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Region:
    """The part of the whole frame that is rendered, and the picture it goes into. Pixels from the bottom left."""

    full: tuple[int, int]
    """Width and height of the whole frame."""
    left: int
    bottom: int
    right: int
    top: int
    crops: bool
    """Whether the picture is the region alone; else it is the whole frame, empty around the region."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the region."""
        return self.right - self.left, self.top - self.bottom

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.size if self.crops else self.full

    @property
    def rows(self) -> slice:
        """Which rows of the whole frame the region has, counted from the top."""
        return slice(self.full[1] - self.top, self.full[1] - self.bottom)

    @property
    def columns(self) -> slice:
        """Which columns of the whole frame the region has."""
        return slice(self.left, self.right)

    @property
    def offset(self) -> tuple[int, int]:
        """Where the region begins in the picture."""
        return (0, 0) if self.crops else (self.left, self.bottom)

    def overlap(self, left: int, top: int, size: tuple[int, int]) -> tuple[Slices, Slices]:
        """Return which part of a rectangle of the frame is rendered, and where in the picture it goes: rows, columns.

        The rectangle (left, top, width and height) has its rows from the top, the picture from the bottom up.
        """
        low_x, high_x = max(left, self.left), min(left + size[0], self.right)
        low_y, high_y = max(top, self.rows.start), min(top + size[1], self.rows.stop)
        high_x, high_y = max(low_x, high_x), max(low_y, high_y)
        x, y = low_x - self.left + self.offset[0], self.rows.stop - high_y + self.offset[1]
        source = slice(low_y - top, high_y - top), slice(low_x - left, high_x - left)
        return source, (slice(y, y + high_y - low_y), slice(x, x + high_x - low_x))


def whole_frame(resolution: tuple[int, int], percentage: int) -> Region:
    """Return the region of a render without a border."""
    width, height = (max(1, side * percentage // 100) for side in resolution)
    return Region((width, height), 0, 0, width, height, crops=False)


def bordered(frame: Region, x: tuple[float, float], y: tuple[float, float], *, crops: bool) -> Region:
    """Return the region inside a border, given in 0..1 of the frame. Rounds as Blender does, in single precision."""
    left, right = (_edge(share, frame.full[0]) for share in x)
    bottom, top = (_edge(share, frame.full[1]) for share in y)
    return Region(frame.full, left, bottom, right, top, crops)


def pixel_matrix(
    projection: Array[np.ndarray, "4 4"], size: tuple[int, int], *, orthographic: bool
) -> Array[np.ndarray, "3 3"]:
    """Return K of the whole frame from its projection matrix, as OpenGL has it; float64.

    With an orthographic lens K's focal lengths are pixels per unit.
    """
    width, height = size
    column, sign = (3, 1.0) if orthographic else (2, -1.0)
    P = np.asarray(projection, np.float64)
    K = np.eye(3)
    K[0] = width / 2 * P[0, 0], 0.0, width / 2 * (1 + sign * P[0, column])
    K[1] = 0.0, height / 2 * P[1, 1], height / 2 * (1 - sign * P[1, column])
    return K


def _edge(share: float, side: int) -> int:
    return int(np.float32(share) * np.float32(side))
