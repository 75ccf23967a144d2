"""FFmpeg's libraries through PyAV: a file's packets become upright RGB frames with times that rise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.stream import VideoStream
from jaxtyping import UInt8

from likeness.contract.errors import InputError
from likeness.geometry.threads import core_count

LOCAL_ONLY = {"protocol_whitelist": "file"}
"""A playlist must not make us fetch anything."""
MAX_PIXELS = 8192 * 8192
MAX_PIXEL_ASPECT = 4.0
UNTAGGED, HD = 2, 720
"""Colours of large frames that do not say what they are count as BT.709, of smaller ones as BT.601, as players do."""
USUAL_FPS = 25.0
MAX_FPS = 1000.0
SHORTEST_STEP = 0.05
"""Of a frame's length: between two frames that claim the same time."""
BACKWARDS = 0.5
"""Seconds. Where the times jump back by more, two recordings were joined, and the times go on."""
GIVE_UP = 500
"""Packets in a row that cannot be decoded."""

TEXT = "tty"
"""FFmpeg draws the letters of .txt and .nfo files and calls that a video."""
CONVERT = "Convert it to .mp4 (H.264) with a video program."


def open_container(path: Path) -> InputContainer:
    """Open a media file. Errors: InputError `clip.unreadable`."""
    try:
        container = av.open(f"file:{path}", container_options=LOCAL_ONLY, metadata_errors="replace")
    except PermissionError as error:
        raise InputError("clip.unreadable", f"{path.name} may not be read.", "Change its permissions.") from error
    # PyAV raises ValueError and its relatives besides FFmpeg's own errors on damaged headers.
    except (av.FFmpegError, ValueError) as error:
        reason = f"{path.name} is no video that can be read here, or was cut off."
        raise InputError("clip.unreadable", reason, CONVERT) from error
    if container.format.name == TEXT:
        container.close()
        raise InputError("clip.unreadable", f"{path.name} is text, no video.", "Give a video, or name a take .csv.")
    return container


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the first stream of moving pictures, ready to decode. Errors: `clip.no_video`, `clip.too_large`."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        holds = "sound alone" if container.streams.audio else "no pictures"
        raise InputError("clip.no_video", f"{name} holds {holds}.", "Give a video, or a picture.")
    stream = streams[0]
    if stream.codec_context is None:
        raise InputError("clip.unreadable", f"{name} has a kind of video that cannot be decoded here.", CONVERT)
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        size = f"{stream.codec_context.width} x {stream.codec_context.height}"
        raise InputError("clip.too_large", f"{name} has frames of {size} pixels.", "Reduce it to 3840 x 2160 or less.")
    stream.thread_type = "AUTO"
    stream.thread_count = min(core_count(), 4)
    return stream


def nominal_rate(stream: VideoStream) -> float:
    """Return the frames per second that the file claims, or a usual rate where that makes no sense."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0.1 <= float(rate) <= MAX_FPS:
            return float(rate)
    return USUAL_FPS


def claimed_seconds(container: InputContainer, stream: VideoStream) -> float:
    """Return the length that the file claims, 0 where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return max(float(stream.duration * stream.time_base), 0.0)
    return max((container.duration or 0) / av.time_base, 0.0)


def decode(container: InputContainer, stream: VideoStream, damaged: Callable[[], None]) -> Iterator[av.VideoFrame]:
    """Yield every frame that can be decoded; `damaged` is called for each packet or frame that is not whole."""
    failures = 0
    packets = container.demux(stream)
    while failures < GIVE_UP:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, ValueError):
            damaged()
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            damaged()
            failures += 1
            continue
        for frame in frames:
            failures = 0
            if frame.is_corrupt:
                damaged()
            yield frame


class Upright:
    """Turns a stream's frames into RGB as they are to be seen: turned, mirrored and with square pixels.

    The first frame says how; later frames of another size are brought to its.
    """

    def __init__(self, stream: VideoStream, first: av.VideoFrame) -> None:
        self._size = _square_pixels(first.width, first.height, stream.sample_aspect_ratio)
        self._transposed, self._mirrored_x, self._mirrored_y = _display_matrix(first)
        width, height = self._size
        self.size = (height, width) if self._transposed else (width, height)

    def rgb(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "H W 3"]:
        """Convert one frame. Errors: ValueError, av.FFmpegError for pixel formats that cannot be."""
        width, height = self._size
        colours = "ITU709" if frame.colorspace == UNTAGGED and min(frame.width, frame.height) >= HD else None
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height, src_colorspace=colours, threads=1)
        if self._transposed:
            rgb = rgb.transpose(1, 0, 2)
        return np.ascontiguousarray(rgb[:: -1 if self._mirrored_y else 1, :: -1 if self._mirrored_x else 1])


def _square_pixels(width: int, height: int, aspect: object) -> tuple[int, int]:
    """Return a size with square pixels, never less than the stored one in either direction."""
    ratio = float(aspect) if aspect else 1.0
    if not 1 / MAX_PIXEL_ASPECT <= ratio <= MAX_PIXEL_ASPECT:
        return width, height
    return (round(width * ratio), height) if ratio >= 1 else (width, round(height / ratio))


def _display_matrix(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return whether rows and columns change places, and whether the result is mirrored in x and in y.

    The matrix takes stored (right, down) to seen (right, down): x = a p + c q, y = b p + d q.
    """
    data = frame.side_data.get(SideData.DISPLAYMATRIX)
    if data is None:
        return False, False, False
    a, b, _, c, d = (int(number) for number in np.frombuffer(bytes(data), np.int32)[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


class Timeline:
    """Presentation times in seconds from the clip's first frame, rising strictly whatever the file says."""

    def __init__(self, origin: float, fps: float) -> None:
        self._origin, self._step = origin, 1 / fps
        self._last: float | None = None

    @property
    def last(self) -> float:
        """The last frame's time, 0 before the first."""
        return self._last or 0.0

    def time(self, frame: av.VideoFrame) -> float:
        """Return a frame's time; call it for each frame in order."""
        last = self._last
        if frame.pts is None:
            time = 0.0 if last is None else last + self._step
        else:
            time = frame.time - self._origin
            if last is not None and time < last - BACKWARDS:
                self._origin += time - last - self._step
                time = last + self._step
        if last is not None and time <= last:
            time = last + SHORTEST_STEP * self._step
        self._last = time
        return time
