"""Skin that turns in the portrait's light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from factories import make_avatar
from likeness.avatar.animate import neutral, portrait_expression, pose_avatar, prepare_avatar
from likeness.binding.relight import relight, relight_reference
from likeness.contract.lighting import lit_colors, shade, turned

NECK = 1


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**20))
def test_the_kernel_is_its_readable_twin(seed):
    rng = np.random.default_rng(seed)
    avatar = make_avatar(gaussians=300, seed=seed)
    sound = np.flatnonzero(_areas(avatar) > 1e-5)  # away from the sphere's poles, where frames collapse
    triangle = rng.choice(sound, 300).astype(np.int32)
    vertices = (avatar.rig.v_neutral * rng.uniform(0.7, 1.3, 3)).astype(np.float32)
    avatar = replace(avatar, gaussians=replace(avatar.gaussians, triangle=triangle))
    lit = lit_colors(avatar)
    found = relight(lit, triangle, vertices, avatar.rig.faces)
    np.testing.assert_allclose(found, relight_reference(lit, triangle, vertices, avatar.rig.faces), atol=2e-4)
    assert not np.allclose(found, avatar.gaussians.colors, atol=0.01)


def test_the_portrait_keeps_its_colours():
    avatar = make_avatar(gaussians=400)
    posed = pose_avatar(prepare_avatar(avatar), portrait_expression(avatar))
    sound = ~np.isin(avatar.gaussians.triangle, np.flatnonzero(_areas(avatar) < 1e-7))
    np.testing.assert_allclose(posed.colors[sound], avatar.gaussians.colors[sound], atol=1e-4)


def test_a_head_that_turns_in_the_light_is_a_head_in_light_that_turns_back():
    avatar = make_avatar(gaussians=400)
    rest, turn = neutral(avatar), Rotation.from_rotvec([0.3, 0.7, 0.1])
    pose = rest.pose.copy()
    pose[NECK] = turn.as_rotvec()
    lighting = replace(avatar.lighting, harmonics=turned(avatar.lighting.harmonics, turn.as_matrix().T))
    colors = pose_avatar(prepare_avatar(avatar), rest._replace(pose=pose)).colors
    lit = lit_colors(avatar)
    still = relight(
        replace(lit, harmonics=lighting.harmonics), avatar.gaussians.triangle, avatar.rig.v_neutral, avatar.rig.faces
    )
    sound = ~np.isin(avatar.gaussians.triangle, np.flatnonzero(_areas(avatar) < 1e-7))
    np.testing.assert_allclose(colors[sound], still[sound], atol=1e-4)


def test_what_turns_to_the_light_grows_brighter():
    avatar = make_avatar(gaussians=400)
    harmonics = np.zeros((9, 3), np.float32)
    harmonics[0], harmonics[1] = 1, 0.4  # from the subject's left
    avatar = replace(avatar, lighting=replace(avatar.lighting, harmonics=harmonics))
    rest = neutral(avatar)
    pose = rest.pose.copy()
    pose[NECK] = [0, np.pi / 2, 0]  # what faced forward faces left
    driven = prepare_avatar(avatar)
    before, after = (pose_avatar(driven, rest._replace(pose=p)).colors for p in (rest.pose, pose))
    forward, lit = avatar.lighting.normals[:, 2] > 0.8, np.any(avatar.lighting.normals, axis=1)
    assert forward.any() and (after[forward] > before[forward]).all()
    np.testing.assert_array_equal(after[~lit], before[~lit])
    assert shade(harmonics, np.array([[1.0, 0, 0]]))[0, 0] > 1


def _areas(avatar):
    a, b, c = np.moveaxis(avatar.rig.v_neutral[avatar.rig.faces], 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1)
