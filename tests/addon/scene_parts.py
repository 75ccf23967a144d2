"""An avatar that exercises everything: posed and read in Blender, and by the contract's formula."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from addon.conventions import BONE_NAMES, blender_to_head, joint_to_bone_rotation
from addon.scene.build import add_avatar
from addon.scene.find import armature_of, controls
from addon.scene.prepare import prepare
from bpy.types import Object
from mathutils import Matrix, Quaternion
from whole_avatars import small_avatar

from likeness.contract.avatar import JOINT_NAMES, Avatar, Rig

COEFFICIENTS = ("expr_0", "expr_1")
"""Controls of a head model's own, beside ARKit's."""


def lively_avatar(seed: int = 1) -> Avatar:
    """Return the small avatar with shapes, coefficients, correctives, weights and Gaussians of random numbers."""
    rng = np.random.default_rng(seed)
    avatar = small_avatar()
    rig, gaussians = avatar.rig, avatar.gaussians
    names = (*rig.control_names, *COEFFICIENTS)
    weights = rng.uniform(0, 1, rig.lbs_weights.shape)
    weights[0], weights[1] = (0, 1, 0, 0, 0), (0, 0.995, 0.005, 0, 0)
    rig = replace(
        rig,
        control_names=names,
        shapedirs=rng.normal(0, 0.01, (*rig.v_neutral.shape, len(names))).astype(np.float32),
        posedirs=rng.normal(0, 0.01, rig.posedirs.shape).astype(np.float32),
        lbs_weights=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
    )
    local = rng.normal(0, 0.3, gaussians.local_mean.shape).astype(np.float32)
    basis = rng.normal(0, 0.3, gaussians.local_basis.shape).astype(np.float32)
    view = replace(avatar.view, controls=np.zeros(len(names), np.float32))
    return replace(avatar, rig=rig, view=view, gaussians=replace(gaussians, local_mean=local, local_basis=basis))


def add(avatar: Avatar | None = None, name: str = "Ada") -> Object:
    """Add an avatar to the scene and return its mesh."""
    return add_avatar(bpy.context, prepare(avatar or lively_avatar()), name)


def forward(rig: Rig, values: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return the vertices (V, 3) as `likeness.contract.avatar.Rig` says, float64."""
    feature = (rotations[1:] - np.eye(3)).ravel()
    shaped = rig.v_neutral + rig.shapedirs @ values + rig.posedirs @ feature
    turns, origins = [rotations[0]], [rig.joints[0].astype(float)]
    for joint, parent in list(enumerate(rig.parents))[1:]:
        turns.append(turns[parent] @ rotations[joint])
        origins.append(origins[parent] + turns[parent] @ (rig.joints[joint] - rig.joints[parent]))
    moved = [(shaped - rest) @ turn.T + at for turn, at, rest in zip(turns, origins, rig.joints, strict=True)]
    return np.einsum("jvc,vj->vc", moved, rig.lbs_weights)


def set_pose(mesh: Object, rotations: np.ndarray, mode: str = "QUATERNION") -> None:
    """Turn the bones as the joints are turned (5, 3, 3)."""
    for joint, turn in zip(JOINT_NAMES, rotations, strict=True):
        bone = armature_of(mesh).pose.bones[BONE_NAMES[joint]]
        bone.rotation_mode = mode
        bone.matrix_basis = Matrix(joint_to_bone_rotation(joint, turn)).to_4x4()


def set_controls(mesh: Object, values: np.ndarray) -> None:
    """Set the shape keys that an animator sets, in order."""
    for key, value in zip(controls(mesh), values, strict=True):
        key.value = value


def evaluated(mesh: Object) -> np.ndarray:
    """Return the vertices as Blender shows them, the object's own space, Blender's axes."""
    data = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = np.empty((len(data.vertices), 3), np.float32)
    data.vertices.foreach_get("co", positions.ravel())
    return positions


def random_rotations(rng: np.random.Generator, joints: int = len(JOINT_NAMES)) -> np.ndarray:
    """Return rotations up to about a right angle."""
    turns = rng.normal((1, 0, 0, 0), 0.3, (joints, 4))
    return np.array([Quaternion(turn).normalized().to_matrix() for turn in turns])


def pose_randomly(mesh: Object, rig: Rig, seed: int) -> np.ndarray:
    """Set random controls and rotations; return the vertices that the engine's formula gives, head space."""
    rng = np.random.default_rng(seed)
    values, rotations = rng.uniform(0, 1, len(rig.control_names)), random_rotations(rng)
    set_controls(mesh, values)
    set_pose(mesh, rotations)
    return forward(rig, values, rotations)


def assert_follows(mesh: Object, rig: Rig, seed: int = 0) -> None:
    """Show that an avatar does what the engine's formula says."""
    expected = pose_randomly(mesh, rig, seed)
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), expected, atol=1e-5)


def is_intact(mesh: Object) -> bool:
    """Tell whether the mesh has the vertices that its Gaussians lie on."""
    return len(mesh.data.vertices) == mesh.likeness.vertex_count
