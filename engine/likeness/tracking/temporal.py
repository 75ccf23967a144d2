"""What is believed about how a head moves: little acceleration, in true time, except where it is sudden.

The penalty of an acceleration a over the time dt is k^2 (sqrt(1 + (r / k)^2) - 1) with r = a sqrt(dt) / s: a square
near zero, linear beyond k deviations s, so that a blink or a plosive costs in proportion to its height and keeps its
edges. Charbonnier's penalty is smooth and convex, so that there is one answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from likeness.geometry.rotations import rotmat_to_rotvec
from likeness.tracking.clip_head import FRAME_COLUMNS, Frames

KNEE = 1.5
"""Deviations beyond which an acceleration counts linearly."""


@dataclass(frozen=True)
class Motionless:
    """How far channels may accelerate and drift. Deviations per channel of a frame's step."""

    acceleration: Float[np.ndarray, "58"]
    """Of acceleration integrated over time: units / s^1.5."""
    speed: Float[np.ndarray, "58"]
    """The same of speed, units / s^0.5: so weak that it only tells gaps to come to rest."""


@dataclass(frozen=True)
class Coupling:
    """The coupled system's part from time: symmetric, channel by channel, T frames."""

    diagonal: Float[np.ndarray, "T 58"]
    next: Float[np.ndarray, "T 58"]
    """Between a frame and the one after it."""
    second: Float[np.ndarray, "T 58"]
    """Between a frame and the second one after it."""
    gradient: Float[np.ndarray, "T 58"]
    cost: float


def velocities(times: Float[np.ndarray, "T"], frames: Frames) -> Float[np.ndarray, "T_minus_1 58"]:
    """Return the mean velocity between neighbours, rotations as rotation vectors in camera axes, per second."""
    turns = frames.rotations[1:] @ frames.rotations[:-1].transpose(0, 2, 1)
    steps = [rotmat_to_rotvec(turns), np.diff(frames.translations, axis=0), np.diff(frames.controls, axis=0)]
    return np.concatenate(steps, 1) / np.diff(times)[:, None]


def smoothness_cost(
    motionless: Motionless, times: Float[np.ndarray, "T"], linked: Bool[np.ndarray, "T_minus_1"], frames: Frames
) -> float:
    """Return half the penalty; `linked` is False between frames that a cut divides."""
    speed, bends, _, _ = _residuals(motionless, times, linked, frames)
    return 0.5 * float((speed**2).sum()) + float((KNEE**2 * (np.sqrt(1 + (bends / KNEE) ** 2) - 1)).sum())


def coupling(
    motionless: Motionless, times: Float[np.ndarray, "T"], linked: Bool[np.ndarray, "T_minus_1"], frames: Frames
) -> Coupling:
    """Linearize the penalty (robust weights as they are here)."""
    count, dt = len(times), np.diff(times)[:, None]
    speed, bends, speed_scale, bend_scale = _residuals(motionless, times, linked, frames)
    diagonal, after, second = (np.zeros((count, FRAME_COLUMNS)) for _ in range(3))
    gradient = np.zeros((count, FRAME_COLUMNS))
    slope = speed_scale / dt
    diagonal[:-1] += slope**2
    diagonal[1:] += slope**2
    after[:-1] -= slope**2
    gradient[1:] += slope * speed
    gradient[:-1] -= slope * speed
    if count > 2:
        weight = 1 / np.sqrt(1 + (bends / KNEE) ** 2)
        c0, c2 = bend_scale / dt[:-1], bend_scale / dt[1:]
        c1 = -(c0 + c2)
        pulled = weight * bends
        for start, c in ((0, c0), (1, c1), (2, c2)):
            rows = slice(start, count - 2 + start)
            diagonal[rows] += weight * c * c
            gradient[rows] += c * pulled
        after[:-2] += weight * c0 * c1
        after[1:-1] += weight * c1 * c2
        second[:-2] += weight * c0 * c2
    return Coupling(diagonal, after, second, gradient, smoothness_cost(motionless, times, linked, frames))


def _residuals(
    motionless: Motionless, times: np.ndarray, linked: np.ndarray, frames: Frames
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return speeds and accelerations in deviations, and what velocities and their differences are multiplied with."""
    dt = np.diff(times)
    moving = velocities(times, frames)
    speed_scale = (np.sqrt(dt) * linked)[:, None] / motionless.speed
    smooth = linked[1:] & linked[:-1]
    bend_scale = (np.sqrt(2 / (dt[1:] + dt[:-1])) * smooth)[:, None] / motionless.acceleration
    return moving * speed_scale, np.diff(moving, axis=0) * bend_scale, speed_scale, bend_scale
