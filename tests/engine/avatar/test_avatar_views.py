from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_avatar
from likeness.avatar.views import PIVOT, face_camera, framed, orbit_camera, portrait_camera, turnaround

ANGLES = st.floats(-80, 80)


@pytest.fixture(scope="module")
def avatar():
    return make_avatar()


def looks(camera, direction):
    """Where a direction in head space points in the picture (right, down) and away from the camera."""
    return camera.rotation @ np.asarray(direction, float)


@given(yaw=ANGLES, pitch=ANGLES)
def test_the_pivot_stays_in_the_middle_at_the_portraits_distance(avatar, yaw, pitch):
    camera = orbit_camera(avatar, yaw, pitch, 300, 200)
    pixel, depth = camera.project(PIVOT)
    np.testing.assert_allclose(pixel, [150, 100], atol=1e-6)
    np.testing.assert_allclose(depth, portrait_camera(avatar).project(PIVOT)[1])


def test_signs_are_the_documented_ones(avatar):
    nose = [0, 0, 1]
    np.testing.assert_allclose(looks(orbit_camera(avatar, 0, 0, 64, 64), nose), [0, 0, -1], atol=1e-12)
    assert looks(orbit_camera(avatar, 30, 0, 64, 64), nose)[0] == pytest.approx(0.5)
    assert looks(orbit_camera(avatar, 0, 30, 64, 64), nose)[1] == pytest.approx(0.5)
    subjects_left = orbit_camera(avatar, 0, 0, 64, 64).project(np.array([0.1, 0, 0]))[0]
    assert subjects_left[0] > 32


def test_orbits_show_the_head_as_large_as_the_face_square_does(avatar):
    points = PIVOT + np.array([[0.05, 0, 0], [-0.05, 0, 0]])
    widths = [np.ptp(camera.project(points)[0][:, 0]) for camera in (face_camera(avatar, 256, 256),
              orbit_camera(avatar, 0, 0, 256, 256))]  # fmt: skip
    assert widths[1] == pytest.approx(widths[0], rel=1e-6)


def test_the_face_square_fills_the_face_camera(avatar):
    left, top, side = avatar.view.face_square
    portrait, face = portrait_camera(avatar), face_camera(avatar, 128, 128)
    corner = portrait.unproject(np.array([left, top]), np.array(1.0))
    np.testing.assert_allclose(face.project(corner)[0], [0, 0], atol=1e-4)
    corner = portrait.unproject(np.array([left + side, top + side]), np.array(1.0))
    np.testing.assert_allclose(face.project(corner)[0], [128, 128], atol=1e-4)


@given(width=st.integers(16, 500), height=st.integers(16, 500))
def test_framing_keeps_the_box_whole_centred_and_square_pixels(avatar, width, height):
    portrait = portrait_camera(avatar)
    camera = framed(portrait, (10, 20, 30, 15), width, height)
    assert camera.K[0, 0] / portrait.K[0, 0] == pytest.approx(camera.K[1, 1] / portrait.K[1, 1])
    corners = portrait.unproject(np.array([[10.0, 20], [40, 35]]), np.ones(2))
    (left, top), (right, bottom) = camera.project(corners)[0]
    assert min(left, top) > -1e-3 and right < width + 1e-3 and bottom < height + 1e-3
    np.testing.assert_allclose([left + right, top + bottom], [width, height], atol=1e-3)
    assert right - left == pytest.approx(width, abs=1e-3) or bottom - top == pytest.approx(height, abs=1e-3)


def test_a_turnaround_is_one_even_turn(avatar):
    cameras = list(turnaround(avatar, (10.0, 5.0), 8, 32, 32))
    np.testing.assert_allclose(cameras[0].T_camera_head, orbit_camera(avatar, 10, 5, 32, 32).T_camera_head)
    np.testing.assert_allclose(cameras[6].T_camera_head, orbit_camera(avatar, -80, 5, 32, 32).T_camera_head)
    assert len(cameras) == 8
