"""An avatar is posed like its person in another picture."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.avatar.animate import DrivenAvatar, neutral, with_controls
from likeness.avatar.match import Matched, Picture, draw_matched, match, turned_body
from likeness.avatar.views import face_camera
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.model import forward
from likeness.portrait.faces import find_faces
from likeness.portrait.types import Photograph

SIZE = 320


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(a @ b.T) - 1) / 2, -1, 1))))


def head_rotation(matched: Matched) -> np.ndarray:
    return matched.camera.rotation @ rotvec_to_rotmat(matched.expression.pose[1].astype(np.float64))


@pytest.fixture(scope="module")
def driven(astronaut) -> DrivenAvatar:
    return astronaut.driven


@pytest.fixture(scope="module")
def truth(driven: DrivenAvatar) -> Matched:
    rest = with_controls(driven.avatar.rig, neutral(driven.avatar), {"jawOpen": 0.4})
    camera = face_camera(driven.avatar, SIZE, SIZE).orbited(np.radians(-25), 0.05, np.array([0, -0.02, -0.05]))
    upright = driven.avatar.view.T_camera_head[:3, :3].astype(np.float64)
    return turned_body(Matched(camera, rest), driven, upright)


@pytest.fixture(scope="module")
def found(driven: DrivenAvatar, truth: Matched) -> Matched:
    drawn = draw_matched(driven, truth)
    landmarks = find_faces(Photograph(drawn, None, ""))[0].landmarks
    everywhere = np.ones((SIZE, SIZE), bool)
    return match(driven, Picture(drawn, everywhere, landmarks, truth.camera.K[:2, 2]))


def test_a_turned_body_leaves_the_head_where_it_is(driven: DrivenAvatar, truth: Matched) -> None:
    camera = face_camera(driven.avatar, SIZE, SIZE)
    rest = Matched(camera, neutral(driven.avatar))
    turned = turned_body(rest, driven, rotvec_to_rotmat(np.array([0.0, 0.4, 0.0])) @ camera.rotation)
    head = driven.avatar.rig.lbs_weights[: driven.avatar.rig.head_vertices, 0] < 1e-3
    head &= driven.avatar.rig.lbs_weights[: driven.avatar.rig.head_vertices, 1] > 0.999
    places = [
        each.camera.transform(forward(driven.head, each.expression.controls, each.expression.pose)[: len(head)][head])
        for each in (rest, turned)
    ]
    assert head.sum() > 100
    np.testing.assert_allclose(*places, atol=2e-3)


def test_the_drawn_pose_is_found_again(truth: Matched, found: Matched) -> None:
    assert angle(head_rotation(found), head_rotation(truth)) < 1


def test_the_bodys_direction_is_found_beside_the_heads(truth: Matched, found: Matched) -> None:
    assert angle(found.camera.rotation, truth.camera.rotation) < 2


def test_the_drawing_lies_on_the_picture(driven: DrivenAvatar, truth: Matched, found: Matched) -> None:
    error = np.mean((draw_matched(driven, found).astype(np.float64) - draw_matched(driven, truth)) ** 2)
    assert 10 * np.log10(255**2 / error) > 32


def test_the_opened_mouth_is_found(driven: DrivenAvatar, found: Matched) -> None:
    opened = found.expression.controls[driven.avatar.rig.control_names.index("jawOpen")]
    assert 0.15 < opened < 0.65
