"""A performance at other times: numbers on straight lines between frames, rotations on the shortest arcs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import numpy as np

from likeness.contract.motion import Motion
from likeness.contract.quaternions import quat_to_rotvec, rotvec_to_quat

Array = Annotated
SLACK = 1e-3
"""Part of a frame by which rounded times may fall short of their last frame."""


def even_times(motion: Motion, fps: float) -> Array[np.ndarray, "N"]:
    """Return evenly spaced times (seconds, float64) from the first frame to the last, `fps` a second."""
    first, last = float(motion.times[0]), float(motion.times[-1])
    return first + np.arange(math.floor((last - first) * fps + SLACK) + 1) / fps


def sample_motion(motion: Motion, times: Array[np.ndarray, "N"]) -> Motion:
    """Return the performance at `times` (seconds from the source's beginning); its camera stays.

    Before the first frame and after the last the head holds still. `observed` is the nearest frame's. Rotations are
    interpolated on the sphere (slerp) and come back with angles up to pi.
    """
    times = np.asarray(times, np.float64)
    before, part = _places(motion.times, times)
    after = np.minimum(before + 1, len(motion.times) - 1)
    pose = _slerp(motion.pose[before], motion.pose[after], part[:, None, None]).astype(np.float32)
    weight = part[:, None].astype(np.float32)
    return replace(
        motion,
        times=times,
        expr=_lerp(motion.expr[before], motion.expr[after], weight),
        rotation=pose[:, 0],
        neck_pose=pose[:, 1],
        jaw_pose=pose[:, 2],
        eyes_pose=pose[:, 3:].reshape(-1, 6),
        translation=_lerp(motion.translation[before], motion.translation[after], weight),
        observed=motion.observed[np.where(part < 0.5, before, after)],
    )


def _places(known: Array[np.ndarray, "T"], times: Array[np.ndarray, "N"]) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame at or before each time and how far on it is towards the next, 0..1."""
    before = np.clip(np.searchsorted(known, times, side="right") - 1, 0, max(len(known) - 2, 0))
    length = known[np.minimum(before + 1, len(known) - 1)] - known[before]
    part = np.divide(times - known[before], length, out=np.zeros_like(times), where=length > 0)
    return before, np.clip(part, 0, 1)


def _lerp(start: np.ndarray, end: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return exactly `start` at 0 and exactly `end` at 1."""
    return start * (1 - part) + end * part


def _slerp(
    start: Array[np.ndarray, "*n 3"], end: Array[np.ndarray, "*n 3"], part: Array[np.ndarray, "*n 1"]
) -> Array[np.ndarray, "*n 3"]:
    """Return rotation vectors on the shortest arcs from `start` to `end`."""
    a, b = rotvec_to_quat(start), rotvec_to_quat(end)
    cosine = (a * b).sum(-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    # Half the distance of two unit vectors: exact for small angles, where the cosine says nothing.
    angle = 2 * np.arcsin(np.clip(np.linalg.norm(b - a, axis=-1, keepdims=True) / 2, 0, 1))
    sine = np.sin(angle)
    straight = sine < 1e-9
    safe = np.where(straight, 1, sine)
    weights = [np.where(straight, w, np.sin(w * angle) / safe) for w in (1 - part, part)]
    return quat_to_rotvec(weights[0] * a + weights[1] * b)
