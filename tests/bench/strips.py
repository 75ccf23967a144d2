"""Pictures side by side, for the eye: photograph and render, held-out views, the slow turn.

`python tests/bench/strips.py OUT.png AVATAR.likeness [...] [--yaws=-45:45:12] [--columns 6]` lays a turn out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from likeness.avatar.animate import DrivenAvatar, neutral, prepare_avatar, render_avatar
from likeness.avatar.pictures import encode_png, over, plain_background
from likeness.avatar.views import orbit_camera
from likeness.contract.avatar_file import read_avatar
from likeness.geometry.cameras import Camera

DARK = plain_background((60, 62, 66))
CELL = 320
FRAME = 0.62
"""How much of the face square's side a cell shows."""


def turn_cells(
    driven: DrivenAvatar, yaws: Sequence[float], size: int = CELL, frame: float = FRAME
) -> list[UInt8[np.ndarray, "S S 3"]]:
    """Draw the neutral head from each yaw, degrees."""
    rest = neutral(driven.avatar)
    return [over(render_avatar(driven, cell_camera(driven, yaw, size, frame), rest), DARK) for yaw in yaws]


def cell_camera(driven: DrivenAvatar, yaw: float, size: int, frame: float) -> Camera:
    """Return the camera of a cell of size x size pixels."""
    margin = size * (1 - frame) / 2
    return orbit_camera(driven.avatar, yaw, 0, size, size).cropped(margin, margin, size * frame, size)


def in_rows(cells: Sequence[UInt8[np.ndarray, "h w 3"]], columns: int) -> UInt8[np.ndarray, "H W 3"]:
    """Lay pictures of one size out, row by row; what is missing in the last row is black."""
    height, width = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    page = np.zeros((rows * height, columns * width, 3), np.uint8)
    for place, cell in enumerate(cells):
        top, left = place // columns * height, place % columns * width
        page[top : top + height, left : left + width] = cell
    return page


def beside(real: UInt8[np.ndarray, "h w 3"], rendered: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h v 3"]:
    """Return the real picture, the rendered one, and their difference, twice as strong, on grey."""
    difference = np.clip(128 + 2 * (rendered.astype(int) - real), 0, 255).astype(np.uint8)
    return np.concatenate([real, rendered, difference], 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the turns of some avatars, one under the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("avatars", type=Path, nargs="+")
    parser.add_argument("--yaws", default="-45:45:12", help="from, to, how many; default: -45:45:12")
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--size", type=int, default=CELL)
    options = parser.parse_args(arguments)
    first, last, count = options.yaws.split(":")
    yaws = np.linspace(float(first), float(last), int(count))
    turns = [turn_cells(prepare_avatar(read_avatar(path)), yaws, options.size) for path in options.avatars]
    options.out.write_bytes(encode_png(np.concatenate([in_rows(cells, options.columns) for cells in turns])))


if __name__ == "__main__":
    main()
