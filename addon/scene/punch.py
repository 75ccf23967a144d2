"""A stretch of an avatar's animation exchanged for a performance's, fading at its ends into what was there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import tau
from typing import Annotated

import bpy
import numpy as np
from bpy.types import FCurve

from likeness.contract.errors import InputError

from . import actions
from .curve_keys import SAME, add_straight, read_keys, spliced, straight_keys, write_keys
from .performance import Part

Array = Annotated


def frames_within(frames: np.ndarray, punch: tuple[float, float] | None) -> np.ndarray:
    """Return the performance's frames within a punch, whose ends are among them; all without one.

    Errors: InputError `performance.punch`.
    """
    if punch is None:
        return frames
    start, end = max(punch[0], frames[0]), min(punch[1], frames[-1])
    if end - start <= SAME:
        raise InputError(
            "performance.punch",
            f"The performance lies on the frames {frames[0]:g} to {frames[-1]:g}, outside the punch-in.",
            "Move its start, or the punch-in.",
        )
    within = frames[(frames > start + SAME) & (frames < end - SAME)]
    return np.concatenate([[start], within, [end]]).astype(np.float32).astype(float)


def replace_stretch(
    undo: ExitStack, channels: bpy.types.bpy_prop_collection, part: Part, curves: Sequence[FCurve | None],
    frames: np.ndarray, blend: float,
) -> None:  # fmt: skip
    """Key a part from the first to the last of these frames, fading from what was there and back to it."""
    if blend:
        before = np.stack([_values_before(curve, part, index, frames) for index, curve in enumerate(curves)], axis=1)
        weight = _weights(frames, blend)[:, None]
        values = before + weight * (_nearest_turn(part, before[0]) - before)
        part = replace(part, values=values)
    kept = part.kept(frames)
    for index, curve in enumerate(curves):
        new = straight_keys(frames[kept], part.values[kept, index])
        if curve is None:
            curve = actions.new_curve(channels, part.channel.path, index, part.channel.group)
            undo.callback(channels.remove, curve)
            add_straight(curve, frames[kept], part.values[kept, index])
        else:
            old = read_keys(curve)
            undo.callback(write_keys, curve, old)
            write_keys(curve, spliced(old, new, joined=blend > 0))


def _weights(frames: np.ndarray, blend: float) -> np.ndarray:
    """Return 0 at both ends and 1 from `blend` frames on, eased in and out (smoothstep)."""
    length = max(min(blend, (frames[-1] - frames[0]) / 2), SAME)
    part = np.clip(np.minimum(frames - frames[0], frames[-1] - frames) / length, 0, 1)
    return part * part * (3 - 2 * part)


def _values_before(curve: FCurve | None, part: Part, index: int, frames: np.ndarray) -> np.ndarray:
    if curve is None:
        return np.full(len(frames), part.channel.values()[index])
    return np.array([curve.evaluate(frame) for frame in frames])


def _nearest_turn(part: Part, before: np.ndarray) -> np.ndarray:
    """Return a part's values, rotations spelt so that they are near to what was there."""
    if part.channel.prop == "rotation_euler":
        return part.values + tau * np.round((before - part.values[0]) / tau)
    if part.channel.prop == "rotation_quaternion" and before @ part.values[0] < 0:
        return -part.values
    return part.values
