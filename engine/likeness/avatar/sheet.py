"""A contact sheet: views by expressions, for the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from likeness.avatar.animate import (
    DrivenAvatar,
    Expression,
    neutral,
    portrait_expression,
    prepare_avatar,
    render_avatar,
    with_controls,
)
from likeness.avatar.page import CELL_COLOR, INK, MARGIN, Layout, blank_page, fill_page, font
from likeness.avatar.pictures import decode_png, over, plain_background
from likeness.avatar.views import face_camera, orbit_camera
from likeness.contract.avatar import Avatar
from likeness.contract.progress import Progress, SilentProgress
from likeness.geometry.cameras import Camera

CELL = 240
FRAME = 0.84
"""How much of the face square's side a cell shows: hats stay inside, and the face is large enough to judge."""
HEADER = 132
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
    driven, expressions = prepare_avatar(avatar), _expressions(avatar)
    layout = Layout(tuple(view.label for view in ROWS), tuple(expressions), (CELL, CELL), HEADER)
    cameras, faces = [_camera(avatar, view) for view in ROWS], list(expressions.values())
    page = blank_page(layout)
    _header(page, avatar)
    fill_page(page, layout, lambda r, c: _cell(driven, cameras[r], faces[c]), progress or SilentProgress())
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


def _cell(driven: DrivenAvatar, camera: Camera, expression: Expression) -> UInt8[np.ndarray, "H W 3"]:
    return over(render_avatar(driven, camera, expression), plain_background(CELL_COLOR))


def _header(page: Image.Image, avatar: Avatar) -> None:
    photograph = Image.fromarray(decode_png(avatar.portrait_png))
    left, top, side = avatar.view.face_square
    size = HEADER - 16
    photograph = photograph.resize((size, size), Image.Resampling.LANCZOS, box=_inside(photograph, left, top, side))
    page.paste(photograph, (MARGIN, MARGIN))
    draw = ImageDraw.Draw(page)
    text_left = MARGIN + size + 20
    draw.text((text_left, MARGIN + 34), "Likeness", INK, font(30), anchor="ls")
    count = len(avatar.gaussians.triangle)
    lines = (f"{count:,} Gaussians on the {avatar.info.head_model} head", "left is the subject's left")
    for line, text in enumerate(lines):
        draw.text((text_left, MARGIN + 66 + 26 * line), text, FAINT_INK, font(17), anchor="ls")


def _inside(picture: Image.Image, left: float, top: float, side: float) -> tuple[float, float, float, float]:
    """Return the largest square inside the picture that lies about the face square."""
    side = min(side, picture.width, picture.height)
    left = min(max(left, 0), picture.width - side)
    top = min(max(top, 0), picture.height - side)
    return left, top, left + side, top + side
