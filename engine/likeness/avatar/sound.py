"""The sound of a clip or of a sound file, from a moment on, as an AAC stream beside pictures.

Error codes: sound.missing, sound.unreadable, sound.none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer

from likeness.contract.errors import InputError
from likeness.portrait.decoding import LOCAL_ONLY

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
USUAL_RATE = 48000
BIT_RATE = 192_000
STEP = 0.05
"""Seconds. Presentation times jitter; only larger gaps in the sound are filled with silence."""


class SoundTrack:
    """Decodes one file's first audio stream as far as it is asked to and encodes that; its memory is constant.

    The sound is always encoded anew, also where its packets could be copied: that alone cuts it to the sample.
    """

    def __init__(self, source: InputContainer, start: float) -> None:
        stream = source.streams.audio[0]
        self.rate = stream.rate if stream.rate in AAC_RATES else USUAL_RATE
        self.layout = "mono" if stream.layout.nb_channels == 1 else "stereo"
        self._blocks = _blocks(source, _origin(source) + start, self.rate, self.layout)
        self._rest = np.zeros((2 if self.layout == "stereo" else 1, 0), np.float32)
        self._written = 0

    def add_to(self, container: OutputContainer) -> None:
        """Add the stream, before anything is encoded."""
        self._stream = container.add_stream("aac", rate=self.rate, layout=self.layout)
        self._stream.bit_rate = BIT_RATE

    def write_until(self, container: OutputContainer, seconds: float) -> None:
        """Encode what sounds before this moment, counted from the start."""
        wanted = round(seconds * self.rate) - self._written
        while self._rest.shape[1] < wanted and (block := next(self._blocks, None)) is not None:
            self._rest = np.concatenate([self._rest, block], axis=1)
        samples, self._rest = self._rest[:, :wanted], self._rest[:, wanted:]
        if samples.shape[1]:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self.layout)
            frame.rate, frame.pts = self.rate, self._written
            container.mux(self._stream.encode(frame))
            self._written += samples.shape[1]

    def finish(self, container: OutputContainer) -> None:
        """Encode what the encoder still holds."""
        container.mux(self._stream.encode(None))


@contextmanager
def open_sound(path: Path | None, start: float) -> Iterator[SoundTrack | None]:
    """Open a file's sound from `start` seconds after its first picture on (its first sound, without pictures).

    Errors: InputError `sound.*`.
    """
    if path is None:
        yield None
        return
    if not path.is_file():
        raise InputError("sound.missing", f"There is no file at {path}.", "Check the path of the sound.")
    try:
        source = av.open(f"file:{path}", container_options=LOCAL_ONLY, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            "sound.unreadable", f"{path.name} is no sound or video that can be read here.", "Export it as .wav or .mp4."
        ) from error
    with source:
        if not source.streams.audio or not source.streams.audio[0].rate:
            raise InputError("sound.none", f"{path.name} has no sound.", "Leave the sound out.")
        yield SoundTrack(source, start)


def _origin(source: InputContainer) -> float:
    stream = (source.streams.video or source.streams.audio)[0]
    return float((stream.start_time or 0) * stream.time_base)


def _blocks(source: InputContainer, start: float, rate: int, layout: str) -> Iterator[np.ndarray]:
    """Yield (channels, samples) blocks that follow each other without gaps, the first beginning at `start`."""
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
    if start > 0:
        source.seek(max(int((start - 1.0) * av.time_base), 0))
    position = 0
    for frame in _frames(source):
        parts = [part.to_ndarray() for part in resampler.resample(frame)]
        if not parts:
            continue
        samples = np.concatenate(parts, axis=1)
        offset = 0 if frame.pts is None else round((frame.time - start) * rate) - position
        if position == 0 or abs(offset) > STEP * rate:
            for length in _pieces(offset, rate):
                yield np.zeros((samples.shape[0], length), np.float32)
                position += length
            samples = samples[:, max(-offset, 0) :]
        if samples.shape[1]:
            yield samples
            position += samples.shape[1]


def _pieces(total: int, longest: int) -> Iterator[int]:
    """Split a length, which may be negative, so that a nonsensical time does not ask for all memory at once."""
    while total > 0:
        yield min(total, longest)
        total -= longest


def _frames(source: InputContainer) -> Iterator[av.AudioFrame]:
    """Decode the first audio stream, leaving out what is damaged."""
    for packet in source.demux(audio=0):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
