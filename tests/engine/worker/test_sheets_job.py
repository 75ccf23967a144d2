"""Sheets for a client that poses its avatars itself."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_frames_job import AVATAR, gaussians

from likeness.avatar.frames import Body, render_bodies
from likeness.avatar.page import CELL_COLOR, TITLE_HEADER, Layout
from likeness.avatar.pictures import over, plain_background, to_rgba
from likeness.contract.errors import LikenessError
from likeness.contract.lighting import lit_colors
from likeness.contract.messages import DrawSheet
from likeness.contract.progress import Cancelled, SilentProgress
from likeness.geometry.cameras import Camera, look_at_face
from likeness.worker import frames, sheets

WIDTH, HEIGHT = 64, 56
CAMERA = look_at_face(1.0, 150.0, WIDTH, HEIGHT)
SILENT = SilentProgress()
REST = AVATAR.rig.v_neutral
WIDE = REST * np.float32([1.3, 1, 1])


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setattr(frames, "_kept", type(frames._kept)())
    frames.keep(gaussians(), SILENT)


def matrices() -> np.ndarray:
    """Return the front view, and one in which the second body is twice as large."""
    views = np.tile(CAMERA.T_camera_head, (2, 2, 1, 1))
    views[1, 1, :3, :3] *= 2
    return views


def request(**changed: object) -> DrawSheet:
    made = DrawSheet(
        3, "Ada", ("Front", "Large"), ("one", "two"), False, WIDTH, HEIGHT, CAMERA.K, matrices(), ("ada", "ada"),
        (len(REST), len(WIDE)), np.concatenate([REST, WIDE]),
    )  # fmt: skip
    return replace(made, **changed)


def drawn(asked: DrawSheet) -> np.ndarray:
    answer = sheets.draw_sheet(asked, SILENT)
    assert answer.id == asked.id
    return np.asarray(Image.open(io.BytesIO(answer.png), formats=["PNG"]))


@pytest.mark.parametrize("beneath", [False, True])
def test_every_cell_is_its_avatars_picture_from_its_camera(beneath):
    asked = request(names_beneath=beneath)
    page = drawn(asked)
    layout = Layout(asked.row_names, asked.column_names, (WIDTH, HEIGHT), TITLE_HEADER, beneath)
    assert page.shape[1::-1] == layout.size
    bound = AVATAR.gaussians
    for row, column in np.ndindex(2, 2):
        left, top = layout.corner(row, column)
        body = Body(bound, lit_colors(AVATAR), AVATAR.rig.faces, (REST, WIDE)[column], matrices()[row, column])
        wanted = over(
            to_rgba(render_bodies([body], Camera(CAMERA.K, np.eye(4), WIDTH, HEIGHT))), plain_background(CELL_COLOR)
        )
        assert np.ptp(wanted) > 50
        np.testing.assert_array_equal(page[top : top + HEIGHT, left : left + WIDTH], wanted)


def test_the_title_and_the_names_are_on_the_page():
    plain = drawn(request(title="", row_names=("", ""), column_names=("", "")))
    for changed in ({"title": "Ada"}, {"row_names": ("Front", "")}, {"column_names": ("", "two")}):
        named = drawn(request(**{"title": "", "row_names": ("", ""), "column_names": ("", ""), **changed}))
        assert named.shape == plain.shape and (named != plain).any()


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 0},
        {"K": np.zeros((2, 2))},
        {"K": np.full((3, 3), np.nan)},
        {"row_names": ("one",)},
        {"row_names": (), "T_camera_body": np.zeros((0, 2, 4, 4))},
        {"column_names": ("one",)},
        {"keys": ("ada",)},
        {"vertex_counts": (1, 1)},
        {"vertex_counts": (-1, 2 * len(REST) + 1)},
        {"T_camera_body": np.full((2, 2, 4, 4), np.inf)},
    ],
)
def test_a_sheet_that_does_not_fit_is_refused(changed):
    refused("sheet.request", **changed)


def test_a_sheet_too_large_is_refused_before_anything_is_drawn():
    refused("sheet.too_large", width=9000)
    refused("sheet.too_large", width=8000, height=8000)
    refused("sheet.too_large", width=1 << 40)


def test_gaussians_that_are_not_there_are_asked_for():
    refused("frame.unknown", keys=("ada", "bob"))


def refused(code: str, **changed: object) -> None:
    with pytest.raises(LikenessError) as caught:
        sheets.draw_sheet(request(**changed), SILENT)
    assert caught.value.code == code


def test_every_cell_is_told_and_may_be_the_last():
    class Impatient:
        told: list[float]

        def __init__(self, patience: int) -> None:
            self.told, self.patience = [], patience

        def update(self, stage: str, fraction: float) -> None:
            self.told.append(fraction)
            if len(self.told) > self.patience:
                raise Cancelled

    patient = Impatient(100)
    sheets.draw_sheet(request(), patient)
    assert patient.told == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(Cancelled):
        sheets.draw_sheet(request(), Impatient(2))
