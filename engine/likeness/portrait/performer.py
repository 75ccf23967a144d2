"""Following one performer's face through a clip.

Error codes: face.none, face.index, clip.range.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from likeness.contract.errors import InputError
from likeness.contract.progress import Progress, SilentProgress
from likeness.portrait.clip import Clip
from likeness.portrait.crop import Square, resample_square
from likeness.portrait.detectors import detect_mesh
from likeness.portrait.faces import MESH_SIZE, QUICK


@dataclass(frozen=True)
class Sightings:
    """One performer's landmarks in every frame of a range. T frames."""

    times: Float[np.ndarray, "T"]
    """Seconds from the clip's first frame, rising; float64."""
    landmarks: Float[np.ndarray, "T 478 2"]
    """MediaPipe's, pixels of the upright frame, float32; NaN where the face is not seen. May be a memory map."""
    seen: Bool[np.ndarray, "T"]
    doubt: Float[np.ndarray, "T"]
    """0..1: blur, something before the face, landmarks that jump; 1 where the face is not seen."""
    size: tuple[int, int]
    """Width and height of the frames."""
    fps: float
    """Nominal."""
    cuts: list[int]
    """Frames that begin a new shot: nothing is smooth across them."""
    notes: list[str]
    """What a person should know, in sentences."""


def follow_performer(
    clip: Clip,
    *,
    performer: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    progress: Progress | None = None,
    spool: Path | None = None,
) -> Sightings:
    """Find the performer's landmarks in every frame of start <= time < end."""
    progress = progress or SilentProgress()
    times, meshes = [], []
    square = _whole(clip)
    for frame in clip.frames(start, end):
        mesh = detect_mesh(resample_square(frame.rgb, square, MESH_SIZE, filter=QUICK))
        times.append(frame.time)
        scale = square[2] / MESH_SIZE
        meshes.append(np.full((478, 2), np.nan) if mesh is None else mesh[:, :2] * scale + square[:2])
        progress.update("faces", min(len(times) / clip.info.frame_count, 1.0))
    landmarks = np.array(meshes, np.float32)
    seen = np.isfinite(landmarks[:, 0, 0])
    if not seen.any():
        raise InputError("face.none", "No face was found in the clip.", "Use a clip in which the face is clear.")
    doubt = np.where(seen, 0.0, 1.0).astype(np.float32)
    size = (clip.info.width, clip.info.height)
    return Sightings(np.array(times), landmarks, seen, doubt, size, clip.info.fps, [], list(clip.notes))


def _whole(clip: Clip) -> Square:
    width, height = clip.info.width, clip.info.height
    side = max(width, height)
    return (width - side) // 2, (height - side) // 2, side
