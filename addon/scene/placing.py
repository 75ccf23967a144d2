"""A motion onto an avatar: which frames of the scene it lies on, what is keyed, and what there is to tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Annotated

import numpy as np
from bpy.types import Object, Scene

from likeness.contract.errors import InputError
from likeness.contract.motion import Motion
from likeness.contract.motion_sampling import sample_motion

from .bake import Placement, bake
from .expressions import readable
from .performance import Bounds, left_out, out_of_range, parts_of

Array = Annotated
WHOLE = 1e-3
"""Frames; how far from a whole frame still is one."""
MOST_NAMES = 6


@dataclass(frozen=True)
class Choices:
    """How a motion is put on an avatar."""

    placement: Placement
    frame: float
    """Of the scene, for the motion's time 0."""
    on_scene_frames: bool = False
    """Keys lie on whole frames alone; else wherever the motion has frames."""
    head_motion: bool = True
    bounds: Bounds | None = None
    """None keys every frame."""


@dataclass(frozen=True)
class Done:
    """What became of a motion."""

    first: float
    """Frame of the scene."""
    last: float
    notes: tuple[str, ...]
    """What was changed besides or could not be done, as sentences."""


def put_on(scene: Scene, mesh: Object, motion: Motion, choices: Choices) -> Done:
    """Key a motion on an avatar at the scene's rate, whole or not at all. Errors: InputError as `bake`."""
    fps = rate(scene)
    if choices.on_scene_frames:
        motion = _on_whole_frames(motion, choices.frame, fps)
    frames = choices.frame + motion.times * fps
    parts = parts_of(mesh, motion, head_motion=choices.head_motion, bounds=choices.bounds)
    notes = bake(mesh, parts, frames, choices.placement)
    notes += _told(left_out(mesh, motion), "has a driver or is missing, and was left out")
    notes += _told(out_of_range(mesh, motion), "goes beyond its range, where Blender holds it")
    if not choices.on_scene_frames and np.abs(frames - np.round(frames)).max() > WHOLE:
        notes.append(f"Keys lie between frames too: the file has {motion.fps:g} frames a second, the scene {fps:g}.")
    return Done(float(frames[0]), float(frames[-1]), tuple(notes))


def rate(scene: Scene) -> float:
    """Return the scene's frames a second."""
    return scene.render.fps / scene.render.fps_base


def _on_whole_frames(motion: Motion, start: float, fps: float) -> Motion:
    """Return the motion as it is on whole frames of the scene. Errors: InputError `performance.short`."""
    first, last = start + motion.times[0] * fps, start + motion.times[-1] * fps
    frames = np.arange(ceil(first - WHOLE), floor(last + WHOLE) + 1)
    if not len(frames):
        raise InputError(
            "performance.short", "No frame of the scene lies within the performance.", "Choose Keys: At Source Times."
        )
    return sample_motion(motion, (frames - start) / fps)


def _told(names: list[str], what: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return [f"{', '.join(map(readable, names[:MOST_NAMES]))}{more}: each {what}."]
