"""ARKit's controls as JSON. There is no standard; these layouts are read, with any of `arkit_name`'s spellings:

    {"exportFps": 60, "facsNames": ["browDownLeft", ...], "weightMat": [[0.1, ...], ...]}       NVIDIA Audio2Face
    [{"time": 0.0, "blendShapes": {"jawOpen": 0.1, ...}}, ...]                                  recorders on phones
    {"fps": 30, "frames": [{"blendshapes": [{"categoryName": "jawOpen", "score": 0.1}, ...]}]}  MediaPipe
    {"fps": 30, "names": ["jawOpen", ...], "frames": [{"time": 0.0, "weights": [0.1, ...]}, ...]}
    {"fps": 30, "jawOpen": [0.1, ...], "browInnerUp": [0.0, ...]}                               a list for each control

A frame may also hold its controls directly beside its time. Times are seconds, or milli-, micro- or nanoseconds where
their steps say so; without times the rate counts. Error codes: motion.unreadable, motion.empty, motion.no_controls,
motion.too_large.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES, arkit_name
from likeness.contract.errors import InputError
from likeness.motion.reading import (
    MAX_MAGNITUDE,
    Reading,
    check_rate,
    filled,
    listed,
    nominal_rate,
    open_motion,
    own_rate,
    unreadable,
)

MAX_FRAMES = 1 << 20
MAX_NAMES = 1024
DEFAULT_FPS = 30.0
RATES = ("exportFps", "fps", "frameRate", "frame_rate", "framerate", "FrameRate")
TIMES = ("time", "timestamp", "t", "seconds", "time_sec", "timeCode", "timestamp_ms", "timeMs")
FRAMES = ("frames", "keyframes", "data", "animation", "recording")
SHAPES = ("blendShapes", "blendshapes", "blendShapeWeights", "blend_shapes", "weights", "shapes", "values")
NAMES = ("facsNames", "names", "blendShapeNames", "blendshapeNames", "blendshape_names", "shapeNames")
LABELS = ("name", "categoryName", "category_name", "blendShapeLocation")
SCORES = ("value", "score", "weight")
PERCENT = 2.0
"""Controls are read as 0..100 where one of them is larger than this."""
REMEDY = "See docs/performance.md for the layouts that are read."


def read_arkit_json(data: bytes, name: str, fps: float | None = None) -> Reading:
    """Read a performance; `fps` is for files that say neither times nor rate, `name` for messages."""
    content = _parse(data, name)
    rows, when, rate = _rows(content, name)
    if not rows:
        raise InputError("motion.empty", f"{name} holds no frames.", "Choose another file.")
    if len(rows) > MAX_FRAMES:
        raise InputError("motion.too_large", f"{name} has over {MAX_FRAMES} frames.", "Cut it into takes.")
    values, unknown, has = _table(rows)
    if not has.any():
        message = f"{name} has none of ARKit's 52 controls in a layout that is known."
        raise InputError("motion.no_controls", message, REMEDY)
    notes = []
    if rate is None and when is None:
        rate = fps or DEFAULT_FPS
        if fps is None:
            notes.append(f"It says neither times nor rate and was taken as {rate:g} frames a second.")
    times, keep, told = _times(when, len(rows), rate or fps or DEFAULT_FPS)
    values, notes = values[keep], notes + told
    check_rate(times, name)
    known = np.isfinite(values)
    seen = known[:, has].mean(1) >= 0.5
    if not seen.any():
        raise InputError("motion.empty", f"{name} has controls in no frame.", "Choose another file.")
    if np.nanmax(np.where(known, values, 0)) > PERCENT:
        values = values / 100
        notes.append("Its controls go from 0 to 100 and were divided by 100.")
    controls = filled(times, values, known & seen[:, None])
    missing = [control for control, there in zip(ARKIT_NAMES, has, strict=True) if not there]
    if missing:
        notes.append(f"Controls that are missing stay at zero: {listed(missing)}.")
    if unknown:
        notes.append(f"Names that are not understood were left out: {listed(sorted(unknown))}.")
    if not known[:, has].all():
        notes.append(f"{int((~known[:, has]).sum())} values that are missing were filled from their neighbours.")
    motion = open_motion(times, controls, fps=rate or nominal_rate(times, DEFAULT_FPS), observed=seen.astype(np.uint8))
    return Reading("ARKit JSON", motion, (f"{int(has.sum())} controls",), tuple(notes))


def _parse(data: bytes, name: str) -> Any:
    if not data.strip():
        raise InputError("motion.empty", f"{name} is empty.", "Choose another file.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise unreadable(name, "it is not sound JSON", "Export it again.") from error


def _rows(content: Any, name: str) -> tuple[list[dict[str, Any]], list[Any] | None, float | None]:
    """Return each frame's controls by the file's own names, the frames' times if they have them, and the rate."""
    whole = content if isinstance(content, dict) else {}
    rate = own_rate(_number(_first(whole, RATES)))
    names = _first(whole, NAMES)
    frames = whole.get("weightMat") if "weightMat" in whole else _first(whole, FRAMES)
    frames = content if isinstance(content, list) else frames
    if isinstance(frames, list):
        labels = [str(label) for label in names[:MAX_NAMES]] if isinstance(names, list) else []
        rows = [_shapes(frame, labels) for frame in frames]
        times = [_first(frame, TIMES) if isinstance(frame, dict) else None for frame in frames]
        return rows, None if all(time is None for time in times) else times, rate
    columns = {key: column for key, column in whole.items() if isinstance(column, list)}
    if not columns:
        raise InputError("motion.no_controls", f"{name} is JSON, but not of a layout that is known.", REMEDY)
    # Times may stand in a list of their own beside the controls.
    times = next((columns.pop(key) for key in TIMES if key in columns), None)
    known = {key: column for key, column in list(columns.items())[:MAX_NAMES]}
    length = max(map(len, known.values()), default=0)
    if length > MAX_FRAMES:
        raise InputError("motion.too_large", f"{name} has over {MAX_FRAMES} frames.", "Cut it into takes.")
    rows = [{key: column[k] for key, column in known.items() if k < len(column)} for k in range(length)]
    return rows, times if times is not None and len(times) == length else None, rate


