"""The conversions between Blender and the engine, in pairs and with the worked examples; no bpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon import conventions
from likeness.contract.avatar import JOINT_NAMES

points = st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3).map(lambda xs: np.array(xs, np.float32))
unit = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(np.array)
quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1)


def rotation(quaternion: list[float]) -> np.ndarray:
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def test_the_face_looks_along_minus_y_and_stands_along_z():
    assert conventions.head_to_blender(np.array([0, 0, 1.0])).tolist() == [0, -1, 0]
    assert conventions.head_to_blender(np.array([0, 1.0, 0])).tolist() == [0, 0, 1]
    assert conventions.head_to_blender(np.array([1.0, 0, 0])).tolist() == [1, 0, 0]


def test_axes_turn_without_mirroring():
    assert np.linalg.det(conventions.BLENDER_FROM_HEAD) == pytest.approx(1)
    for axes in conventions.BONE_AXES.values():
        np.testing.assert_allclose(axes.T @ axes, np.eye(3))
        assert np.linalg.det(axes) == pytest.approx(1)


@given(points)
def test_points_come_back(point):
    np.testing.assert_array_equal(conventions.blender_to_head(conventions.head_to_blender(point)), point)


@given(st.sampled_from(JOINT_NAMES), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_rotation_vectors_turn_as_their_rotations_do_and_come_back(joint, vector):
    turned = conventions.joint_to_bone_vectors(joint, np.array(vector))
    expected = conventions.joint_to_bone_rotation(joint, rotation([1.0, *vector]))
    np.testing.assert_allclose(rotation([1.0, *turned]), expected, atol=1e-9)
    np.testing.assert_allclose(conventions.bone_to_joint_vectors(joint, turned), vector, atol=1e-12)


@given(st.sampled_from(JOINT_NAMES), quaternions)
def test_rotations_come_back(joint, quaternion):
    turn = rotation(quaternion)
    bone = conventions.joint_to_bone_rotation(joint, turn)
    np.testing.assert_allclose(conventions.bone_to_joint_rotation(joint, bone), turn, atol=1e-12)


def test_a_jaw_that_opens_turns_about_its_bones_positive_x():
    opened = rotation([1, 0.2, 0, 0])  # about head space's x: the chin, out of the face, goes down
    assert (opened @ [0, 0, 1])[1] < 0
    np.testing.assert_allclose(conventions.joint_to_bone_rotation("jaw", opened), opened, atol=1e-12)


@given(unit)
def test_colours_come_back(color):
    back = conventions.linear_to_srgb(conventions.srgb_to_linear(color))
    np.testing.assert_allclose(back, color, atol=1e-6)


def test_middle_grey():
    assert conventions.srgb_to_linear(np.full(3, 0.5)) == pytest.approx(0.21404, abs=1e-5)


def test_a_metre_is_a_hundred_units_where_a_unit_is_a_centimetre():
    assert conventions.metres_to_units(0.01) == pytest.approx(100)
    assert conventions.units_to_metres(0.01) == pytest.approx(0.01)


positive = st.floats(0.5, 40)
inside = st.floats(-20, 60)


@given(positive, positive, inside, inside, st.integers(1, 4000), st.integers(1, 4000))
def test_lenses_come_back(fx, fy, cx, cy, width, height):
    K = np.array([[fx * width, 0, cx * width], [0, fy * width, cy * height], [0, 0, 1.0]])
    lens = conventions.pixels_to_lens(K, (width, height), 36.0)
    assert min(lens.pixel_aspect) == 1.0
    np.testing.assert_allclose(conventions.lens_to_pixels(lens, (width, height), 36.0), K, rtol=1e-9, atol=1e-6)


def test_a_picture_as_wide_as_its_focal_length_is_seen_through_the_sensors_width():
    K = np.array([[200.0, 0, 90], [0, 200, 160], [0, 0, 1]])
    lens = conventions.pixels_to_lens(K, (200, 300), 36.0)
    assert lens.focal == 36.0 and lens.shift == pytest.approx((0.05, 0.05)) and lens.pixel_aspect == (1.0, 1.0)


@given(quaternions, quaternions, st.floats(0.01, 100))
def test_portrait_cameras_come_back(turn, place, scale):
    T_camera_head, matrix_world = np.eye(4), np.eye(4)
    T_camera_head[:3, :3], T_camera_head[:3, 3] = rotation(turn), (0.1, -0.2, 1.5)
    matrix_world[:3, :3], matrix_world[:3, 3] = rotation(place) * scale, (3, -2, 1)
    camera = conventions.portrait_to_blender_camera(T_camera_head, matrix_world)
    back = conventions.blender_camera_to_portrait(camera, matrix_world)
    np.testing.assert_allclose(back, T_camera_head, atol=1e-6)


def test_a_photograph_from_a_metre_before_the_face_was_taken_from_there():
    T_camera_head = np.diag([1.0, -1, -1, 1])
    T_camera_head[2, 3] = 1.0
    camera = conventions.portrait_to_blender_camera(T_camera_head, np.eye(4))
    np.testing.assert_allclose(camera[:3, 3], [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(camera[:3, 2], [0, -1, 0], atol=1e-12)  # it looks along its -Z
