"""Frames for a client that poses its avatars itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from factories import make_avatar
from likeness.avatar.animate import Expression, pose_avatar, prepare_avatar
from likeness.contract.errors import UsageError
from likeness.contract.lighting import lit_colors
from likeness.contract.messages import KeepGaussians, RenderFrame
from likeness.contract.progress import SilentProgress
from likeness.geometry.cameras import look_at_face
from likeness.head.model import forward
from likeness.rendering.api import render
from likeness.worker import frames

CAMERA = look_at_face(1.0, 400.0, 90, 70)
AVATAR = make_avatar(gaussians=300)
SILENT = SilentProgress()


def gaussians(**changed: object) -> KeepGaussians:
    bound = AVATAR.gaussians
    corners = AVATAR.rig.faces[bound.triangle].astype(np.int32)
    lit = vars(lit_colors(AVATAR))
    kept = KeepGaussians(1, "ada", corners, bound.local_mean, bound.local_basis, bound.opacities, **lit)
    return replace(kept, **changed)


def frame(vertices: np.ndarray = AVATAR.rig.v_neutral, **changed: object) -> RenderFrame:
    request = RenderFrame(
        2, CAMERA.width, CAMERA.height, CAMERA.T_camera_head, CAMERA.K, False, 0.01, 100.0,
        ("ada",), (len(vertices),), vertices, np.eye(4)[None],
    )  # fmt: skip
    return replace(request, **changed)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(frames, "_kept", type(frames._kept)())


def test_a_frame_is_the_avatars_picture_in_that_pose():
    rng = np.random.default_rng(0)
    expression = Expression(rng.uniform(0, 1, 52).astype(np.float32), rng.normal(0, 0.1, (5, 3)).astype(np.float32))
    driven = prepare_avatar(AVATAR)
    vertices = forward(driven.head, expression.controls, expression.pose)
    frames.keep(gaussians(), SILENT)
    answer = frames.render_frame(frame(vertices.astype(np.float32)), SILENT)
    posed = pose_avatar(driven, expression)
    drawn = render(CAMERA, posed.means, posed.covars, AVATAR.gaussians.opacities, posed.colors)
    np.testing.assert_allclose(answer.rgba[..., :3], drawn.rgb, atol=1e-5)
    np.testing.assert_allclose(answer.rgba[..., 3], drawn.alpha, atol=1e-5)
    np.testing.assert_allclose(answer.depth, drawn.depth, atol=1e-5)


def test_a_scene_without_avatars_is_an_empty_picture():
    empty = frame(np.zeros((0, 3), np.float32), keys=(), vertex_counts=(), T_world_body=np.zeros((0, 4, 4)))
    assert not frames.render_frame(empty, SILENT).rgba.any()


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 0},
        {"height": 1 << 20},
        {"near": 5.0, "far": 1.0},
        {"vertex_counts": (1,)},
        {"vertex_counts": (-1,)},
        {"K": np.zeros((2, 2))},
        {"T_world_body": np.full((1, 4, 4), np.nan)},
        {"vertex_counts": (3,), "vertices": AVATAR.rig.v_neutral[:3]},
    ],
)
def test_a_frame_that_does_not_fit_is_refused(changed):
    frames.keep(gaussians(), SILENT)
    with pytest.raises(UsageError) as caught:
        frames.render_frame(frame(**changed), SILENT)
    assert caught.value.code == "frame.request"


@pytest.mark.parametrize(
    "changed",
    [
        {"albedo": np.zeros((2, 3), np.float32)},
        {"facing": np.zeros((2, 3), np.float32)},
        {"harmonics": np.zeros((3, 9), np.float32)},
        {"head": np.array([0, 1, -1], np.int32)},
        {"opacities": np.zeros(300)},
        {"local_mean": np.full((300, 3), np.inf, np.float32)},
        {"corners": np.full((300, 3), -1, np.int32)},
    ],
)
def test_gaussians_that_do_not_fit_are_refused(changed):
    with pytest.raises(UsageError) as caught:
        frames.keep(gaussians(**changed), SILENT)
    assert caught.value.code == "frame.gaussians"


def test_what_was_not_kept_or_was_dropped_for_room_is_asked_for_again(monkeypatch):
    with pytest.raises(UsageError, match=r"frame\.unknown"):
        frames.render_frame(frame(), SILENT)
    frames.keep(gaussians(), SILENT)
    monkeypatch.setattr(frames, "MAX_KEPT_BYTES", 1)
    frames.keep(gaussians(key="bob"), SILENT)
    frames.render_frame(frame(keys=("bob",)), SILENT)
    with pytest.raises(UsageError, match=r"frame\.unknown"):
        frames.render_frame(frame(), SILENT)
