"""An avatar in Blender against the contract's formulas: the evaluated mesh, the drivers, the points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import bpy
import numpy as np
import pytest
from addon.conventions import BLENDER_FROM_HEAD, blender_to_head
from addon.scene.find import armature_of, controls
from addon.scene.prepare import prepare
from bpy.types import Object
from create_parts import registered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mathutils import Quaternion
from scene_parts import COEFFICIENTS, add, assert_follows, evaluated, forward, lively_avatar, pose_randomly, set_pose

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import BoundGaussians
from likeness.contract.lighting import lit_colors

ROTATION_MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
AVATAR = lively_avatar()

quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1)
fractions = st.lists(st.floats(0, 1), min_size=len(AVATAR.rig.control_names), max_size=len(AVATAR.rig.control_names))


@pytest.fixture(autouse=True)
def addon_in_an_empty_file() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def mesh() -> Object:
    return add(AVATAR)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fractions, st.lists(quaternions, min_size=5, max_size=5), st.sampled_from(ROTATION_MODES))
def test_the_evaluated_mesh_is_the_formulas(mesh, fractions, turns, mode):
    keys = controls(mesh)
    values = np.array(
        [key.slider_min + part * (key.slider_max - key.slider_min) for key, part in zip(keys, fractions, strict=True)]
    )
    for key, value in zip(keys, values, strict=True):
        key.value = value
    rotations = np.array([Quaternion(turn).normalized().to_matrix() for turn in turns])
    set_pose(mesh, rotations, mode)
    expected = forward(AVATAR.rig, values, rotations)
    # Blender takes axis and angle from an arc cosine, which in single precision misses small angles by up to 7e-4.
    tolerance = 5e-4 if mode == "AXIS_ANGLE" else 1e-5
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), expected, atol=tolerance)


def at_rest() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(AVATAR.rig.control_names)), np.tile(np.eye(3), (5, 1, 1))


def test_a_limit_on_a_bone_moves_the_correctives_too(mesh):
    constraint = armature_of(mesh).pose.bones["jaw"].constraints.new("LIMIT_ROTATION")
    constraint.use_limit_x, constraint.min_x, constraint.max_x = True, 0.3, 0.3
    constraint.owner_space = "LOCAL"
    values, rotations = at_rest()
    rotations[2] = Quaternion((1, 0, 0), 0.3).to_matrix()
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), forward(AVATAR.rig, values, rotations), atol=1e-5)


def test_an_eye_that_looks_at_something_moves_its_correctives(mesh):
    target = bpy.data.objects.new("Target", None)
    target.location = (0.5, -0.4, 0.3)
    bpy.context.scene.collection.objects.link(target)
    constraint = armature_of(mesh).pose.bones["eye.L"].constraints.new("DAMPED_TRACK")
    constraint.target, constraint.track_axis = target, "TRACK_Y"
    values, rotations = at_rest()
    ahead = blender_to_head(np.array(target.location)) - AVATAR.rig.joints[3]
    rotations[3] = np.array(_shortest_turn(np.array([0, 0, 1.0]), ahead))
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), forward(AVATAR.rig, values, rotations), atol=1e-5)


def _shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    axis = np.cross(start, end)
    angle = np.arctan2(np.linalg.norm(axis), start @ end)
    return np.array(Quaternion(axis / np.linalg.norm(axis), angle).to_matrix())


def test_drivers_need_no_python(mesh):
    drivers = [curve.driver for curve in mesh.data.shape_keys.animation_data.drivers]
    assert len(drivers) == 36
    assert all(driver.is_simple_expression and driver.is_valid for driver in drivers)


def test_the_rig_works_where_scripts_may_not_run(mesh, tmp_path):
    path = str(tmp_path / "closed.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    assert not bpy.app.autoexec_fail
    assert_follows(bpy.data.objects["Ada"], AVATAR.rig)


def test_keys_are_the_controls_in_order_then_the_correctives(mesh):
    names = [key.name for key in mesh.data.shape_keys.key_blocks]
    count = len(AVATAR.rig.control_names)
    assert names[0] == "Basis" and tuple(names[1 : count + 1]) == AVATAR.rig.control_names
    assert all(name.startswith("pose.") for name in names[count + 1 :])
    assert tuple(key.name for key in controls(mesh)) == AVATAR.rig.control_names


def test_ranges_are_one_sided_two_sided_or_a_coefficients(mesh):
    keys = mesh.data.shape_keys.key_blocks
    assert (keys["jawOpen"].slider_min, keys["jawOpen"].slider_max) == (0, 1.5)
    two_sided = [name for name in ARKIT_NAMES if keys[name].slider_min == -1]
    assert two_sided == [name for name in ARKIT_NAMES if name.startswith(("eyeLook", "jaw")) and name != "jawOpen"]
    assert all((keys[name].slider_min, keys[name].slider_max) == (-3, 3) for name in COEFFICIENTS)
    assert all(key.value == 0 for key in keys[1:])


def test_a_corrective_never_meets_its_limits(mesh):
    """R - I has no entry beyond 2; a limit below would flatten a pose."""
    keys = [key for key in mesh.data.shape_keys.key_blocks if key.name.startswith("pose.")]
    assert all((key.slider_min, key.slider_max) == (-2, 2) for key in keys)


def test_the_mesh_shows_the_head_alone(mesh):
    rig, data = AVATAR.rig, mesh.data
    assert len(data.vertices) == len(rig.v_neutral) and len(data.polygons) == rig.head_triangles
    assert [vertex.hide for vertex in data.vertices] == [False] * 4 + [True] * 3
    assert mesh.hide_render and not mesh.hide_viewport


def test_points_are_at_rest_where_the_gaussians_are(mesh):
    expected, _ = reposed(AVATAR.rig.v_neutral, AVATAR.rig.faces[AVATAR.gaussians.triangle], AVATAR.gaussians)
    points = blender_to_head(vectors(mesh.likeness.splats, "position"))
    np.testing.assert_allclose(points, expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_points_on_the_evaluated_mesh_are_the_gaussians(mesh, seed):
    truth, splats, rig = pose_randomly(mesh, AVATAR.rig, seed), mesh.likeness.splats, AVATAR.rig
    means, covariances = reposed(evaluated(mesh), *stored(splats))
    expected, expected_covariances = reposed(truth, rig.faces[AVATAR.gaussians.triangle], AVATAR.gaussians)
    np.testing.assert_allclose(blender_to_head(means), expected, atol=1e-5)
    turned = BLENDER_FROM_HEAD.T @ covariances @ BLENDER_FROM_HEAD
    np.testing.assert_allclose(turned, expected_covariances, atol=1e-5)


def test_opacity_light_and_part_stay_as_they_are(mesh):
    attributes, gaussians = mesh.likeness.splats.data.attributes, AVATAR.gaussians
    np.testing.assert_array_equal([each.value for each in attributes["opacity"].data], gaussians.opacities)
    lit = lit_colors(AVATAR)
    np.testing.assert_array_equal(vectors(mesh.likeness.splats, "albedo"), lit.albedo)
    np.testing.assert_array_equal(vectors(mesh.likeness.splats, "facing"), lit.facing)
    settings = mesh.likeness
    np.testing.assert_array_equal(np.array(settings.light, np.float32).reshape(9, 3), lit.harmonics)
    np.testing.assert_array_equal(np.array(settings.light_still, np.float32).reshape(9, 3), lit.still)
    np.testing.assert_array_equal([*settings.light_body, *settings.light_head], [*lit.body, *lit.head])
    np.testing.assert_array_equal(integers(mesh.likeness.splats, "part"), gaussians.part)


def test_a_vertex_has_the_colour_of_the_gaussians_round_it():
    red = np.tile(np.array([1, 0, 0], np.float32), (len(AVATAR.gaussians.colors), 1))
    prepared = prepare(replace(AVATAR, gaussians=replace(AVATAR.gaussians, colors=red)))
    np.testing.assert_allclose(prepared.vertex_colors, np.tile([1, 0, 0], (7, 1)), atol=1e-6)


def stored(splats: Object) -> tuple[np.ndarray, BoundGaussians]:
    """Return the triangles' vertices (N, 3) and the Gaussians as the points' attributes have them."""
    basis = np.stack([vectors(splats, f"local_basis_{k}") for k in range(3)], axis=2)
    corners = np.stack([integers(splats, f"vertex_{k}") for k in "abc"], axis=1)
    return corners, replace(AVATAR.gaussians, local_mean=vectors(splats, "local_mean"), local_basis=basis)


def vectors(splats: Object, name: str) -> np.ndarray:
    values = np.empty((len(splats.data.vertices), 3), np.float32)
    splats.data.attributes[name].data.foreach_get("vector", values.ravel())
    return values


def integers(splats: Object, name: str) -> np.ndarray:
    values = np.empty(len(splats.data.vertices), np.int32)
    splats.data.attributes[name].data.foreach_get("value", values)
    return values


def reposed(vertices: np.ndarray, corners: np.ndarray, gaussians: BoundGaussians) -> tuple[np.ndarray, np.ndarray]:
    """Return means and covariances of the Gaussians, as `likeness.contract.avatar.BoundGaussians` says."""
    a, b, c = (vertices[corners[:, k]].astype(float) for k in range(3))
    normal = np.cross(b - a, c - a)
    frame = np.stack([b - a, c - a, normal / np.sqrt(np.linalg.norm(normal, axis=1))[:, None]], axis=2)
    spans = frame @ gaussians.local_basis
    return a + np.einsum("nij,nj->ni", frame, gaussians.local_mean), spans @ spans.transpose(0, 2, 1)
