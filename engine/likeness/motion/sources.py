"""Which reader a file is for."""

from __future__ import annotations

from pathlib import Path

from likeness.contract.errors import InputError
from likeness.motion.arkit_json import read_arkit_json
from likeness.motion.flame_sequence import read_flame_sequence
from likeness.motion.live_link import read_live_link
from likeness.motion.reading import Reading, read_bytes

SUFFIXES = (".csv", ".json", ".npz")
"""Of the files that are read here; any other may be a video."""

MAX_JSON_BYTES = 1 << 27
"""Parsed, JSON takes some twenty times its size."""


def is_recording(path: Path) -> bool:
    """Tell whether a path is for `read_recording`, by its suffix; a folder holds a FLAME sequence."""
    return path.suffix.lower() in SUFFIXES or path.is_dir()


def read_recording(path: Path, fps: float | None = None) -> Reading:
    """Read a recorded performance: Live Link Face's .csv, ARKit's .json, a FLAME .npz or folder, a motion file.

    `fps` is for files that do not say their rate. Errors: InputError `motion.*`.
    """
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".npz":
        return read_flame_sequence(path, fps)
    if suffix == ".csv":
        return read_live_link(read_bytes(path), path.name)
    if suffix == ".json":
        return read_arkit_json(read_bytes(path, MAX_JSON_BYTES), path.name, fps)
    raise InputError("motion.unknown", f"{path.name} is no performance.", "Name a .csv, .json, .npz or a video.")
