"""Describe: what a performance's file is, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from likeness.motion.sources import is_recording, read_recording


@dataclass(frozen=True)
class Description:
    """What a performance's file is."""

    kind: str
    """In words: `Live Link Face CSV`."""
    seconds: float
    fps: float
    """The file's nominal rate."""
    frames: int
    """Of a video an estimate."""
    holds: tuple[str, ...]
    """What can be had of it, in words."""
    has_sound: bool = False
    notes: tuple[str, ...] = ()


def describe(source: Path) -> Description:
    """Say what a file is; a video is only opened. Errors: InputError `motion.*`, `clip.*`."""
    if not is_recording(source):
        return _describe_video(source)
    reading = read_recording(source)
    motion = reading.motion
    seconds = float(motion.times[-1] - motion.times[0]) + 1 / motion.fps
    return Description(reading.kind, seconds, motion.fps, len(motion.times), reading.holds, notes=reading.notes)


def _describe_video(source: Path) -> Description:
    from likeness.portrait.clip import open_clip

    info = open_clip(source).info
    holds = ("a still picture",) if info.is_still else ("video to track", *(("sound",) if info.has_sound else ()))
    kind = "Picture" if info.is_still else "Video"
    size = f"{info.width} x {info.height}"
    return Description(f"{kind}, {size}", info.seconds, info.fps, info.frame_count, holds, info.has_sound)
