"""Reading a clip: what FFmpeg's libraries read, or a still picture, becomes a stream of upright RGB frames.

Error codes: clip.missing, clip.empty, clip.unreadable, clip.no_video, clip.too_large; picture.* for a still picture.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8
from PIL import Image

from likeness.contract.errors import InputError
from likeness.portrait.decoding import (
    CONVERT,
    USUAL_FPS,
    Timeline,
    Upright,
    claimed_seconds,
    decode,
    nominal_rate,
    open_container,
    video_stream,
)
from likeness.portrait.faces import visible_rgb
from likeness.portrait.read import FORMATS, read_photograph

SEEK_AHEAD = 3.0
"""Seconds. A start is reached by seeking this far before it and decoding up to it."""
HOLE = 3.5
"""Frames' lengths between two frames: a variable rate drops one or two, damage more."""
ENDS_EARLY = 1.0
"""Seconds. A clip that is shorter than it claims by more was cut off."""
MOST_NOTES = 5
ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
UNMARKED = ("TGA",)
"""Pictures without a signature at their beginning: some videos begin like one."""


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip before it is read through."""

    width: int
    height: int
    """Of its upright frames, in square pixels."""
    fps: float
    """Nominal; the frames' own times count."""
    seconds: float
    """As the file claims, 0 where it does not."""
    frame_count: int
    """An estimate, at least 1."""
    is_still: bool
    has_sound: bool


@dataclass(frozen=True)
class ClipFrame:
    """One frame."""

    index: int
    """Counts from the beginning of what is read."""
    time: float
    """Seconds from the clip's first frame; rises strictly."""
    rgb: UInt8[np.ndarray, "H W 3"]
    """Upright; 8 bits in the file's own transfer function and primaries."""


@dataclass(frozen=True)
class Clip:
    """A clip that can be read; `open_clip` makes it."""

    path: Path
    info: ClipInfo
    origin: float = 0.0
    """The first frame's time as the file counts."""
    notes: list[str] = field(default_factory=list)
    """What is wrong with the file, in sentences; they come while frames are read."""

    def frames(self, start: float = 0.0, end: float | None = None) -> Iterator[ClipFrame]:
        """Yield the frames of start <= time < end (seconds), decoded as they are asked for; memory is constant.

        Errors: InputError `clip.unreadable`.
        """
        if self.info.is_still:
            return _still_frame(self.path, start)
        return _moving_frames(self, start, np.inf if end is None else end)

    def note(self, sentence: str) -> None:
        """Add a note unless it is there, or there are many."""
        if sentence not in self.notes and len(self.notes) < MOST_NOTES:
            self.notes.append(sentence)


def open_clip(path: Path) -> Clip:
    """Open a clip and decode its first frame. Errors: InputError `clip.*`, `picture.*`."""
    _check_file(path)
    if _is_still(path):
        height, width = read_photograph(path).rgb.shape[:2]
        return Clip(path, ClipInfo(width, height, USUAL_FPS, 0.0, 1, True, False))
    with open_container(path) as container:
        stream = video_stream(container, path.name)
        first = next(decode(container, stream, lambda: None), None)
        if first is None:
            raise InputError("clip.empty", f"{path.name} holds no frame that can be decoded.", CONVERT)
        upright = Upright(stream, first)
        _convert(upright, first, path.name)
        fps, seconds = nominal_rate(stream), claimed_seconds(container, stream)
        count = max(stream.frames or round(seconds * fps), 1)
        info = ClipInfo(*upright.size, fps, seconds, count, False, bool(container.streams.audio))
        return Clip(path, info, first.time or 0.0)


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise InputError("clip.missing", f"There is no clip at {path}.", "Check the path.") from error
    if not path.is_file():
        raise InputError("clip.missing", f"{path} is a folder or a device.", "Give the path of one video file.")
    if size == 0:
        raise InputError("clip.empty", f"{path.name} is empty (0 bytes).", "Copy or export the clip again.")


def _is_still(path: Path) -> bool:
    """Tell whether a file is a picture that does not move, by its first bytes."""
    formats = [name for name in FORMATS if name not in UNMARKED or path.suffix.upper() == f".{name}"]
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[name for name in formats if name in Image.OPEN]) as image:
                return not (image.format in ANIMATED and getattr(image, "is_animated", False))
    except Image.DecompressionBombError:
        return True
    # Not a picture, or so damaged that FFmpeg may have the last word; Pillow's readers raise nearly anything.
    except Exception:
        return False


def _still_frame(path: Path, start: float) -> Iterator[ClipFrame]:
    if start <= 0:
        yield ClipFrame(0, 0.0, visible_rgb(read_photograph(path)))


def _moving_frames(clip: Clip, start: float, end: float) -> Iterator[ClipFrame]:
    index, upright = 0, None
    with open_container(clip.path) as container:
        stream = video_stream(container, clip.path.name)
        timeline = Timeline(clip.origin, clip.info.fps)

        def damaged() -> None:
            if timeline.last >= start:
                clip.note(f"The file is damaged at {timeline.last:.0f} s; what could be decoded was used.")

        for frame in _from(clip, container, stream, start, damaged):
            upright = upright or Upright(stream, frame)
            last, time = timeline.last, timeline.time(frame)
            if time - last > HOLE / clip.info.fps and last >= start:
                clip.note(f"The file holds no frames from {last:.1f} to {time:.1f} s.")
            if time >= end:
                break
            if time >= start:
                yield ClipFrame(index, time, _convert(upright, frame, clip.path.name))
                index += 1
        else:
            _note_early_end(clip, timeline.last)


def _from(
    clip: Clip, container: InputContainer, stream: VideoStream, start: float, damaged: Callable[[], None]
) -> Iterator[av.VideoFrame]:
    """Decode from some frame before `start` on; from the first where the file cannot be entered in the middle."""
    ahead = start - SEEK_AHEAD
    if ahead <= 0:
        yield from decode(container, stream, damaged)
        return
    try:
        container.seek(round((clip.origin + ahead) / stream.time_base), stream=stream)
        frames = decode(container, stream, damaged)
        first = next(frames, None)
    except (av.FFmpegError, OverflowError, ValueError):
        first = None
    if first is not None and first.pts is not None and first.time - clip.origin <= start:
        yield first
        yield from frames
        return
    with open_container(clip.path) as again:
        yield from decode(again, video_stream(again, clip.path.name), damaged)


def _convert(upright: Upright, frame: av.VideoFrame, name: str) -> UInt8[np.ndarray, "H W 3"]:
    try:
        return upright.rgb(frame)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        kind = frame.format.name if frame.format else "unknown"
        raise InputError("clip.unreadable", f"{name} has pixels that cannot be read ({kind}).", CONVERT) from error


def _note_early_end(clip: Clip, last: float) -> None:
    if clip.info.seconds - last > ENDS_EARLY + 2 / clip.info.fps:
        clip.note(f"The file claims {clip.info.seconds:.1f} s but ends after {last:.1f} s; it may have been cut off.")
