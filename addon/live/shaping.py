"""From what an app sends to what the avatar shall do: the performer's rest, the mirror, with or without the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES

from .packets import LivePacket
from .rotations import relative_to, turned_back

Array = Annotated
LEAST_RANGE = 0.1
"""What is left above a control's rest counts as at least so much, lest noise becomes a grimace."""


def _other_side(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


_MIRRORED = np.array([ARKIT_NAMES.index(_other_side(name)) for name in ARKIT_NAMES])


@dataclass(frozen=True, eq=False)
class Frames:
    """T frames, or with T of 1 a packet's; rotation and translation of the head, see `LivePacket`."""

    controls: Array[np.ndarray, "T 52"]
    rotation: Array[np.ndarray, "T 3"]
    translation: Array[np.ndarray, "T 3"]


@dataclass(frozen=True)
class Shaping:
    """What is done to every frame."""

    rest: LivePacket | None = None
    """The performer's face and head at rest; without it the app's own zero is the rest."""
    mirror: bool = False
    """Let the avatar's left side do what the performer's right side does."""
    head: bool = True
    """Let the head move, not the face alone."""


def shape(frames: Frames, shaping: Shaping) -> Frames:
    """Return what the avatar shall do; float32. At rest it does nothing: all zeros."""
    controls, rotation, translation = frames.controls, frames.rotation, frames.translation
    if shaping.rest is not None:
        rest = shaping.rest
        controls = np.clip((controls - rest.controls) / np.maximum(1 - rest.controls, LEAST_RANGE), 0, 1)
        rotation = relative_to(rest.rotation, rotation)
        translation = turned_back(rest.rotation, translation - rest.translation)
    if shaping.mirror:
        controls, rotation = controls[:, _MIRRORED], rotation * (1, -1, -1)
        translation = translation * (-1, 1, 1)
    moving = float(shaping.head)
    return Frames(*(each.astype(np.float32) for each in (controls, rotation * moving, translation * moving)))


def shape_packet(packet: LivePacket, shaping: Shaping) -> Frames:
    """Return what the avatar shall do in one frame."""
    return shape(Frames(packet.controls[None], packet.rotation[None], packet.translation[None]), shaping)
