"""Pages of views for a client that poses its avatars itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from likeness.contract.errors import InputError, UsageError
from likeness.contract.messages import MAX_FRAME_SIDE, DrawSheet, SheetDrawn
from likeness.contract.progress import Progress
from likeness.worker.frames import body, parts

if TYPE_CHECKING:
    from likeness.avatar.page import Layout

MAX_PIXELS = 1 << 26
"""Of a page."""


def draw_sheet(request: DrawSheet, progress: Progress) -> SheetDrawn:
    """Draw every view of every avatar into one page, over grey.

    Errors: UsageError `sheet.request` for numbers that do not fit together and as `frames.body`; InputError
    `sheet.too_large`, `gaussians.too_large`.
    """
    from likeness.avatar.frames import render_bodies
    from likeness.avatar.page import CELL_COLOR, blank_page, fill_page, write_title
    from likeness.avatar.pictures import encode_png, over, plain_background, to_rgba
    from likeness.geometry.cameras import Camera

    _check(request)
    layout = _layout(request)
    camera = Camera(request.K, np.eye(4), request.width, request.height)
    vertices = parts(request.vertices, request.vertex_counts)
    page = blank_page(layout)
    write_title(page, request.title)

    def draw(row: int, column: int) -> np.ndarray:
        shown = body(request.keys[column], vertices[column], request.T_camera_body[row, column])
        return over(to_rgba(render_bodies([shown], camera)), plain_background(CELL_COLOR))

    fill_page(page, layout, draw, progress)
    return SheetDrawn(request.id, encode_png(np.asarray(page)))


def _layout(request: DrawSheet) -> Layout:
    from likeness.avatar.page import TITLE_HEADER, Layout

    cell = (request.width, request.height)
    layout = Layout(request.row_names, request.column_names, cell, TITLE_HEADER, request.names_beneath)
    width, height = layout.size
    if max(width, height) > MAX_FRAME_SIDE or width * height > MAX_PIXELS:
        raise InputError(
            "sheet.too_large",
            f"The sheet would have {width} x {height} pixels; at most {MAX_FRAME_SIDE} a side, {MAX_PIXELS} in all.",
            "Select fewer avatars.",
        )
    return layout


def _check(request: DrawSheet) -> None:
    rows, columns = len(request.row_names), len(request.column_names)
    shapes = {"K": (3, 3), "T_camera_body": (rows, columns, 4, 4), "vertices": (sum(request.vertex_counts), 3)}
    fits = all(getattr(request, name).shape == shape for name, shape in shapes.items())
    finite = all(np.isfinite(getattr(request, name)).all() for name in shapes)
    counted = len(request.keys) == len(request.vertex_counts) == columns and min(request.vertex_counts, default=0) >= 0
    if not (fits and finite and counted and rows and columns and min(request.width, request.height) > 0):
        raise UsageError(
            "sheet.request", "The sheet's parts do not fit together.", "Use the same version on both sides."
        )
