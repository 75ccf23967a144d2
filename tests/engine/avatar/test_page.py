"""The page that all sheets are drawn on: its cells, its names, and that the sheet of the command line stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from factories import make_avatar, png_bytes
from likeness.avatar.animate import neutral, prepare_avatar, render_avatar
from likeness.avatar.page import (
    COLUMN_LABEL,
    INK,
    MARGIN,
    PAPER,
    TITLE_HEADER,
    Layout,
    blank_page,
    drawable,
    fill_page,
    font,
    shortened,
    write_title,
)
from likeness.avatar.pictures import over, plain_background
from likeness.avatar.sheet import COLUMNS, ROWS, draw_sheet
from likeness.avatar.views import orbit_camera
from likeness.contract.progress import SilentProgress

STORED = Path(__file__).with_name("sheet_page.png")
"""The command line's sheet of an avatar that the tests make, its cells painted out."""
LEFT, TOP, STEP, SIDE = 116, 186, 244, 240
"""Where its cells are, pixels."""


def test_the_command_lines_sheet_is_what_it_always_was():
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (64, 48, 3))
    avatar = replace(make_avatar(gaussians=400), portrait_png=png_bytes(ramp))
    sheet = draw_sheet(avatar).copy()
    columns = 2 + len(COLUMNS)
    front = over(
        render_avatar(
            prepare_avatar(avatar),
            orbit_camera(avatar, 0, 0, SIDE, SIDE).cropped(SIDE * 0.08, SIDE * 0.08, SIDE * 0.84, SIDE),
            neutral(avatar),
        ),
        plain_background((58, 60, 64)),
    )
    row = [view.label for view in ROWS].index("front")
    np.testing.assert_array_equal(sheet[cell(row, 1)], front)
    for at in np.ndindex(len(ROWS), columns):
        assert np.ptp(sheet[cell(*at)]) > 20
        sheet[cell(*at)] = 0
    np.testing.assert_array_equal(sheet, np.asarray(Image.open(STORED)))


def cell(row: int, column: int) -> tuple[slice, slice]:
    left, top = LEFT + column * STEP, TOP + row * STEP
    return slice(top, top + SIDE), slice(left, left + SIDE)


@pytest.mark.parametrize("beneath", [False, True])
def test_every_cell_lies_on_the_page_and_every_name_beside_it(beneath):
    layout = Layout(("one", "two"), ("a", "b", "c"), (50, 40), TITLE_HEADER, beneath)
    page = blank_page(layout)
    fill_page(page, layout, lambda r, c: np.full((40, 50, 3), (200, r, c), np.uint8), SilentProgress())
    pixels = np.asarray(page)
    assert pixels.shape[1::-1] == layout.size
    for row, column in np.ndindex(2, 3):
        left, top = layout.corner(row, column)
        assert (pixels[top : top + 40, left : left + 50] == (200, row, column)).all()
        name = slice(left, left + 50)
        strip = slice(-MARGIN - COLUMN_LABEL, -MARGIN) if beneath else slice(layout.corner(0, 0)[1] - COLUMN_LABEL, top)
        assert row or (pixels[strip, name] != PAPER).any()
        assert (pixels[top : top + 40, : left if column == 0 else 0] != PAPER).any() or column


NAMES = ("", " ", "a\nb\tc", "\x00\x1b[2J", "\ud800", "👩‍🚀" * 50, "花子", "Ω" * 10_000, "\u202eevil", "\u0301")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn_within_its_room(name):
    text = shortened(name, 17, 60)
    assert font(17).getlength(text) <= 60 and text.isprintable()
    layout = Layout((name,), (name,), (60, 60), TITLE_HEADER)
    page = blank_page(layout)
    write_title(page, name)
    assert layout.size[0] < 500
    assert (np.asarray(page)[:, -MARGIN:] == PAPER).all()


def test_letters_that_the_font_lacks_lose_their_accents_or_become_question_marks():
    assert drawable("Zoë Ångström", 17) == "Zoe Angstrom"
    assert drawable("花子", 17) == "??"
    assert drawable("Ada", 17) == "Ada"


def test_a_long_name_ends_in_dots():
    long = shortened("Bartholomew the Considerably Older", 17, 120)
    assert long.startswith("Barth") and long.endswith("…")
    assert shortened("Ada", 17, 120) == "Ada"


def test_a_title_is_written_in_the_header():
    page = blank_page(Layout(("a",), ("b",), (60, 60), TITLE_HEADER))
    before = np.asarray(page).copy()
    write_title(page, "Ada")
    changed = (np.asarray(page) != before).any(-1)
    assert changed.any() and not changed[MARGIN + TITLE_HEADER :].any()
    assert (np.asarray(page)[changed].max(0) <= INK).all()
