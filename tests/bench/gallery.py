"""Make the pictures of docs/gallery and the astronaut's in docs/images again: `make gallery`.

They show scikit-image's portrait of Eileen Collins (NASA, public domain) alone. `python tests/bench/gallery.py --avatar
FILE` takes an avatar of hers that was made before.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from likeness.geometry.threads import configure_threads

configure_threads()

import bench_create  # noqa: E402
import numpy as np  # noqa: E402
from jaxtyping import UInt8  # noqa: E402
from judge_portraits import over_black  # noqa: E402
from measures import reproduce  # noqa: E402
from PIL import Image  # noqa: E402
from strips import DARK, beside, cell_camera, in_rows, turn_cells  # noqa: E402

from likeness.avatar.animate import DrivenAvatar, neutral, prepare_avatar, render_avatar, with_controls  # noqa: E402
from likeness.avatar.create import create_avatar  # noqa: E402
from likeness.avatar.pictures import over  # noqa: E402
from likeness.avatar.sheet import COLUMNS, draw_sheet  # noqa: E402
from likeness.contract.avatar import Avatar  # noqa: E402
from likeness.contract.avatar_file import read_avatar  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
WIDTH = 1600
QUALITY = 88
EXPRESSIONS = ("jaw open", "blink", "smile", "brows up", "frown", "look left")
VIEWS, YAWS = (0.0, 35.0), np.linspace(-75, 75, 12)
CELL, FRAME = 400, 0.84
"""Pixels of a cell, and how much of the face square it shows."""


def pictures(avatar: Avatar) -> Mapping[Path, UInt8[np.ndarray, "H W 3"]]:
    """Draw every picture of hers, by the file that it belongs to."""
    driven = prepare_avatar(avatar)
    reproduction = reproduce(driven)
    return {
        DOCS / "images" / "astronaut_sheet.jpg": draw_sheet(avatar),
        DOCS / "images" / "astronaut_edges.jpg": reproduction.edges,
        DOCS / "gallery" / "astronaut_pair.jpg": beside(reproduction.photo, over_black(reproduction)),
        DOCS / "gallery" / "astronaut_turn.jpg": in_rows(turn_cells(driven, YAWS, CELL, FRAME), 6),
        DOCS / "gallery" / "astronaut_expressions.jpg": in_rows(expression_cells(driven), len(EXPRESSIONS)),
    }


def expression_cells(driven: DrivenAvatar) -> list[UInt8[np.ndarray, "S S 3"]]:
    """Draw EXPRESSIONS from each of VIEWS, as the sheet names them."""
    rest, cells = neutral(driven.avatar), []
    for yaw in VIEWS:
        camera = cell_camera(driven, yaw, CELL, FRAME)
        for name in EXPRESSIONS:
            face = with_controls(driven.avatar.rig, rest, COLUMNS[name])
            cells.append(over(render_avatar(driven, camera, face), DARK))
    return cells


def write(path: Path, picture: UInt8[np.ndarray, "H W 3"]) -> None:
    """Write a JPEG, no wider than WIDTH."""
    image = Image.fromarray(picture)
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.save(path, quality=QUALITY, optimize=True, progressive=True)
    print(path.relative_to(DOCS.parent), image.size, flush=True)


def make_avatar() -> Avatar:
    """Make the avatar, standard quality."""
    with tempfile.TemporaryDirectory() as folder:
        return create_avatar(bench_create.astronaut(Path(folder)))[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avatar", type=Path)
    options = parser.parse_args(arguments)
    avatar = read_avatar(options.avatar) if options.avatar else make_avatar()
    for path, picture in pictures(avatar).items():
        write(path, picture)


if __name__ == "__main__":
    main()
