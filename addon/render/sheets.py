"""Sheets of avatars as the engine draws them: which views, from where, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from typing import Annotated

import numpy as np
from bpy.types import Depsgraph

from likeness.contract.errors import InputError
from likeness.contract.messages import DrawSheet

from ..scene.framing import LENS, SENSOR, Bounds, bounds_of
from . import engine
from .avatars import Placed, Source, place
from .heads import eyes, head_points

Array = Annotated
CONTACT_VIEWS: dict[str, tuple[float, float]] = {
    "Front": (0, 0),
    "3/4 left": (40, 0),
    "3/4 right": (-40, 0),
    "Profile left": (90, 0),
    "Profile right": (-90, 0),
    "From above": (0, 25),
    "From below": (0, -25),
}
"""Where the camera is by the rows' names: degrees from the front towards the subject's left, and above."""
LINE_UP_VIEWS = {name: CONTACT_VIEWS[name] for name in ("Front", "3/4 left", "Profile left")}
CONTACT_CELL, LINE_UP_CELL = (240, 260), (320, 360)
"""Width and height, pixels."""


@dataclass(frozen=True)
class Column:
    """An avatar in one pose."""

    name: str
    placed: Placed
    T_row_body: Array[np.ndarray, "4 4"]
    """Its own space to one that all columns share: upright, the faces along -Y, metres."""


@dataclass(frozen=True)
class Sheet:
    """All that is drawn on one page."""

    title: str
    columns: Sequence[Column]
    views: Mapping[str, tuple[float, float]]
    cell: tuple[int, int]
    bounds: Bounds
    """Of what each cell has to show, in the space that the columns share."""
    names_beneath: bool = False


def contact_sheet(title: str, names: Sequence[str], poses: Sequence[Placed]) -> Sheet:
    """Return an avatar's poses by views; the first pose says how large the head is."""
    columns = [Column(name, placed, np.eye(4)) for name, placed in zip(names, poses, strict=True)]
    return Sheet(title, columns, CONTACT_VIEWS, CONTACT_CELL, bounds_of(head_points(poses[0])))


def line_up(title: str, standing: Sequence[Placed], unit: float) -> Sheet:
    """Return avatars side by side, as large as they are in the scene; `unit` is the length of a Blender unit, metres.

    However they stand in the scene they face the camera, with their eyes at the same height.
    """
    columns, heads = [], []
    for placed in standing:
        T_row_body, points = np.eye(4), head_points(placed)
        T_row_body[:3, :3] = unit * _stretch(placed.matrix_world[:3, :3])
        middle = bounds_of(points).center
        T_row_body[:3, 3] = -T_row_body[:3, :3] @ (*middle[:2], eyes(placed)[2])
        columns.append(Column(placed.source.mesh.name, placed, T_row_body))
        heads.append(bounds_of(points @ T_row_body[:3, :3].T + T_row_body[:3, 3]))
    low = min(each.center[2] - each.half_height for each in heads)
    high = max(each.center[2] + each.half_height for each in heads)
    whole = Bounds(np.array([0, 0, (low + high) / 2]), max(each.radius for each in heads), (high - low) / 2)
    return Sheet(title, columns, LINE_UP_VIEWS, LINE_UP_CELL, whole, names_beneath=True)


def stand(source: Source, depsgraph: Depsgraph) -> Placed:
    """Read how an avatar stands in the viewport. Errors: InputError `sheet.hidden`, `sheet.mode`, `render.mesh`."""
    mesh = source.mesh
    if mesh.mode in ("EDIT", "SCULPT"):  # the evaluated mesh is not the posed one then
        raise InputError("sheet.mode", f"{mesh.name} is being edited.", "Go back to Object Mode.")
    if not mesh.evaluated_get(depsgraph).is_evaluated:
        raise InputError("sheet.hidden", f"{mesh.name} is hidden.", "Show it and its collection in the viewport.")
    return place(source, depsgraph)


def draw(sheet: Sheet, watch: engine.Watch = lambda job: True) -> bytes:
    """Have the engine draw the page; return a PNG file's bytes. `watch` and errors as `engine.draw`."""
    sources = {column.placed.source.key: column.placed.source.gaussians for column in sheet.columns}
    return engine.draw(_request(sheet), sources, watch).png


def _request(sheet: Sheet) -> DrawSheet:
    width, height = sheet.cell
    focal = LENS / SENSOR * max(width, height)
    distance = sheet.bounds.distance(width / 2 / focal, height / 2 / focal)
    cameras = [_camera(sheet.bounds.center, distance, *angles) for angles in sheet.views.values()]
    shown = [column.placed for column in sheet.columns]
    return DrawSheet(
        id=0,
        title=sheet.title,
        row_names=tuple(sheet.views),
        column_names=tuple(column.name for column in sheet.columns),
        names_beneath=sheet.names_beneath,
        width=width,
        height=height,
        K=np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]),
        T_camera_body=np.array([[camera @ column.T_row_body for column in sheet.columns] for camera in cameras]),
        keys=tuple(placed.source.key for placed in shown),
        vertex_counts=tuple(len(placed.vertices) for placed in shown),
        vertices=np.concatenate([placed.vertices for placed in shown]),
    )


def _camera(center: Array[np.ndarray, "3"], distance: float, around: float, up: float) -> Array[np.ndarray, "4 4"]:
    """Return the camera (OpenCV's axes) that sees a centre from so far."""
    a, e = radians(around), radians(up)
    forward = -np.array([sin(a) * cos(e), -cos(a) * cos(e), sin(e)])
    right = np.array([cos(a), sin(a), 0.0])
    T = np.eye(4)
    T[:3, :3] = right, np.cross(forward, right), forward
    T[:3, 3] = np.array([0, 0, distance]) - T[:3, :3] @ center
    return T


def _stretch(linear: Array[np.ndarray, "3 3"]) -> Array[np.ndarray, "3 3"]:
    """Return what a matrix does besides turning: the symmetric factor of its polar decomposition, mirrored if it is."""
    values, vectors = np.linalg.eigh(linear.T @ linear)
    stretch = vectors @ np.diag(np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.diag([np.sign(np.linalg.det(linear)) or 1.0, 1.0, 1.0]) @ stretch
