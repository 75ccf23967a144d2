"""Performances made from nothing, as files of other tools and as motions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.motion import Motion
from likeness.motion.live_link_table import ANGLES
from likeness.motion.reading import open_motion

APP_NAMES = tuple(name[0].upper() + name[1:] for name in ARKIT_NAMES)
HEADER = ("Timecode", "BlendShapeCount", *APP_NAMES, *ANGLES)


def k(name: str) -> int:
    """Return a control's place."""
    return ARKIT_NAMES.index(name)


def timecodes(count: int, rate: float = 60.0, first: float = 0.0) -> list[str]:
    """Return timecodes at a rate without drop-frame, `first` seconds after midnight on."""
    nominal = round(rate)
    made = []
    for frame in range(count):
        whole, part = divmod(round(first * nominal * 1000) + frame * 1000, nominal * 1000)
        made.append(f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{part / 1000:06.3f}")
    return made


def take(
    values: np.ndarray, times: Sequence[str] | None = None, header: Sequence[str] = HEADER, separator: str = ","
) -> bytes:
    """Return Live Link Face's CSV of values (T, 61), with decimal commas where the separator is a semicolon."""
    times = timecodes(len(values)) if times is None else times
    rows = [[when, "61", *(f"{value:.10f}" for value in row)] for when, row in zip(times, values, strict=True)]
    if separator == ";":
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    return "\n".join(separator.join(row) for row in [header, *rows]).encode() + b"\n"


def some_values(frames: int = 8, seed: int = 0) -> np.ndarray:
    """Return (frames, 61): controls within 0..1 and small angles."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 1, (frames, 52)), rng.uniform(-0.4, 0.4, (frames, 9))], 1)


def controls_motion(controls: np.ndarray, times: np.ndarray | None = None, **parts: np.ndarray) -> Motion:
    """Return a motion of controls (T, 52) at 60 frames a second."""
    times = np.arange(len(controls)) / 60 if times is None else times
    return open_motion(times, controls, fps=60.0, **parts)
