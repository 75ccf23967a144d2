"""Frames into an .mp4 (H.264, yuv420p, which every player shows), with the sound of another file beside them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8

from likeness.avatar.sound import SoundTrack, open_sound
from likeness.contract.atomic import atomic_write
from likeness.contract.errors import MachineError

FPS = 25.0
ENCODER = "libx264"
CRF = "18"
BT709 = 1
LIMITED_RANGE = 1


def write_video(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "H W 3"]],
    size: tuple[int, int],
    *,
    fps: float = FPS,
    sound: Path | None = None,
    sound_start: float = 0.0,
) -> None:
    """Encode frames of `size` (width, height; both even), with `sound` from `sound_start` seconds on as long as they.

    Errors: MachineError `machine.no_h264`, `machine.video_failed`; InputError `output.*`, `sound.*`.
    """
    with open_sound(sound, sound_start) as track, atomic_write(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                _encode(container, frames, size, fps, track)
        except av.FFmpegError as error:
            raise _failure(error) from error


def find_encoder() -> str:
    """Return the H.264 encoder's name in PyAV's FFmpeg. Errors: MachineError `machine.no_h264`."""
    if ENCODER in av.codecs_available:
        return ENCODER
    raise MachineError(
        "machine.no_h264",
        f"The installed PyAV has no {ENCODER} to write videos with.",
        "Install PyAV's own wheel (pip install av), or write numbered .png files instead.",
    )


def _encode(
    container: OutputContainer,
    frames: Iterable[UInt8[np.ndarray, "H W 3"]],
    size: tuple[int, int],
    fps: float,
    track: SoundTrack | None,
) -> None:
    """Send pictures and sound alternately, so that neither has to be kept."""
    rate = Fraction(fps).limit_denominator(1001)
    stream = _add_pictures(container, size, rate)
    if track is not None:
        track.add_to(container)
    for number, rgb in enumerate(frames):
        container.mux(stream.encode(_to_yuv(rgb, number, rate)))
        if track is not None:
            track.write_until(container, float((number + 1) / rate))
    container.mux(stream.encode(None))
    if track is not None:
        track.finish(container)


def _add_pictures(container: OutputContainer, size: tuple[int, int], rate: Fraction) -> VideoStream:
    stream = container.add_stream(find_encoder(), rate=rate, options={"crf": CRF})
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED_RANGE
    return stream


def _to_yuv(rgb: UInt8[np.ndarray, "H W 3"], number: int, rate: Fraction) -> av.VideoFrame:
    """BT.709, and the stream says so: players guess by the picture's size where it is not said."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    frame.pts, frame.time_base = number, 1 / rate
    return frame


def _failure(error: av.FFmpegError) -> Exception:
    if error.errno == errno.ENOSPC:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    reason = " ".join(str(error.strerror or error).split())[:200]
    return MachineError(
        "machine.video_failed", f"The video cannot be written ({reason}).", "Write numbered .png files instead."
    )
