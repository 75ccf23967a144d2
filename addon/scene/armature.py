"""The armature: FLAME's joints as bones whose rotations are the joints'."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy.types import Collection, Context, Object, VertexGroup
from mathutils import Vector

from .prepare import PreparedBone


def add_armature(context: Context, collection: Collection, name: str, bones: Sequence[PreparedBone]) -> Object:
    """Add an armature with these bones to the collection; leaves it active, in object mode.

    Needs object mode: bones can be made in edit mode alone, which this enters and leaves.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature.show_in_front = True
    armature.data.display_type = "STICK"
    collection.objects.link(armature)
    context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in bones:
        _add_bone(armature, bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose_bone in armature.pose.bones:
        _set_up_pose(pose_bone)
    return armature


def bind_mesh(mesh: Object, armature: Object, bones: Sequence[PreparedBone]) -> None:
    """Let the armature move the mesh by the bones' weights, as linear blend skinning."""
    for bone in bones:
        group = mesh.vertex_groups.new(name=bone.name)
        _set_weights(group, bone.weights)
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    mesh.parent = armature


def _set_weights(group: VertexGroup, weights: np.ndarray) -> None:
    """Fill a group. Most vertices follow one bone alone: those at once, because every call into Blender costs."""
    group.add(np.flatnonzero(weights == 1).tolist(), 1.0, "REPLACE")
    shared = np.flatnonzero((weights != 0) & (weights != 1))
    for index, weight in zip(shared.tolist(), weights[shared].tolist(), strict=True):
        group.add((index,), weight, "REPLACE")


def _add_bone(armature: Object, prepared: PreparedBone) -> None:
    bones = armature.data.edit_bones
    bone = bones.new(prepared.name)
    bone.head, bone.tail = prepared.head, prepared.tail
    bone.align_roll(Vector(prepared.z_axis))
    bone.parent = bones.get(prepared.parent)


def _set_up_pose(bone: bpy.types.PoseBone) -> None:
    """Let the head turn, and only turn: its joints have no other freedom."""
    bone.rotation_mode = "XYZ"
    bone.lock_scale = (True, True, True)
    bone.lock_location = (bone.parent is not None,) * 3