def _shapes(frame: Any, labels: list[str]) -> dict[str, Any]:
    """Return one frame's controls by the file's names."""
    shapes = frame
    if isinstance(frame, dict):
        shapes = _first(frame, SHAPES)
        shapes = {k: v for k, v in frame.items() if k not in TIMES} if shapes is None else shapes
    if isinstance(shapes, dict):
        return shapes
    if not isinstance(shapes, list):
        return {}
    if shapes and isinstance(shapes[0], dict):
        pairs = ((_first(one, LABELS), _first(one, SCORES)) for one in shapes if isinstance(one, dict))
        return {str(label): score for label, score in pairs if label is not None}
    return dict(zip(labels, shapes, strict=False))


def _table(rows: list[dict[str, Any]]) -> tuple[Float[np.ndarray, "T 52"], set[str], np.ndarray]:
    """Return the controls (NaN where there is none), the names that are none, and which controls there are."""
    values = np.full((len(rows), len(ARKIT_NAMES)), np.nan)
    place: dict[str, int | None] = {}
    for row, shapes in zip(values, rows, strict=True):
        for label, value in shapes.items():
            if label not in place and len(place) < MAX_NAMES:
                known = arkit_name(label)
                place[label] = None if known is None else ARKIT_NAMES.index(known)
            index = place.get(label)
            if index is not None:
                number = _number(value)
                row[index] = number if abs(number) < MAX_MAGNITUDE else math.nan
    unknown = {label for label, index in place.items() if index is None and not label.startswith("_")}
    return values, unknown, np.isfinite(values).any(0)


def _times(when: list[Any] | None, count: int, rate: float) -> tuple[Float[np.ndarray, "N"], np.ndarray, list[str]]:
    """Return rising times in seconds from the first frame, the rows they belong to, and notes."""
    if when is None:
        return np.arange(count) / rate, np.arange(count), []
    stamps = np.array([_number(value) for value in when])
    rows = np.flatnonzero(np.isfinite(stamps))
    order = rows[np.argsort(stamps[rows], kind="stable")]
    order = order[np.diff(stamps[order], prepend=-np.inf) > 0]
    if not len(order):
        return np.arange(count) / rate, np.arange(count), ["Its times are no numbers and were left out."]
    times = stamps[order] - stamps[order[0]]
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    # A frame lasts between a millisecond and a second: the unit is the one in which it does.
    scale = next(unit for limit, unit in ((1.0, 1.0), (1e3, 1e3), (1e6, 1e6), (math.inf, 1e9)) if step <= limit)
    notes = []
    if len(order) < count:
        notes.append(f"{count - len(order)} frames without a time of their own were left out.")
    if (np.diff(rows) < 0).any() or (np.diff(order) < 0).any():
        notes.append("The frames were not in the order of their times and have been sorted.")
    return times / scale, order, notes


def _first(mapping: Any, keys: tuple[str, ...]) -> Any:
    """Return the value of the first of the keys that a mapping has."""
    return next((mapping[key] for key in keys if key in mapping), None) if isinstance(mapping, dict) else None


def _number(value: Any) -> float:
    """Return a JSON value as a number, NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) and abs(number) < 1e30 else math.nan
