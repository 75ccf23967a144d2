"""An F-curve's keys as arrays, with all their fields; and a stretch of a curve exchanged for other keys.

Blender works handles out anew whenever a curve is updated. A curve that is to change in a stretch alone is therefore
written in order and with all its handles, and not updated.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import numpy as np
from bpy.types import FCurve, Keyframe

Array = Annotated
Keys = dict[str, np.ndarray]
"""By field, a row for each key."""

NUMBERS = {"co": 2, "handle_left": 2, "handle_right": 2, "back": 1, "amplitude": 1, "period": 1}
CHOICES = ("handle_left_type", "handle_right_type", "interpolation", "easing", "type")
FLAGS = ("select_control_point", "select_left_handle", "select_right_handle")
SAME = 0.01
"""Frames; keys nearer to each other are one to Blender."""
_SPLITS = 60
"""Halvings in search of a place on a Bezier segment."""


def choice(field: str, name: str) -> int:
    """Return Blender's number of a choice."""
    return Keyframe.bl_rna.properties[field].enum_items[name].value


def read_keys(curve: FCurve) -> Keys:
    """Return all keys of a curve."""
    points = curve.keyframe_points
    keys = _blank(len(points))
    for field, array in keys.items():
        points.foreach_get(field, array.reshape(-1))
    return keys


def write_keys(curve: FCurve, keys: Keys) -> None:
    """Let a curve have exactly these keys, which are in order; handles stay as they are given."""
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys["co"]))
    for field, array in keys.items():
        points.foreach_set(field, array.reshape(-1))


def add_straight(curve: FCurve, frames: Array[np.ndarray, "K"], values: Array[np.ndarray, "K"]) -> None:
    """Give an empty curve keys with straight lines between them; Blender makes their handles."""
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).reshape(-1))
    points.foreach_set("interpolation", np.full(len(frames), choice("interpolation", "LINEAR"), np.int32))
    curve.update()


def straight_keys(frames: Array[np.ndarray, "K"], values: Array[np.ndarray, "K"]) -> Keys:
    """Return keys with straight lines between them, level handles a third of the way to their neighbours."""
    keys = _blank(len(frames))
    keys["co"][:] = np.stack([frames, values], axis=1)
    gaps = np.diff(frames) / 3 if len(frames) > 1 else np.ones(1)
    for side, reach in (("left", -np.append(gaps[:1], gaps)), ("right", np.append(gaps, gaps[-1:]))):
        reach = reach[: len(frames)]
        keys[f"handle_{side}"][:] = keys["co"] + np.stack([reach, np.zeros_like(reach)], axis=1)
        keys[f"handle_{side}_type"][:] = choice(f"handle_{side}_type", "AUTO_CLAMPED")
    keys["interpolation"][:] = choice("interpolation", "LINEAR")
    for field, usual in (("back", 1.70158), ("amplitude", 0.8), ("period", 4.1)):
        keys[field][:] = usual
    return keys


def spliced(old: Keys, new: Keys, *, joined: bool) -> Keys:
    """Return a curve's keys with those from the first to the last of the new ones exchanged for them.

    Keys outside keep every number. If the new ones are `joined`, beginning and ending on the old curve, that curve
    stays as it is outside, for which a handle that reaches into the stretch is shortened.
    """
    first, last = new["co"][0, 0], new["co"][-1, 0]
    x = old["co"][:, 0]
    before, after = _part(old, x < first - SAME), _part(old, x > last + SAME)
    new = _part(new, slice(None))
    if joined:
        _join_left(before, new, old, x)
        _join_right(new, after, old, x)
    return {field: np.concatenate([part[field] for part in (before, new, after)]) for field in old}


def _join_left(before: Keys, new: Keys, old: Keys, x: np.ndarray) -> None:
    at = np.flatnonzero(np.abs(x - new["co"][0, 0]) <= SAME)
    if len(at):
        for field in ("handle_left", "handle_left_type"):
            new[field][0] = old[field][at[0]]
    elif 0 < len(before["co"]) < len(x) and _is_bezier(before, -1):
        near, left, _, _ = _split(old, len(before["co"]) - 1, new["co"][0])
        before["handle_right"][-1], new["handle_left"][0] = near, left
        _free(before, -1)
        _free(new, 0)


def _join_right(new: Keys, after: Keys, old: Keys, x: np.ndarray) -> None:
    last = new["co"][-1, 0]
    at = np.flatnonzero(np.abs(x - last) <= SAME)
    fields = ("interpolation", "easing", "back", "amplitude", "period")
    if len(at):
        for field in (*fields, "handle_right", "handle_right_type"):
            new[field][-1] = old[field][at[-1]]
    elif 0 < len(after["co"]) < len(x):
        segment = len(x) - len(after["co"]) - 1
        for field in fields:
            new[field][-1] = old[field][segment]
        if _is_bezier(old, segment):
            _, _, right, far = _split(old, segment, new["co"][-1])
            new["handle_right"][-1], after["handle_left"][0] = right, far
            _free(new, -1)
            _free(after, 0)


def _split(keys: Keys, segment: int, at: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the four handles, in order, of a Bezier segment that is cut in two at a time (de Casteljau's way)."""
    start, end = (keys["co"][k].astype(float) for k in (segment, segment + 1))
    out, back = keys["handle_right"][segment] - start, keys["handle_left"][segment + 1] - end
    reach = abs(out[0]) + abs(back[0])
    if reach > end[0] - start[0]:  # as Blender does, lest the curve run backwards
        out, back = (handle * (end[0] - start[0]) / reach for handle in (out, back))
    points = start, start + out, end + back, end
    low, high = 0.0, 1.0
    for _ in range(_SPLITS):
        middle = (low + high) / 2
        low, high = (middle, high) if _cut(points, middle)[-1][0] < at[0] else (low, middle)
    return _cut(points, low)[:4]


def _cut(points: tuple[np.ndarray, ...], part: float) -> tuple[np.ndarray, ...]:
    """Return the handles beside a cut, the near and the far one's included, and the cut itself."""
    a, b, c = (p + (q - p) * part for p, q in pairwise(points))
    left, right = a + (b - a) * part, b + (c - b) * part
    return a, left, right, c, left + (right - left) * part


def _is_bezier(keys: Keys, index: int) -> bool:
    return keys["interpolation"][index] == choice("interpolation", "BEZIER")


def _free(keys: Keys, index: int) -> None:
    for side in ("left", "right"):
        keys[f"handle_{side}_type"][index] = choice(f"handle_{side}_type", "FREE")


def _blank(count: int) -> Keys:
    keys = {field: np.zeros((count, width)[: 1 + (width > 1)], np.float32) for field, width in NUMBERS.items()}
    keys |= {field: np.zeros(count, np.int32) for field in CHOICES}
    return keys | {field: np.zeros(count, bool) for field in FLAGS}


def _part(keys: Keys, rows: np.ndarray | slice) -> Keys:
    return {field: array[rows].copy() for field, array in keys.items()}
