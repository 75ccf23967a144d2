"""Pages of cells in rows and columns, with names beside them and room for a header."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from likeness.contract.progress import Progress

MARGIN = 24
GAP = 4
ROW_LABEL, ROW_LABEL_GAP = 80, 12
"""Pixels for the names of the rows, more where they need more, and between them and the cells."""
MAX_ROW_LABEL = 240
COLUMN_LABEL = 30
ROW_FONT, COLUMN_FONT, TITLE_FONT = 16, 17, 30
TITLE_HEADER = 64
"""Height of a header that holds a title alone."""
MAX_LETTERS = 200
"""Of a name; more are not even looked at."""
PAPER = (32, 33, 36)
CELL_COLOR = (58, 60, 64)
INK = (232, 234, 237)


@dataclass(frozen=True)
class Layout:
    """Where things are on a page; pixels."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cell: tuple[int, int]
    """Width and height."""
    header: int
    names_beneath: bool = False
    """Whether the columns' names stand under the last row; else above the first."""

    @cached_property
    def row_label(self) -> int:
        """Width of what the rows' names need."""
        widths = (_width(drawable(row, ROW_FONT), ROW_FONT) for row in self.rows)
        return max(ROW_LABEL, min(max(widths, default=0), MAX_ROW_LABEL))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the page."""
        right, bottom = self.corner(len(self.rows), len(self.columns))
        return right - GAP + MARGIN, bottom - GAP + MARGIN + COLUMN_LABEL * self.names_beneath

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return the left and top of a cell."""
        return (
            MARGIN + self.row_label + ROW_LABEL_GAP + column * (self.cell[0] + GAP),
            MARGIN + self.header + COLUMN_LABEL * (not self.names_beneath) + row * (self.cell[1] + GAP),
        )


def blank_page(layout: Layout) -> Image.Image:
    """Return the page with the names of its rows and columns, the cells and the header still empty."""
    page = Image.new("RGB", layout.size, PAPER)
    draw = ImageDraw.Draw(page)
    width, height = layout.cell
    for column, name in enumerate(layout.columns):
        left, top = layout.corner(0, column)
        bottom = layout.corner(len(layout.rows), column)[1] - GAP
        at = (left + width / 2, bottom + COLUMN_LABEL - 10 if layout.names_beneath else top - 10)
        draw.text(at, shortened(name, COLUMN_FONT, width), INK, font(COLUMN_FONT), anchor="ms")
    for row, name in enumerate(layout.rows):
        left, top = layout.corner(row, 0)
        at = (left - ROW_LABEL_GAP, top + height / 2)
        draw.text(at, shortened(name, ROW_FONT, layout.row_label), INK, font(ROW_FONT), anchor="rm")
    return page


def write_title(page: Image.Image, title: str) -> None:
    """Write a title into a header of TITLE_HEADER pixels."""
    text = shortened(title, TITLE_FONT, page.width - 2 * MARGIN)
    ImageDraw.Draw(page).text((MARGIN, MARGIN + 34), text, INK, font(TITLE_FONT), anchor="ls")


def fill_page(
    page: Image.Image, layout: Layout, draw: Callable[[int, int], UInt8[np.ndarray, "H W 3"]], progress: Progress
) -> None:
    """Draw every cell by its row and column, telling how far it is before each."""
    rows, columns = len(layout.rows), len(layout.columns)
    for row in range(rows):
        for column in range(columns):
            progress.update("drawing the sheet", (row * columns + column) / (rows * columns))
            page.paste(Image.fromarray(draw(row, column)), layout.corner(row, column))
    progress.update("drawing the sheet", 1.0)


def shortened(text: str, size: int, width: float) -> str:
    """Return as much of a text as fits into a width, in letters that the font has."""
    text = drawable(text, size)
    if _width(text, size) <= width:
        return text
    while text and _width(f"{text}…", size) > width:
        text = text[:-1].rstrip()
    return f"{text}…"


def drawable(text: str, size: int) -> str:
    """Return a text on one line in letters that the font has: without the accents it lacks, ? for what is left."""
    return "".join(_letters(letter, size) for letter in " ".join(text[:MAX_LETTERS].split()))


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of all pages."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def _letters(letter: str, size: int) -> str:
    if _is_drawable(letter, size):
        return letter
    base = unicodedata.normalize("NFKD", letter)[:1]
    return base if _is_drawable(base, size) else "?"


def _is_drawable(letter: str, size: int) -> bool:
    """Tell whether the font has a letter: for others it draws what it draws for a code that is no letter."""
    return letter.isprintable() and bytes(font(size).getmask(letter)) != bytes(font(size).getmask("\uffff"))


def _width(text: str, size: int) -> int:
    return int(np.ceil(font(size).getlength(text)))
