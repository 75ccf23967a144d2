"""From what an app sends to what the avatar shall do: the performer's rest, and the mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES, mirrored_name
from likeness.contract.motion import Motion

from .packets import LivePacket
from .rotations import relative_to

Array = Annotated
LEAST_RANGE = 0.1
"""What is left above a control's rest counts as at least so much, lest noise becomes a grimace."""
_MIRRORED = np.array([ARKIT_NAMES.index(mirrored_name(name)) for name in ARKIT_NAMES])


@dataclass(frozen=True)
class Shaping:
    """What is done to every frame."""

    rest: LivePacket | None = None
    """The performer's face and head at rest; without it the app's own zero is the rest."""
    mirror: bool = False
    """Let the avatar's left side do what the performer's right side does."""


def to_motion(
    times: Array[np.ndarray, "T"],
    controls: Array[np.ndarray, "T 52"],
    rotation: Array[np.ndarray, "T 3"],
    seen: Array[np.ndarray, "T"],
    fps: float,
    shaping: Shaping,
) -> Motion:
    """Return what the avatar shall do; at the performer's rest it does nothing. The head turns in the neck."""
    if shaping.rest is not None:
        rest = shaping.rest
        controls = np.clip((controls - rest.controls) / np.maximum(1 - rest.controls, LEAST_RANGE), 0, 1)
        rotation = relative_to(rest.rotation, rotation)
    if shaping.mirror:
        controls, rotation = controls[:, _MIRRORED], rotation * (1, -1, -1)
    still = np.zeros((len(times), 3), np.float32)
    return Motion(
        times=times,
        expr=controls.astype(np.float32),
        rotation=still,
        neck_pose=rotation.astype(np.float32),
        jaw_pose=still,
        eyes_pose=np.concatenate([still, still], 1),
        translation=still,
        observed=seen.astype(np.uint8),
        fps=fps,
        head_model="open",
        head_model_hash="",
        expr_names=ARKIT_NAMES,
    )


def packet_to_motion(packet: LivePacket, shaping: Shaping) -> Motion:
    """Return one frame as a performance."""
    return to_motion(np.zeros(1), packet.controls[None], packet.rotation[None], np.array([packet.seen]), 1.0, shaping)
