"""FLAME sequences in the layout of VHAP and GaussianAvatars, and Likeness's own motion files.

A sequence is one .npz whose arrays have a row for every frame (VHAP's `tracked_flame_params_*.npz`), or a folder with
an .npz for every frame in the names' order (GaussianAvatars' `flame_param/00000.npz`): expr (T, E), rotation (T, 3),
neck_pose (T, 3), jaw_pose (T, 3), eyes_pose (T, 6), translation (T, 3); of these only expr must be there. Identity
(shape, static_offset, dynamic_offset) and what belongs to pictures is not read. The files say neither their rate nor
which FLAME model they belong to. Error codes: motion.unreadable, motion.empty, motion.too_large; motion.damaged and
motion.too_new for Likeness's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from likeness.contract.errors import InputError
from likeness.contract.motion import ARRAYS, Motion, motion_from_bytes
from likeness.contract.safe_npz import read_npz
from likeness.motion.reading import MAX_MAGNITUDE, Reading, listed, own_rate, read_bytes, unreadable

DEFAULT_FPS = 25.0
MAX_FRAMES = 1 << 18
MAX_COEFFICIENTS = 400
ROWS = {name: row for name, row in ARRAYS.items() if name not in ("times", "observed")}
NOT_READ = ("shape", "static_offset", "dynamic_offset")
FRAME_BYTES = 1 << 24
EXPORT_AGAIN = "Export it again from the tracker."


def read_flame_sequence(path: Path, fps: float | None = None) -> Reading:
    """Read a sequence's file or folder; `fps` is for files that do not say their rate."""
    if path.is_dir():
        return _reading(_stacked(path), path.name, fps)
    data = read_bytes(path)
    arrays = _arrays(data, path.name)
    if "schema_version" in arrays:
        motion = motion_from_bytes(data, path.name)
        return Reading("Likeness motion", motion, _holds(motion), _own_notes(motion))
    return _reading(arrays, path.name, fps)


def _arrays(data: bytes, name: str) -> dict[str, np.ndarray]:
    wanted = (*ROWS, "expr", "fps", "schema_version", *NOT_READ)
    try:
        return read_npz(data, names=wanted)
    except InputError as error:
        reason = error.message.removeprefix("The archive cannot be read: ").rstrip(".")
        raise unreadable(name, reason, EXPORT_AGAIN) from error


def _stacked(folder: Path) -> dict[str, np.ndarray]:
    """Return a folder's frames as one sequence."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError("motion.empty", f"{folder.name} holds no .npz.", "Choose the folder flame_param of a take.")
    if len(files) > MAX_FRAMES:
        raise InputError("motion.too_large", f"{folder.name} has over {MAX_FRAMES} frames.", "Cut it into takes.")
    frames: dict[str, list[np.ndarray]] = {}
    for file in files:
        arrays = _arrays(read_bytes(file, FRAME_BYTES), file.name)
        for name in ("expr", *ROWS):
            if name in arrays:
                frames.setdefault(name, []).append(arrays[name].reshape(1, -1))
    try:
        stacked = {name: np.concatenate(rows) for name, rows in frames.items() if len(rows) == len(files)}
    except ValueError as error:
        raise unreadable(folder.name, "its frames do not fit together", EXPORT_AGAIN) from error
    return stacked | {name: arrays[name] for name in NOT_READ if name in arrays}


def _reading(arrays: dict[str, np.ndarray], name: str, fps: float | None) -> Reading:
    if "expr" not in arrays:
        raise unreadable(name, "it has no expr, so it is no FLAME sequence", EXPORT_AGAIN)
    expr = arrays["expr"]
    if expr.ndim != 2 or not 0 < expr.shape[1] <= MAX_COEFFICIENTS or expr.shape[0] > MAX_FRAMES:
        raise unreadable(name, f"its expr has the shape {expr.shape} instead of frames by coefficients", EXPORT_AGAIN)
    if not len(expr):
        raise InputError("motion.empty", f"{name} has no frames.", "Choose another file.")
    values = {row: _rows(arrays, row, len(expr), name) for row in ("expr", *ROWS)}
    notes = _notes(arrays)
    rate = _own_rate(arrays) or fps
    if rate is None:
        rate = DEFAULT_FPS
        notes.append(f"It does not say its rate and was taken as {rate:g} frames a second.")
    motion = Motion(
        times=np.arange(len(expr)) / rate,
        observed=np.ones(len(expr), np.uint8),
        fps=rate,
        head_model="flame",
        head_model_hash="",
        expr_names=tuple(f"expr{k:03d}" for k in range(expr.shape[1])),
        **values,
    )
    return Reading("FLAME sequence", motion, _holds(motion), tuple(notes))


def _rows(arrays: dict[str, np.ndarray], row: str, frames: int, name: str) -> np.ndarray:
    """Return one array, checked, float32; zeros where the file has none."""
    size = ROWS.get(row, arrays["expr"].shape[1:])
    array = arrays.get(row)
    if array is None:
        return np.zeros((frames, *size), np.float32)
    if array.shape != (frames, *size):
        raise unreadable(name, f"its {row} has the shape {array.shape} instead of {(frames, *size)}", EXPORT_AGAIN)
    if not (np.abs(array) < MAX_MAGNITUDE).all():  # not a number is not smaller either
        raise unreadable(name, f"its {row} holds what is not a sensible number", EXPORT_AGAIN)
    return array.astype(np.float32)


def _own_rate(arrays: dict[str, np.ndarray]) -> float | None:
    rate = arrays.get("fps")
    return own_rate(float(rate.reshape(()))) if rate is not None and rate.size == 1 else None


def _notes(arrays: dict[str, np.ndarray]) -> list[str]:
    notes = []
    identity = [name for name in NOT_READ if name in arrays]
    if identity:
        notes.append(f"The performer's own shape stays behind; not read: {listed(identity)}.")
    missing = [name for name in ROWS if name not in arrays]
    if missing:
        notes.append(f"Arrays that are missing stay at rest: {listed(missing)}.")
    return notes


def _own_notes(motion: Motion) -> tuple[str, ...]:
    lost = int((motion.observed == 0).sum())
    return (f"{lost} of {len(motion.times)} frames show no face and were filled in between.",) if lost else ()


def _holds(motion: Motion) -> tuple[str, ...]:
    kind = "controls" if motion.head_model == "open" else "FLAME coefficients"
    parts = {
        "head": motion.rotation.any() or motion.neck_pose.any(),
        "jaw": motion.jaw_pose.any(),
        "eyes": motion.eyes_pose.any(),
        "position": motion.translation.any(),
    }
    return (f"{len(motion.expr_names)} {kind}", *(part for part, there in parts.items() if there))
