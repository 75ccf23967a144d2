"""The order of levels: what pictures show comes first, and what moving faces show is not forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factories import make_avatar
from likeness.avatar.animate import neutral, prepare_avatar, render_avatar
from likeness.avatar.importance import by_importance, contrasts, contributions
from likeness.avatar.views import face_camera, orbit_camera
from likeness.contract.avatar import Part
from likeness.contract.levels import MOST, level


def test_a_hidden_gaussian_makes_up_nothing_and_a_large_one_much():
    avatar = make_avatar(gaussians=3000)
    bound = avatar.gaussians
    inside = np.arange(3000) < 300
    # Deep in the sphere, under a closed surface, and above it ones twice as wide.
    mean = np.where(inside[:, None], bound.local_mean - [0, 0, 3.0], bound.local_mean * [1, 1, 0])
    basis = bound.local_basis * np.where(np.arange(3000) >= 2700, 2.0, 1.0)[:, None, None]
    changed = replace(bound, local_mean=mean.astype(np.float32), local_basis=basis.astype(np.float32),
                      opacities=np.full(3000, 0.95, np.float32))  # fmt: skip
    pixels = contributions(prepare_avatar(replace(avatar, gaussians=changed)))
    assert pixels[inside].mean() < 0.2 * pixels[300:2700].mean()
    assert pixels[2700:].mean() > 1.5 * pixels[300:2700].mean()


def test_a_colour_among_others_stands_out():
    points = np.stack([np.arange(100.0), np.zeros(100), np.zeros(100)], 1)
    colors = np.full((100, 3), 0.5)
    colors[40] = 0.0
    assert contrasts(points, colors).argmax() == 40


def test_no_avatar_has_more_than_the_most():
    avatar = by_importance(make_avatar(gaussians=MOST + 500))
    assert len(avatar.gaussians.part) == MOST
    assert avatar.info.settings["order"] == "importance"


def test_levels_of_a_real_head_come_near_it_and_keep_its_mouth(astronaut):
    avatar = astronaut.driven.avatar
    count = len(avatar.gaussians.part)
    for camera in (face_camera(avatar, 256, 256), orbit_camera(avatar, 40, 0, 256, 256)):
        whole = picture(avatar, camera)
        errors = [psnr(picture(level(avatar, round(count * share)), camera), whole) for share in (0.2, 0.45, 0.9)]
        assert errors[0] > 25 and errors[1] > 31 and errors[2] > 40
        assert errors == sorted(errors)
    few = level(avatar, count // 5).gaussians
    for part in (Part.SKIN, Part.EYE, Part.MOUTH, Part.LASH):
        assert (few.part == part).sum() >= 0.03 * (avatar.gaussians.part == part).sum()


def picture(avatar, camera):
    return render_avatar(prepare_avatar(avatar), camera, neutral(avatar))


def psnr(first, second):
    return -10 * np.log10(np.mean((first - second) ** 2))
