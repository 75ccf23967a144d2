"""From a performance to the avatar's properties: what each of them does over time, in Blender's own terms.

T samples, C components of a property.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from bpy.types import Object, PoseBone
from mathutils import Quaternion

from likeness.contract.avatar import JOINT_NAMES
from likeness.contract.motion import Motion
from likeness.contract.quaternions import rotvec_to_quat

from ..conventions import BONE_NAMES, joint_to_bone_vectors
from . import find
from .head_bones import head_bones, rotation_property
from .keys import Channel, bone_channels, control_channels
from .reduction import kept_samples, straight

Array = Annotated
STILL = 1e-7
"""How far a value may be from rest and count as resting."""
OVER = 1e-4
"""How far a control may be beyond its range without a word."""
LEVER = 0.1
"""Metres from a head's middle to its face, about: at this distance an angle's bound is a place's."""
HEAD_JOINTS = ("root", "neck")
"""What moves the whole head."""


@dataclass(frozen=True)
class Bounds:
    """How far reduced keys may be off."""

    control: float
    angle: float
    """Radians."""


@dataclass(frozen=True)
class Part:
    """What one property of the avatar does over a performance."""

    channel: Channel
    values: Array[np.ndarray, "T C"]
    bound: float | None
    """None where every sample is to be a key."""

    @property
    def is_still(self) -> bool:
        """Whether it rests throughout."""
        return bool(np.abs(self.values - self.channel.rest()).max() <= STILL)

    def kept(self, frames: Array[np.ndarray, "T"]) -> Array[np.ndarray, "K"]:
        """Return the samples that become keys."""
        return np.arange(len(frames)) if self.bound is None else kept_samples(frames, self.values, self.bound)

    def at(self, known: Array[np.ndarray, "T"], frames: Array[np.ndarray, "N"]) -> Part:
        """Return it at other frames, on straight lines between those that are known."""
        return replace(self, values=straight(frames, known, self.values))


def parts_of(mesh: Object, motion: Motion, *, head_motion: bool = True, bounds: Bounds | None = None) -> list[Part]:
    """Return what controls and bones do: values, rotations in each bone's own mode, and the place of the root.

    What is linked or follows a driver is not in it; `left_out` names it. Without `head_motion` root and neck are not.
    """
    columns = dict(zip(motion.expr_names, motion.expr.astype(float).T, strict=True))
    bound = bounds.control if bounds else None
    parts = [
        Part(channel, columns[channel.struct.name][:, None], bound)
        for channel in control_channels(mesh, motion.expr_names)
    ]
    bones = {bone.name: bone for bone in head_bones(mesh)}
    for number, joint in enumerate(JOINT_NAMES):
        bone = bones.get(BONE_NAMES[joint])
        if bone is not None and (head_motion or joint not in HEAD_JOINTS):
            parts += _bone_parts(bone, joint, motion, number, bounds.angle if bounds else None)
    return parts


def left_out(mesh: Object, motion: Motion) -> list[str]:
    """Return the controls that a performance moves and that the avatar lacks or has drivers for."""
    known = {channel.struct.name for channel in control_channels(mesh, motion.expr_names)}
    moves = np.abs(motion.expr).max(axis=0) > STILL
    return [name for name, is_moved in zip(motion.expr_names, moves, strict=True) if is_moved and name not in known]


def out_of_range(mesh: Object, motion: Motion) -> list[str]:
    """Return the controls that a performance moves beyond their range, at whose end Blender holds them."""
    columns = dict(zip(motion.expr_names, motion.expr.T, strict=True))
    keys = [key for key in find.controls(mesh) if key.name in columns]
    return [
        key.name
        for key in keys
        if columns[key.name].min() < key.slider_min - OVER or columns[key.name].max() > key.slider_max + OVER
    ]


def _bone_parts(bone: PoseBone, joint: str, motion: Motion, number: int, bound: float | None) -> Iterable[Part]:
    driven = _driven(bone)
    for channel in bone_channels([bone]):
        if channel.path not in driven:
            turns = joint_to_bone_vectors(joint, motion.pose[:, number].astype(float))
            yield Part(channel, turned(bone, turns), _part_of_angle(bone, bound))
    place = Channel(bone, "location", bone.name)
    if joint == "root" and place.path not in driven and not bone.is_property_readonly("location"):
        moved = joint_to_bone_vectors(joint, motion.translation.astype(float))
        yield Part(place, moved, None if bound is None else bound * LEVER)


def turned(bone: PoseBone, vectors: Array[np.ndarray, "T 3"]) -> Array[np.ndarray, "T C"]:
    """Return rotation vectors in a bone's own axes as its rotation property has them, without jumps over time."""
    prop = rotation_property(bone)
    if prop == "rotation_quaternion":
        return _quaternions(vectors)
    return _axis_angles(vectors) if prop == "rotation_axis_angle" else _eulers(vectors, bone.rotation_mode)


def _quaternions(vectors: np.ndarray) -> np.ndarray:
    found = rotvec_to_quat(vectors)
    return found * _signs(found)


def _axis_angles(vectors: np.ndarray) -> np.ndarray:
    """Return angles and unit axes; a bone at rest keeps the axis of the last turn."""
    angles = np.linalg.norm(vectors, axis=1, keepdims=True)
    is_turned = angles[:, 0] > STILL
    last = np.maximum.accumulate(np.where(is_turned, np.arange(len(vectors)), -1))
    axes = np.divide(vectors, angles, out=np.tile((0.0, 1.0, 0.0), (len(vectors), 1)), where=angles > STILL)[last]
    axes[last < 0] = axes[np.argmax(is_turned)]
    sign = _signs(axes)
    return np.concatenate([np.unwrap(angles * sign, axis=0), axes * sign], axis=1)


def _eulers(vectors: np.ndarray, order: str) -> np.ndarray:
    found, before = np.empty_like(vectors), None
    for number, quaternion in enumerate(_quaternions(vectors)):
        turn = Quaternion(quaternion)
        before = turn.to_euler(order, before) if before is not None else turn.to_euler(order)
        found[number] = before
    return found


def _signs(vectors: np.ndarray) -> np.ndarray:
    """Return the sign for each row with which it is on the side of the row before."""
    steps = (vectors[1:] * vectors[:-1]).sum(axis=1)
    return np.cumprod(np.append(1.0, np.where(steps < 0, -1.0, 1.0)))[:, None]


def _part_of_angle(bone: PoseBone, bound: float | None) -> float | None:
    """Return the bound of a rotation's components: a quaternion's and an axis's move by half the angle and more."""
    return bound if bound is None or rotation_property(bone) == "rotation_euler" else bound / 2


def _driven(bone: PoseBone) -> set[str]:
    data = bone.id_data.animation_data
    return {curve.data_path for curve in data.drivers} if data else set()
