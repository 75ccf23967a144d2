"""An avatar in Blender against the engine's formulas: the evaluated mesh, the drivers, the points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import bpy
import numpy as np
import pytest
from addon.conventions import BONE_NAMES, blender_to_head, joint_to_bone_rotation
from addon.scene.build import add_avatar
from addon.scene.find import armature_of, avatar_of, avatars, controls, is_intact
from addon.scene.prepare import prepare
from addon.scene.remove import remove_avatar
from create_parts import registered
from mathutils import Matrix, Quaternion
from scene_dump import dump
from whole_avatars import small_avatar

from likeness.contract.avatar import JOINT_NAMES, Avatar, BoundGaussians, Rig

ROTATION_MODES = ("QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE")


@pytest.fixture(autouse=True)
def addon_in_an_empty_file() -> Iterator[None]:
    with registered():
        yield


def lively_avatar(seed: int = 1) -> Avatar:
    """Return the small avatar with shapes, correctives, weights and Gaussians of random numbers."""
    rng = np.random.default_rng(seed)
    avatar = small_avatar()
    rig, gaussians = avatar.rig, avatar.gaussians
    weights = rng.uniform(0, 1, rig.lbs_weights.shape)
    rig = replace(
        rig,
        shapedirs=rng.normal(0, 0.01, rig.shapedirs.shape).astype(np.float32),
        posedirs=rng.normal(0, 0.01, rig.posedirs.shape).astype(np.float32),
        lbs_weights=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
    )
    means = rng.normal(0, 0.3, gaussians.local_mean.shape).astype(np.float32)
    return replace(avatar, rig=rig, gaussians=replace(gaussians, local_mean=means))


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


def set_pose(mesh: bpy.types.Object, rotations: np.ndarray, mode: str) -> None:
    for joint, turn in zip(JOINT_NAMES, rotations, strict=True):
        bone = armature_of(mesh).pose.bones[BONE_NAMES[joint]]
        bone.rotation_mode = mode
        bone.matrix_basis = Matrix(joint_to_bone_rotation(joint, turn)).to_4x4()


def evaluated(mesh: bpy.types.Object) -> np.ndarray:
    data = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = np.empty((len(data.vertices), 3), np.float32)
    data.vertices.foreach_get("co", positions.ravel())
    return positions


def random_rotations(rng: np.random.Generator) -> np.ndarray:
    turns = rng.normal((1, 0, 0, 0), 0.3, (len(JOINT_NAMES), 4))
    return np.array([Quaternion(turn).normalized().to_matrix() for turn in turns])


@pytest.mark.parametrize("mode", ROTATION_MODES)
@pytest.mark.parametrize("seed", range(3))
def test_the_evaluated_mesh_is_the_engines(mode, seed):
    avatar, rng = lively_avatar(seed), np.random.default_rng(seed)
    mesh = add_avatar(bpy.context, prepare(avatar), "Ada")
    values, rotations = rng.uniform(0, 1, len(avatar.rig.control_names)), random_rotations(rng)
    for key, value in zip(controls(mesh), values, strict=True):
        key.value = value
    set_pose(mesh, rotations, mode)
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), forward(avatar.rig, values, rotations), atol=1e-5)


def test_constraints_on_a_bone_move_the_correctives_too():
    avatar = lively_avatar()
    mesh = add_avatar(bpy.context, prepare(avatar), "Ada")
    jaw = armature_of(mesh).pose.bones["jaw"]
    constraint = jaw.constraints.new("LIMIT_ROTATION")
    constraint.use_limit_x, constraint.min_x, constraint.max_x = True, 0.3, 0.3
    constraint.owner_space = "LOCAL"
    rotations = np.tile(np.eye(3), (5, 1, 1))
    rotations[2] = Quaternion((1, 0, 0), 0.3).to_matrix()
    values = np.zeros(len(avatar.rig.control_names))
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), forward(avatar.rig, values, rotations), atol=1e-5)


def test_drivers_need_no_python():
    mesh = add_avatar(bpy.context, prepare(lively_avatar()), "Ada")
    drivers = [curve.driver for curve in mesh.data.shape_keys.animation_data.drivers]
    assert len(drivers) == 36
    assert all(driver.is_simple_expression and driver.is_valid for driver in drivers)


def test_keys_are_the_controls_in_order_then_the_correctives():
    avatar = lively_avatar()
    mesh = add_avatar(bpy.context, prepare(avatar), "Ada")
    names = [key.name for key in mesh.data.shape_keys.key_blocks]
    count = len(avatar.rig.control_names)
    assert names[0] == "Basis" and tuple(names[1 : count + 1]) == avatar.rig.control_names
    assert all(name.startswith("pose.") for name in names[count + 1 :])
    assert tuple(key.name for key in controls(mesh)) == avatar.rig.control_names


def vectors(splats: bpy.types.Object, name: str) -> np.ndarray:
    values = np.empty((len(splats.data.vertices), 3), np.float32)
    splats.data.attributes[name].data.foreach_get("vector", values.ravel())
    return values


def integers(splats: bpy.types.Object, name: str) -> np.ndarray:
    values = np.empty(len(splats.data.vertices), np.int32)
    splats.data.attributes[name].data.foreach_get("value", values)
    return values


def reposed(vertices: np.ndarray, triangles: np.ndarray, gaussians: BoundGaussians) -> tuple[np.ndarray, np.ndarray]:
    """Return means and F B of the Gaussians on these triangles (N, 3)."""
    a, b, c = (vertices[triangles[:, k]].astype(float) for k in range(3))
    normal = np.cross(b - a, c - a)
    frame = np.stack([b - a, c - a, normal / np.sqrt(np.linalg.norm(normal, axis=1))[:, None]], axis=2)
    return a + np.einsum("nij,nj->ni", frame, gaussians.local_mean), frame @ gaussians.local_basis


def test_points_on_the_evaluated_mesh_are_the_engines_gaussians():
    avatar, rng = lively_avatar(), np.random.default_rng(3)
    mesh = add_avatar(bpy.context, prepare(avatar), "Ada")
    values, rotations = rng.uniform(0, 1, len(avatar.rig.control_names)), random_rotations(rng)
    for key, value in zip(controls(mesh), values, strict=True):
        key.value = value
    set_pose(mesh, rotations, "XYZ")
    splats = mesh.likeness.splats
    stored = replace(
        avatar.gaussians,
        local_mean=vectors(splats, "local_mean"),
        local_basis=np.stack([vectors(splats, f"local_basis_{k}") for k in range(3)], axis=2),
    )
    corners = np.stack([integers(splats, f"vertex_{k}") for k in "abc"], axis=1)
    means, spans = reposed(evaluated(mesh), corners, stored)
    truth = forward(avatar.rig, values, rotations)
    expected, expected_spans = reposed(truth, avatar.rig.faces[avatar.gaussians.triangle], avatar.gaussians)
    np.testing.assert_allclose(blender_to_head(means), expected, atol=1e-5)
    covariances = spans @ spans.transpose(0, 2, 1)
    turned = np.einsum("ji,njk,kl->nil", _axes(), covariances, _axes())
    np.testing.assert_allclose(turned, expected_spans @ expected_spans.transpose(0, 2, 1), atol=1e-6)


def _axes() -> np.ndarray:
    return np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)


def test_an_avatar_is_found_from_each_of_its_objects_and_from_a_copy():
    mesh = add_avatar(bpy.context, prepare(lively_avatar()), "Ada")
    splats, armature = mesh.likeness.splats, armature_of(mesh)
    assert avatar_of(mesh) == avatar_of(splats) == avatar_of(armature) == mesh and is_intact(mesh)
    mesh.name = "Grace"
    bpy.ops.object.duplicate()
    copy = bpy.context.view_layer.objects.active
    assert copy != mesh and avatar_of(copy) == copy and copy.likeness.splats == splats
    assert set(avatars(bpy.context.scene)) == {mesh, copy}


def test_an_avatar_goes_as_it_came_and_its_copy_keeps_the_splats():
    before = dump()
    mesh = add_avatar(bpy.context, prepare(lively_avatar()), "Ada")
    bpy.ops.object.duplicate()
    copy = bpy.context.view_layer.objects.active
    remove_avatar(mesh)
    assert copy.likeness.splats is not None and armature_of(copy) is not None
    remove_avatar(copy)
    assert dump()["blocks"] == before["blocks"]


def test_an_avatar_stays_as_large_in_a_scene_of_centimetres():
    bpy.context.scene.unit_settings.scale_length = 0.01
    mesh = add_avatar(bpy.context, prepare(lively_avatar()), "Ada")
    bpy.context.view_layer.update()
    assert tuple(mesh.matrix_world.to_scale()) == pytest.approx((100, 100, 100), rel=1e-5)
