"""Clips that the tests make themselves, and frames with the astronaut's face (NASA, public domain) in them."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data


def write_clip(
    path: Path,
    frames,
    *,
    fps: int = 25,
    ticks: list[int] | None = None,
    rotation: tuple[float, bool, bool] | None = None,
    aspect: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound: bool = False,
) -> Path:
    """Write RGB frames; `ticks` are presentation times in 1/600 s, `rotation` is (degrees, mirrored x, mirrored y)."""
    frames = list(frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        if ticks is not None:
            stream.codec_context.time_base = Fraction(1, 600)
        tone = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for number, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format=pix_fmt)
            frame.pts = number if ticks is None else ticks[number]
            frame.time_base = Fraction(1, fps) if ticks is None else Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
            samples.rate, samples.pts = 48000, 0
            container.mux(tone.encode(samples))
            container.mux(tone.encode(None))
    return path


@lru_cache(maxsize=1)
def astronaut() -> np.ndarray:
    """Her head and shoulders, 288 x 288; the face is about 100 pixels wide."""
    return skimage.data.astronaut()[0:288, 80:368].copy()


def another_person() -> np.ndarray:
    """The astronaut mirrored, in other colours, which is another person for whom colours count."""
    return np.ascontiguousarray(astronaut()[:, ::-1, ::-1] // 2 + 30)


def placed(pictures: list[tuple[np.ndarray, float, float]], size: tuple[int, int]) -> np.ndarray:
    """Lay pictures with their top left corners at places, which may be fractions, on a plain ground."""
    canvas = np.full((size[1], size[0], 3), (90, 110, 120), np.uint8)
    for picture, x, y in pictures:
        matrix = np.array([[1.0, 0, x], [0, 1.0, y]])
        warped = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR)
        mask = cv2.warpAffine(np.full(picture.shape[:2], 255, np.uint8), matrix, size) == 255
        canvas[mask] = warped[mask]
    return canvas


def moving_astronaut(count: int, size: tuple[int, int] = (400, 320), speed: float = 2.0) -> list[np.ndarray]:
    """Frames in which she drifts to the right, pixels a frame."""
    return [placed([(astronaut(), 20 + speed * number, 16 + 0.3 * number)], size) for number in range(count)]
