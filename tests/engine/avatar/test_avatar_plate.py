"""What lies behind an avatar in its own photograph."""

from __future__ import annotations

import numpy as np

from likeness.avatar.animate import portrait_expression, render_avatar, with_controls
from likeness.avatar.pictures import decode_png, over
from likeness.avatar.plate import photograph_behind
from likeness.avatar.views import portrait_camera


def test_the_photograph_itself_lies_behind_the_face_that_does_the_same(astronaut):
    avatar = astronaut.driven.avatar
    behind = photograph_behind(avatar, portrait_expression(avatar))
    np.testing.assert_array_equal(behind, decode_png(avatar.portrait_png))


def test_behind_another_expression_the_person_is_gone_and_hardly_missed_where_the_head_is(astronaut):
    avatar = astronaut.driven.avatar
    own = portrait_expression(avatar)
    photograph = decode_png(avatar.portrait_png)
    plate = photograph_behind(avatar, with_controls(avatar.rig, own, {"jawOpen": 0.5}))
    head = render_avatar(astronaut.driven, portrait_camera(avatar), own)
    covered = head[..., 3] > 0.9
    assert np.abs(plate.astype(float) - photograph)[covered].mean() > 30
    picture = over(head, plate.astype(np.float32) / 255)
    error = np.mean((picture.astype(float) - photograph) ** 2)
    assert 10 * np.log10(255**2 / error) > 32


def test_a_turned_head_shows_nothing_of_the_old_one_beside_it(astronaut):
    avatar = astronaut.driven.avatar
    own = portrait_expression(avatar)
    still = render_avatar(astronaut.driven, portrait_camera(avatar), own)[..., 3]
    pose = own.pose.copy()
    pose[1] = [0, 0.45, 0]
    turned = render_avatar(astronaut.driven, portrait_camera(avatar), own._replace(pose=pose))[..., 3]
    uncovered = (still > 0.99) & (turned < 0.01) & (np.arange(512)[:, None] < 110)
    plate = photograph_behind(avatar, own._replace(pose=pose))
    photograph = decode_png(avatar.portrait_png).astype(float)
    sky = np.median(photograph[:110][:, 100:130].reshape(-1, 3), axis=0)
    assert uncovered.sum() > 50
    assert np.abs(plate[uncovered] - sky).max() < 60 < np.abs(photograph[uncovered] - sky).max()
