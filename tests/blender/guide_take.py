"""Writes the performance of the guide's pictures: the demo's keys as a phone records them."""

from __future__ import annotations

import math
from pathlib import Path

from likeness.avatar.performance import SECONDS, controls_at
from likeness.contract.arkit import ARKIT_NAMES

FPS = 60
REST = 0.04
"""No phone gives 0 for a face at rest."""
TURN, NOD, TILT = 0.22, 0.06, 0.05
"""How far the head goes about each axis, radians."""


def write_take(path: Path) -> None:
    """Write SECONDS of a performance as Live Link Face does: 52 controls and the head's angles, 60 frames a second."""
    columns = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    lines = [",".join(["Timecode", "BlendShapeCount", *columns, "HeadYaw", "HeadPitch", "HeadRoll"])]
    for frame in range(round(SECONDS * FPS)):
        second, part = divmod(frame, FPS)
        known = controls_at(frame / FPS)
        values = [REST + (1 - REST) * known.get(name, 0.0) for name in ARKIT_NAMES]
        numbers = ",".join(f"{value:.6f}" for value in (*values, *_head(frame / FPS)))
        lines.append(f"10:00:{second:02}:{part:02}.000,61,{numbers}")
    path.write_text("\n".join(lines) + "\n")


def _head(seconds: float) -> tuple[float, float, float]:
    """Return yaw, pitch and roll: still at the start, then slowly about."""
    begun = min(max((seconds - 1) / 1.5, 0.0), 1.0)
    waves = ((TURN, 0.23), (NOD, 0.51), (TILT, 0.31))
    yaw, pitch, roll = (begun * size * math.sin(2 * math.pi * rate * (seconds - 1)) for size, rate in waves)
    return yaw, pitch, roll
