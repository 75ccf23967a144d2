"""A contact sheet: views by expressions, for the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from likeness.avatar.animate import (
    DrivenAvatar,
    Expression,
    neutral,
    portrait_expression,
    prepare_avatar,
    render_avatar,
    with_controls,
)
from likeness.avatar.pictures import decode_png, over, plain_background
from likeness.avatar.views import face_camera, orbit_camera
from likeness.contract.avatar import Avatar
from likeness.contract.progress import Progress, SilentProgress
from likeness.geometry.cameras import Camera

CELL = 240
FRAME = 0.84
"""How much of the face square's side a cell shows: hats stay inside, and the face is large enough to judge."""
MARGIN = 24
GAP = 4
LABEL = 92
HEADER = 132
COLUMN_LABEL = 30
PAPER = (32, 33, 36)
CELL_COLOR = (58, 60, 64)
INK = (232, 234, 237)
FAINT_INK = (154, 160, 166)


@dataclass(frozen=True)
class Row:
    """One view of the sheet; None for the photograph's own camera."""

    label: str
    angles: tuple[float, float] | None


ROWS = (
    Row("portrait", None),
    Row("yaw -60°", (-60, 0)),
    Row("yaw -30°", (-30, 0)),
    Row("front", (0, 0)),
    Row("yaw 30°", (30, 0)),
    Row("yaw 60°", (60, 0)),
    Row("pitch -20°", (0, -20)),
    Row("pitch 20°", (0, 20)),
)

COLUMNS: dict[str, dict[str, float]] = {
    "jaw open": {"jawOpen": 0.8},
    "blink": {"eyeBlinkLeft": 1, "eyeBlinkRight": 1},
    "smile": {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "brows up": {"browInnerUp": 1, "browOuterUpLeft": 1, "browOuterUpRight": 1},
    "frown": {
        "browDownLeft": 1, "browDownRight": 1, "noseSneerLeft": 0.5, "noseSneerRight": 0.5,
        "mouthFrownLeft": 0.7, "mouthFrownRight": 0.7,
    },
    "pucker": {"mouthPucker": 1},
    "look left": {"eyeLookOutLeft": 0.9, "eyeLookInRight": 0.9},
    "look right": {"eyeLookInLeft": 0.9, "eyeLookOutRight": 0.9},
    "wink left": {"eyeBlinkLeft": 1, "mouthSmileLeft": 0.4, "cheekSquintLeft": 0.5},
}  # fmt: skip
"""Named expressions in ARKit's controls; left is the subject's own."""


def draw_sheet(avatar: Avatar, progress: Progress | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """Draw every view of ROWS by the portrait's expression, the neutral one and those of COLUMNS."""
    progress = progress or SilentProgress()
    driven = prepare_avatar(avatar)
    expressions = _expressions(avatar)
    page = _page(avatar, list(expressions))
    for row, view in enumerate(ROWS):
        camera = _camera(avatar, view)
        for column, expression in enumerate(expressions.values()):
            progress.update("drawing the sheet", (row * len(expressions) + column) / (len(ROWS) * len(expressions)))
            page.paste(_cell(driven, camera, expression), _cell_corner(row, column))
    progress.update("drawing the sheet", 1.0)
    return np.asarray(page)


def _expressions(avatar: Avatar) -> dict[str, Expression]:
    rest = neutral(avatar)
    named = {
        label: with_controls(avatar.rig, rest, values)
        for label, values in COLUMNS.items()
        if set(values) <= set(avatar.rig.control_names)
    }
    return {"portrait": portrait_expression(avatar), "neutral": rest} | named


def _camera(avatar: Avatar, view: Row) -> Camera:
    whole = face_camera(avatar, CELL, CELL) if view.angles is None else orbit_camera(avatar, *view.angles, CELL, CELL)
    margin = CELL * (1 - FRAME) / 2
    return whole.cropped(margin, margin, CELL * FRAME, CELL)


def _cell(driven: DrivenAvatar, camera: Camera, expression: Expression) -> Image.Image:
    return Image.fromarray(over(render_avatar(driven, camera, expression), plain_background(CELL_COLOR)))


def _cell_corner(row: int, column: int) -> tuple[int, int]:
    return (
        MARGIN + LABEL + column * (CELL + GAP),
        MARGIN + HEADER + COLUMN_LABEL + row * (CELL + GAP),
    )


def _page(avatar: Avatar, columns: list[str]) -> Image.Image:
    """Return the sheet with its header and labels, the cells still empty."""
    width, height = _cell_corner(len(ROWS), len(columns))
    page = Image.new("RGB", (width - GAP + MARGIN, height - GAP + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    _header(page, draw, avatar)
    for column, label in enumerate(columns):
        left, top = _cell_corner(0, column)
        draw.text((left + CELL / 2, top - 10), label, INK, _font(17), anchor="ms")
    for row, view in enumerate(ROWS):
        left, top = _cell_corner(row, 0)
        draw.text((left - 12, top + CELL / 2), view.label, INK, _font(16), anchor="rm")
    return page


def _header(page: Image.Image, draw: ImageDraw.ImageDraw, avatar: Avatar) -> None:
    photograph = Image.fromarray(decode_png(avatar.portrait_png))
    left, top, side = avatar.view.face_square
    size = HEADER - 16
    photograph = photograph.resize((size, size), Image.Resampling.LANCZOS, box=_inside(photograph, left, top, side))
    page.paste(photograph, (MARGIN, MARGIN))
    text_left = MARGIN + size + 20
    draw.text((text_left, MARGIN + 34), "Likeness", INK, _font(30), anchor="ls")
    count = len(avatar.gaussians.triangle)
    lines = (f"{count:,} Gaussians on the {avatar.info.head_model} head", "left is the subject's left")
    for line, text in enumerate(lines):
        draw.text((text_left, MARGIN + 66 + 26 * line), text, FAINT_INK, _font(17), anchor="ls")


def _inside(picture: Image.Image, left: float, top: float, side: float) -> tuple[float, float, float, float]:
    """Return the largest square inside the picture that lies about the face square."""
    side = min(side, picture.width, picture.height)
    left = min(max(left, 0), picture.width - side)
    top = min(max(top, 0), picture.height - side)
    return left, top, left + side, top + side


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
