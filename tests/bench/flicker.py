"""Flicker and popping: how steady an avatar's pixels are while the head turns slowly.

The turn: 90 frames, the camera orbits from yaw -45 to 45 degrees, neutral face, 512 x 512, over grey.

Flicker is the mean of |I(t+1) - 2 I(t) + I(t-1)| over the pixels of the head (alpha above a half in one of the three
frames), in levels of 255. Most of it is no fault: a sharp picture that moves two pixels a frame differs from itself as
much. Popping is the same second difference along the surface: each pixel's point, by the depth that was drawn, is
looked up in the frame before and the frame after, so that what only moves is zero and what is left are Gaussians that
change places in the order, appear and vanish. For that frames are drawn at twice the size (looking up between the
pixels would cost more than what is sought), the difference is averaged down, and points that a neighbouring frame does
not show are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from likeness.avatar.animate import DrivenAvatar, draw_avatar, neutral
from likeness.avatar.views import orbit_camera
from likeness.geometry.cameras import Camera
from likeness.rendering.api import Rendering

SIZE, FRAMES = 512, 90
"""Side in pixels, and number of the pictures."""
YAWS = np.linspace(-45, 45, FRAMES)
"""Degrees."""
GREY = 0.5
"""Background, sRGB."""
FINER = 2
"""Popping is sought in pictures this many times as large."""
EVERY = 8
"""Popping is sought round every eighth frame of the turn; flicker in all."""
SOLID = 0.9
"""Alpha from which a pixel is judged."""
SAME_PLACE = 0.01
"""Depth by which a neighbouring frame may differ from the point that is looked up in it, metres."""
REACH = 4
"""Pixels beside one that looking up between pixels takes in (Lanczos); nearer to the border nothing is judged."""


class Frame(NamedTuple):
    """A picture and the camera that it was drawn with."""

    camera: Camera
    drawn: Rendering[np.ndarray]

    @property
    def over_grey(self) -> Float[np.ndarray, "H W 3"]:
        """The picture, sRGB 0..1."""
        return self.drawn.rgb + (1 - self.drawn.alpha[..., None]) * np.float32(GREY)


def turn(driven: DrivenAvatar, yaws: Sequence[float], size: int = SIZE) -> Iterator[Frame]:
    """Draw the neutral head from each yaw, degrees."""
    rest = neutral(driven.avatar)
    for yaw in yaws:
        camera = orbit_camera(driven.avatar, float(yaw), 0, size, size)
        yield Frame(camera, draw_avatar(driven, camera, rest))


def flicker(frames: Iterator[Frame]) -> float:
    """Return the mean absolute second difference over the head's pixels, levels of 255."""
    total, count = 0.0, 0
    for before, now, after in _threes(frames):
        head = np.maximum.reduce([each.drawn.alpha for each in (before, now, after)]) > 0.5
        apart = np.abs(before.over_grey - 2 * now.over_grey + after.over_grey)[head]
        total, count = total + float(apart.sum(dtype=np.float64)), count + apart.size
    return 255 * total / max(count, 1)


def popping(driven: DrivenAvatar) -> float:
    """Return the mean absolute second difference along the surface over the slow turn, levels of 255."""
    step, total, count = float(YAWS[1] - YAWS[0]), 0.0, 0
    for yaw in YAWS[1:-1:EVERY]:
        apart, judged = along_surface(*turn(driven, (yaw - step, yaw, yaw + step), FINER * SIZE))
        total, count = total + float(apart[judged].sum(dtype=np.float64)), count + int(judged.sum())
    return total / max(count, 1)


def along_surface(before: Frame, now: Frame, after: Frame) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the absolute second difference along the surface, levels of 255, and where it is judged.

    Both averaged down by FINER; a pixel counts if all of its parts are solid and seen in all three frames.
    """
    points, judged = _points(now), now.drawn.alpha > SOLID
    change = -2 * now.drawn.rgb
    for other in (before, after):
        color, shown = _look_up(other, points)
        change, judged = change + color, judged & shown
    height, width = judged.shape[0] // FINER, judged.shape[1] // FINER
    mean_change = change.reshape(height, FINER, width, FINER, 3).mean((1, 3))
    return 255 * np.abs(mean_change).mean(-1), judged.reshape(height, FINER, width, FINER).all((1, 3))


def _threes(frames: Iterator[Frame]) -> Iterator[tuple[Frame, Frame, Frame]]:
    held: list[Frame] = []
    for frame in frames:
        held = [*held[-2:], frame]
        if len(held) == 3:
            yield held[0], held[1], held[2]


def _points(frame: Frame) -> Float[np.ndarray, "H W 3"]:
    """Return what each pixel shows, head space, metres."""
    y, x = np.mgrid[: frame.camera.height, : frame.camera.width] + 0.5
    return frame.camera.unproject(np.stack([x, y], -1), frame.drawn.depth.astype(np.float64))


def _look_up(
    frame: Frame, points: Float[np.ndarray, "H W 3"]
) -> tuple[Float[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"]]:
    """Return the frame's colours at the points, and whether it shows them."""
    pixels, away = frame.camera.project(points)
    x, y = (np.ascontiguousarray(pixels[..., k] - 0.5, np.float32) for k in (0, 1))
    color = cv2.remap(frame.drawn.rgb, x, y, cv2.INTER_LANCZOS4)
    depth, alpha = (cv2.remap(each, x, y, cv2.INTER_NEAREST) for each in (frame.drawn.depth, frame.drawn.alpha))
    inside = (x >= REACH) & (x < x.shape[1] - REACH) & (y >= REACH) & (y < y.shape[0] - REACH)
    return color, inside & (alpha > SOLID) & (np.abs(depth - away) < SAME_PLACE)
