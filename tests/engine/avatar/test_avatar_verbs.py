"""Driving, drawing and exporting an avatar, on one the tests make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import change, make_avatar
from likeness.avatar.animate import (
    neutral,
    portrait_expression,
    pose_avatar,
    prepare_avatar,
    render_avatar,
    with_controls,
)
from likeness.avatar.export import export_ply, obj_text
from likeness.avatar.performance import KEYS, SECONDS, controls_at, performance_frames
from likeness.avatar.sheet import CELL, COLUMNS, ROWS, draw_sheet
from likeness.avatar.views import orbit_camera
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import UsageError
from likeness.gaussians.container import quat_scale_to_covar
from likeness.gaussians.ply import read_ply
from likeness.geometry.frames import triangle_frames


@pytest.fixture(scope="module")
def avatar():
    return make_avatar(gaussians=400)


def by_the_book(avatar, vertices):
    """Means and covariances straight from the definition in the contract."""
    frames, origins = triangle_frames(vertices, avatar.rig.faces)
    bound = avatar.gaussians
    frame = frames[bound.triangle]
    basis = frame @ bound.local_basis
    means = origins[bound.triangle] + (frame @ bound.local_mean[..., None])[..., 0]
    return means, basis @ basis.transpose(0, 2, 1)


def test_gaussians_ride_as_the_contract_defines(avatar):
    expression = with_controls(avatar.rig, neutral(avatar), {"jawOpen": 0.5, "mouthPucker": 1.0})
    shapes = {name: avatar.rig.shapedirs[..., ARKIT_NAMES.index(name)] for name in ("jawOpen", "mouthPucker")}
    vertices = avatar.rig.v_neutral + 0.5 * shapes["jawOpen"] + shapes["mouthPucker"]
    means, covars, _ = pose_avatar(prepare_avatar(avatar), expression)
    expected_means, expected_covars = by_the_book(avatar, vertices)
    np.testing.assert_allclose(means, expected_means, atol=1e-6)
    np.testing.assert_allclose(covars, expected_covars, atol=1e-8)


def test_a_turned_neck_turns_what_hangs_on_it(avatar):
    rest, turned = neutral(avatar), neutral(avatar)
    turned.pose[1] = [0, np.pi / 2, 0]
    driven = prepare_avatar(avatar)
    means, covars, _ = pose_avatar(driven, rest)
    means_turned, covars_turned, _ = pose_avatar(driven, turned)
    turn, neck = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]), avatar.rig.joints[1]
    head = avatar.gaussians.triangle < avatar.rig.head_triangles
    np.testing.assert_allclose(means_turned[head], ((means - neck) @ turn.T + neck)[head], atol=1e-5)
    np.testing.assert_allclose(covars_turned[head], (turn @ covars @ turn.T)[head], atol=1e-7)
    np.testing.assert_array_equal(means_turned[~head], means[~head])


def test_controls_are_set_on_top_of_the_expression(avatar):
    base = portrait_expression(avatar)
    changed = with_controls(avatar.rig, base, {"tongueOut": 0.9})
    assert changed.controls[ARKIT_NAMES.index("tongueOut")] == np.float32(0.9)
    np.testing.assert_array_equal(changed.controls[:-1], base.controls[:-1])
    assert base.controls[-1] == avatar.view.controls[-1] != np.float32(0.9)


def test_unknown_and_impossible_controls_are_explained(avatar):
    with pytest.raises(UsageError, match="Did you mean mouthSmileLeft"):
        with_controls(avatar.rig, neutral(avatar), {"mouthSmileleft": 1})
    with pytest.raises(UsageError, match=r"control\.unknown"):
        with_controls(avatar.rig, neutral(avatar), {"xyzzy": 1})
    for value in (-0.1, 1.01):
        with pytest.raises(UsageError, match="from 0 to 1"):
            with_controls(avatar.rig, neutral(avatar), {"jawOpen": value})


def test_a_render_shows_each_gaussian_where_it_projects():
    avatar = change(make_avatar(gaussians=1), "gaussians", triangle=np.array([100], np.int32))
    driven, rest = prepare_avatar(avatar), neutral(avatar)
    camera = orbit_camera(avatar, 20, 10, 256, 200)
    rgba = render_avatar(driven, camera, rest)
    assert rgba.shape == (200, 256, 4)
    rows, columns = np.indices(rgba.shape[:2]) + 0.5
    weight = rgba[..., 3]
    middle = [(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()]
    np.testing.assert_allclose(middle, camera.project(pose_avatar(driven, rest)[0][0])[0], atol=0.2)
    np.testing.assert_allclose(rgba[..., :3], weight[..., None] * avatar.gaussians.colors[0], atol=1e-5)


def test_a_render_from_behind_differs(avatar):
    driven = prepare_avatar(avatar)
    front, back = (render_avatar(driven, orbit_camera(avatar, yaw, 0, 64, 64), neutral(avatar)) for yaw in (0, 180))
    assert np.abs(front - back).mean() > 0.01


def test_the_sheet_holds_every_view_of_every_expression(avatar):
    sheet = draw_sheet(avatar)
    columns = 2 + len(COLUMNS)
    assert sheet.shape[0] > len(ROWS) * CELL and sheet.shape[1] > columns * CELL
    np.testing.assert_array_equal(sheet, draw_sheet(avatar))
    assert all(set(values) <= set(ARKIT_NAMES) for values in COLUMNS.values())


def test_the_obj_is_the_posed_mesh(avatar):
    expression = with_controls(avatar.rig, neutral(avatar), {"jawOpen": 1.0})
    rows = [line.split() for line in obj_text(avatar, expression).splitlines()]
    rig = avatar.rig
    vertices = np.array([row[1:] for row in rows if row[0] == "v"], float)
    expected = (rig.v_neutral + rig.shapedirs[..., ARKIT_NAMES.index("jawOpen")])[: rig.head_vertices]
    np.testing.assert_allclose(vertices, expected, atol=1e-6)
    corners = np.array([[corner.split("/") for corner in row[1:]] for row in rows if row[0] == "f"], int) - 1
    np.testing.assert_array_equal(corners[..., 0], rig.faces[: rig.head_triangles])
    np.testing.assert_array_equal(corners[..., 1], rig.faces_uv)
    uv = np.array([row[1:] for row in rows if row[0] == "vt"], float)
    np.testing.assert_allclose(uv, rig.uv, atol=1e-6)


def test_the_ply_holds_the_posed_gaussians(avatar, tmp_path):
    expression = with_controls(avatar.rig, neutral(avatar), {"jawOpen": 1.0})
    export_ply(tmp_path / "a.ply", avatar, expression)
    read, posed = read_ply(tmp_path / "a.ply"), pose_avatar(prepare_avatar(avatar), expression)
    np.testing.assert_allclose(read.means, posed.means, atol=1e-6)
    np.testing.assert_allclose(quat_scale_to_covar(read.quats, read.scales), posed.covars, atol=1e-8)
    np.testing.assert_allclose(read.colors, posed.colors, atol=1e-5)
    np.testing.assert_allclose(read.opacities, avatar.gaussians.opacities, atol=1e-5)


@given(st.floats(0, SECONDS))
def test_the_performance_is_smooth_and_within_range(seconds):
    controls, later = controls_at(seconds), controls_at(seconds + 0.01)
    assert set(controls) <= set(ARKIT_NAMES) and all(0 <= value <= 1 for value in controls.values())
    assert all(abs(later.get(name, 0) - controls.get(name, 0)) < 0.2 for name in controls.keys() | later.keys())


def test_the_performance_hits_its_keys():
    for seconds, wanted in KEYS:
        assert {n: v for n, v in controls_at(seconds).items() if v > 1e-9} == pytest.approx(dict(wanted))
    assert next(performance_frames(make_avatar(), 32)).shape == (32, 32, 3)
