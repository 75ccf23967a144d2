"""The head's pose split between body, neck and place."""

from __future__ import annotations

import numpy as np
import pytest
from sightings import performance

from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.head.model import forward, prepare_identity
from likeness.tracking.staging import FLIP, stage, usual_rotation

TIMES = np.arange(30) / 10


@pytest.mark.parametrize("own_body", [False, True])
def test_split_poses_give_the_fitted_head_back(open_head: HeadAssets, own_body: bool) -> None:
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    frames = performance(TIMES)
    turns = np.linspace([0.1, -0.4, 0.05], [-0.1, 0.2, 0.0], len(TIMES))
    bodies = FLIP @ rotvec_to_rotmat(turns) if own_body else None
    staged = stage(frames, prepared.joints, bodies)
    assert not own_body or np.abs(staged.rotation - turns).max() < 1e-6
    head = np.unique(open_head.faces[open_head.landmark_faces])
    for t in (0, 11, 29):
        pose = np.zeros((5, 3))
        pose[0], pose[1] = staged.rotation[t], staged.neck_pose[t]
        moved = forward(prepared, frames.controls[t], pose) + staged.translation[t]
        rest = forward(prepared, frames.controls[t], np.zeros((5, 3)))
        wanted = rest @ frames.rotations[t].T + frames.translations[t]
        in_camera = moved @ staged.T_camera_world[:3, :3].T + staged.T_camera_world[:3, 3]
        np.testing.assert_allclose(in_camera[head], wanted[head], atol=1e-5)


def test_the_body_stands_still() -> None:
    staged = stage(performance(TIMES), np.zeros((5, 3)))
    assert np.ptp(staged.rotation, 0).max() == 0
    assert np.abs(staged.translation).max() < 0.05


def test_usual_rotation_forgets_a_glance_aside() -> None:
    turns = np.zeros((100, 3))
    turns[:15, 1] = 0.9
    usual = usual_rotation(rotvec_to_rotmat(turns))
    assert np.abs(usual - np.eye(3)).max() < 0.02
