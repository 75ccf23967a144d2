"""The rotations of an avatar's bones: rest, mirror image, and what the joints do in the photograph.

Every bone's local x points to the subject's left, as head space's does, so a bone in a mirror is its matrix reflected
in x, whatever its rotation mode.
"""

from __future__ import annotations

import numpy as np
from bpy.types import Object, PoseBone
from mathutils import Matrix, Quaternion, Vector

from likeness.contract.avatar import JOINT_NAMES

from ..conventions import BONE_NAMES, joint_to_bone_rotation
from . import find
from .expressions import Direction

_REFLECTION = Matrix.Diagonal((-1, 1, 1, 1))
_OTHER_SIDE = {".L": ".R", ".R": ".L"}


def head_bones(mesh: Object) -> list[PoseBone]:
    """Return the avatar's pose bones in the order of FLAME's joints; none without an armature."""
    armature = find.armature_of(mesh)
    names = (BONE_NAMES[joint] for joint in JOINT_NAMES)
    return [armature.pose.bones[name] for name in names if name in armature.pose.bones] if armature else []


def rotation_property(bone: PoseBone) -> str:
    """Return the name of the property that turns a bone in its rotation mode."""
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(
        bone.rotation_mode, "rotation_euler"
    )


def is_editable(bone: PoseBone) -> bool:
    """Tell whether Blender lets the bone be turned: not on a linked armature without a library override."""
    return not bone.is_property_readonly(rotation_property(bone))


def reset_bones(mesh: Object) -> list[PoseBone]:
    """Put every bone to rest; return those that were not."""
    return [bone for bone in head_bones(mesh) if _set_basis(bone, Matrix.Identity(4))]


def mirror_bones(mesh: Object, direction: Direction) -> list[PoseBone]:
    """Mirror the pose of the head; return the bones that changed. One-sided directions touch only the other eye."""
    bones = head_bones(mesh)
    before = {bone.name: bone.matrix_basis.copy() for bone in bones}
    source = {"LEFT_TO_RIGHT": ".L", "RIGHT_TO_LEFT": ".R"}.get(direction)
    changed = []
    for bone in bones:
        other = _mirrored_name(bone.name)
        follows = direction == "SWAP" or other.endswith(source or "")
        if follows and _set_basis(bone, _REFLECTION @ before[other] @ _REFLECTION):
            changed.append(bone)
    return changed


def pose_as_in_portrait(mesh: Object) -> list[PoseBone]:
    """Turn the bones as FLAME's joints are turned in the photograph; return those that changed."""
    vectors = [Vector(mesh.likeness.portrait.pose[3 * k : 3 * k + 3]) for k in range(len(JOINT_NAMES))]
    turned = {BONE_NAMES[joint]: _basis(joint, vector) for joint, vector in zip(JOINT_NAMES, vectors, strict=True)}
    return [bone for bone in head_bones(mesh) if _set_basis(bone, turned[bone.name])]


def _basis(joint: str, vector: Vector) -> Matrix:
    """Return a joint's rotation vector in head space as its bone's own matrix."""
    turn = Quaternion(vector, vector.length).to_matrix() if vector.length else Matrix.Identity(3)
    return Matrix(joint_to_bone_rotation(joint, np.array(turn))).to_4x4()


def _set_basis(bone: PoseBone, basis: Matrix) -> bool:
    if not is_editable(bone) or _close(bone.matrix_basis, basis):
        return False
    bone.matrix_basis = basis
    return True


def _close(first: Matrix, second: Matrix) -> bool:
    return all(
        abs(a - b) < 1e-6 for row, other in zip(first, second, strict=True) for a, b in zip(row, other, strict=True)
    )


def _mirrored_name(name: str) -> str:
    return name[:-2] + _OTHER_SIDE.get(name[-2:], name[-2:])
