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
from likeness.contract.avatar import Avatar
from likeness.contract.lighting import lit_colors, turned
from likeness.head.model import rig_vertices

ROOT, NECK = 0, 1


def colors(avatar: Avatar, **turns: object) -> np.ndarray:
    """Return the Gaussians' colours with joints turned by rotation vectors."""
    rest = neutral(avatar)
    pose = rest.pose.copy()
    for name, turn in turns.items():
        pose[{"root": ROOT, "neck": NECK}[name]] = turn
    return pose_avatar(prepare_avatar(avatar), rest._replace(pose=pose)).colors


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**20))
def test_the_kernel_is_its_readable_twin(seed):
    rng = np.random.default_rng(seed)
    avatar = make_avatar(gaussians=300, seed=seed)
    lit = lit_colors(avatar)
    lit = replace(lit, facing=lit.facing * rng.uniform(0, 1, (300, 1)).astype(np.float32))
    vertices = rig_vertices(avatar.rig, np.zeros(52, np.float32), rng.normal(0, 0.5, (5, 3)).astype(np.float32))
    found = relight(lit, vertices)
    np.testing.assert_allclose(found, relight_reference(lit, vertices), atol=1e-5)
    assert not np.allclose(found, avatar.gaussians.colors, atol=0.01)


def test_the_portrait_and_any_expression_keep_their_colours():
    avatar = make_avatar(gaussians=400)
    for expression in (portrait_expression(avatar), neutral(avatar)):
        posed = pose_avatar(prepare_avatar(avatar), expression)
        np.testing.assert_allclose(posed.colors, avatar.gaussians.colors, atol=1e-4)


def test_a_head_that_turns_in_the_light_is_a_head_in_light_that_turns_back():
    avatar = make_avatar(gaussians=400)
    turn = Rotation.from_rotvec([0.3, 0.7, 0.1])
    lighting = replace(avatar.lighting, harmonics=turned(avatar.lighting.harmonics, turn.as_matrix().T))
    lit = replace(lit_colors(avatar), harmonics=lit_colors(replace(avatar, lighting=lighting)).harmonics)
    np.testing.assert_allclose(colors(avatar, neck=turn.as_rotvec()), relight(lit, avatar.rig.v_neutral), atol=1e-4)


def test_what_turns_to_the_light_grows_brighter():
    avatar = make_avatar(gaussians=400)
    harmonics = np.zeros((9, 3), np.float32)
    harmonics[0], harmonics[1] = 1, 0.4  # from the subject's left
    dull = replace(avatar.gaussians, colors=avatar.gaussians.colors / 2)
    avatar = replace(avatar, gaussians=dull, lighting=replace(avatar.lighting, harmonics=harmonics))
    before, after = colors(avatar), colors(avatar, neck=[0, np.pi / 2, 0])  # what faced forward faces left
    of_head = avatar.gaussians.triangle < avatar.rig.head_triangles
    lit = np.any(avatar.lighting.normals, axis=1) & of_head
    forward = lit & (avatar.lighting.normals[:, 2] > 0.8)
    assert forward.any() and (after[forward] > 1.05 * before[forward]).all()
    np.testing.assert_array_equal(after[~lit], before[~lit])


def test_the_light_goes_with_the_body():
    avatar = make_avatar(gaussians=400)
    turn = [0.2, 0.6, -0.1]
    np.testing.assert_allclose(colors(avatar, root=[0.2, 1.1, -0.4]), colors(avatar), atol=1e-4)
    np.testing.assert_allclose(colors(avatar, root=[0.2, 1.1, -0.4], neck=turn), colors(avatar, neck=turn), atol=1e-4)
