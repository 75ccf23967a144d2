"""Noise out of a performance's channels: One Euro filter or Savitzky-Golay, stronger or weaker by region.

One Euro (Casiez, Roussel and Vogel, CHI 2012), run forward, with the frames' own time steps: a low-pass filter whose
cutoff rises with the speed, cutoff = 10^(1 - 1.5 strength) Hz + 8 |speed|, the speed filtered at 1 Hz as in the paper.
Fast motion, such as a blink, passes; a still face loses its trembling; slow motion comes hundredths of a second late.

Savitzky-Golay (1964): at each frame a parabola is fitted to the frames within 0.3 s times the strength, at least five,
over their own times; without delay, and exactly scipy's `savgol_filter` (mode `interp`) on evenly spaced frames. Gaps
are not bridged.

Rotations are smoothed as rotations: around their mean, where they are small, as vectors whose one speed counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from likeness.contract.motion import Motion
from likeness.motion.regions import region_of

Filter = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
SLOPE = 8.0
"""Of the cutoff against the speed (`beta`): Hz for each unit or radian a second."""
SPEED_CUTOFF = 1.0
LONGEST_WINDOW = 0.3
"""Seconds, at strength 1."""
SMALLEST_WINDOW = 5
ROUNDING = 1e-6
GAP = 3.0
"""Steps this many times the usual one part two stretches that are smoothed by themselves."""
CHUNK = 4096
JOINTS = (("rotation", 0, "head"), ("neck_pose", 0, "head"), ("jaw_pose", 0, "jaw"), ("eyes_pose", 0, "gaze"),
          ("eyes_pose", 3, "gaze"))  # fmt: skip
"""Array, first column and region of each joint's rotation."""


def smoothed(motion: Motion, method: str, strength: float, by_region: Mapping[str, float]) -> Motion:
    """Return the motion with every channel smoothed by `one-euro` or `savgol` at its region's strength, 0..1."""
    apply = {"one-euro": one_euro, "savgol": savitzky_golay}[method]
    strengths = np.array([by_region.get(region_of(name), strength) for name in motion.expr_names])
    expr = _smooth(apply, motion.times, motion.expr, strengths, np.arange(len(strengths)))
    arrays = {"expr": expr, "eyes_pose": motion.eyes_pose.copy()}
    for array, first, region in JOINTS:
        columns = slice(first, first + 3)
        turned = _rotations(apply, motion.times, getattr(motion, array)[:, columns], by_region.get(region, strength))
        if array == "eyes_pose":
            arrays[array][:, columns] = turned
        else:
            arrays[array] = turned
    place = np.full(3, by_region.get("head", strength))
    arrays["translation"] = _smooth(apply, motion.times, motion.translation, place, np.zeros(3, int))
    return replace(motion, **{name: array.astype(np.float32) for name, array in arrays.items()})


def one_euro(
    times: Float[np.ndarray, "T"],
    values: Float[np.ndarray, "T N"],
    strengths: Float[np.ndarray, "N"],
    group: np.ndarray,
) -> Float[np.ndarray, "T N"]:
    """Filter columns forward; columns of one `group` (numbered from 0) have one speed, the length of theirs."""
    lowest = 10 ** (1 - 1.5 * strengths)
    result, speed = values.astype(np.float64), np.zeros(values.shape[1])
    for frame, step in enumerate(np.diff(times), 1):
        measured = (values[frame] - result[frame - 1]) / step
        speed += _share(SPEED_CUTOFF, step) * (measured - speed)
        length = np.sqrt(np.bincount(group, speed**2))[group]
        result[frame] = result[frame - 1] + _share(lowest + SLOPE * length, step) * (values[frame] - result[frame - 1])
    return result


def savitzky_golay(
    times: Float[np.ndarray, "T"],
    values: Float[np.ndarray, "T N"],
    strengths: Float[np.ndarray, "N"],
    group: np.ndarray,
) -> Float[np.ndarray, "T N"]:
    """Filter columns with local parabolas; `group` plays no part, for the filter is linear."""
    result = values.astype(np.float64)
    if len(times) < 2:
        return result
    steps = np.diff(times)
    usual = float(np.median(steps))
    parted = [0, *(np.flatnonzero(steps > GAP * usual) + 1), len(times)]
    for strength in np.unique(strengths):
        columns = np.flatnonzero(strengths == strength)
        window = max(SMALLEST_WINDOW, 2 * math.floor(strength * LONGEST_WINDOW / usual / 2 + ROUNDING) + 1)
        for begin, end in pairwise(parted):
            rows = slice(begin, end)
            result[rows, columns] = _parabolas(times[rows], result[rows, columns], window)
    return result


def _parabolas(times: np.ndarray, values: np.ndarray, window: int) -> np.ndarray:
    """Return each frame's value on the parabola through `window` frames around it, at the ends the nearest ones."""
    frames = len(times)
    window = min(window, frames - 1 + frames % 2)
    if window < SMALLEST_WINDOW:
        return values
    result = np.empty_like(values)
    for begin in range(0, frames, CHUNK):
        here = np.arange(begin, min(begin + CHUNK, frames))
        rows = np.clip(here - window // 2, 0, frames - window)[:, None] + np.arange(window)
        offset = times[rows] - times[here, None]
        offset /= np.abs(offset).max(1, keepdims=True)
        # The value at offset 0 is the constant term: the first row of each fit's pseudoinverse.
        weights = np.linalg.pinv(np.stack([np.ones_like(offset), offset, offset**2], -1))[:, 0]
        result[here] = np.einsum("fw,fwn->fn", weights, values[rows])
    return result


def _smooth(
    apply: Filter, times: np.ndarray, values: np.ndarray, strengths: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Filter the columns that have a strength; the others stay exactly as they are."""
    columns = np.flatnonzero(strengths > 0)
    result = values.copy()
    if len(columns):
        _, numbered = np.unique(group[columns], return_inverse=True)
        result[:, columns] = apply(times, values[:, columns], strengths[columns], numbered)
    return result


def _rotations(apply: Filter, times: np.ndarray, rotvecs: np.ndarray, strength: float) -> np.ndarray:
    if strength == 0 or not rotvecs.any():
        return rotvecs
    rotations = Rotation.from_rotvec(rotvecs)
    mean = rotations.mean()
    around = (mean.inv() * rotations).as_rotvec()
    return (mean * Rotation.from_rotvec(apply(times, around, np.full(3, strength), np.zeros(3, int)))).as_rotvec()


def _share(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    """Return how far an exponential filter goes towards a new value (Casiez et al., equation 5)."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))
