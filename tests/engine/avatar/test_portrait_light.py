"""The light of a portrait, found on the avatar's skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from factories import make_avatar
from likeness.avatar.portrait_light import CLAMPED_COSINE, with_lighting
from likeness.contract.avatar import Part
from likeness.contract.lighting import basis, shade


def lit_sphere(harmonics: np.ndarray, *, noise: float = 0.0):
    """Return the sphere's avatar with skin of one albedo in this light, as the portrait's camera sees it."""
    rng = np.random.default_rng(0)
    avatar = make_avatar(gaussians=3000)
    count = len(avatar.gaussians.triangle)
    part = np.full(count, Part.SKIN, np.int32)
    part[::10] = Part.HAIR
    avatar = replace(avatar, gaussians=replace(avatar.gaussians, part=part))
    normals = with_lighting(avatar).lighting.normals
    albedo = np.array([0.8, 0.6, 0.5]) * np.exp(rng.normal(0, noise, (count, 1)))
    colors = (albedo * shade(harmonics, normals)).astype(np.float32)
    return replace(avatar, gaussians=replace(avatar.gaussians, colors=colors))


@pytest.mark.parametrize("axis", [1, 2])
def test_a_light_from_one_side_is_found(axis):
    wanted = np.zeros((9, 3))
    wanted[0], wanted[axis] = 1, 0.25
    found = with_lighting(lit_sphere(wanted, noise=0.05)).lighting.harmonics
    np.testing.assert_array_equal(found[0], 1)
    others = [i for i in (1, 2) if i != axis]
    assert (found[axis] > 0.12).all() and np.abs(found[others]).max() < 0.08


def test_the_found_light_explains_the_skin_that_is_seen():
    rng = np.random.default_rng(1)
    wanted = rng.normal(0, 0.2, (9, 1)) * CLAMPED_COSINE[:, None] * np.ones(3)
    wanted[0] = 1
    avatar = with_lighting(lit_sphere(wanted))
    normals = avatar.lighting.normals
    seen = normals[:, 2] > 0.4
    ratio = shade(avatar.lighting.harmonics, normals)[seen] / shade(wanted, normals)[seen]
    assert np.ptp(np.log(ratio)) < np.ptp(np.log(shade(wanted, normals)[seen])) / 3


def test_only_skin_has_normals_and_they_point_outwards():
    avatar = with_lighting(lit_sphere(np.eye(9)[:, :1] * np.ones(3)))
    normals, bound, rig = avatar.lighting.normals, avatar.gaussians, avatar.rig
    skin = (bound.part == Part.SKIN) & (bound.triangle < rig.head_triangles)
    assert not normals[~skin].any() and skin.any() and not skin.all()
    np.testing.assert_allclose(np.linalg.norm(normals[skin], axis=1), 1, atol=1e-5)
    middle = rig.v_neutral[: rig.head_vertices].mean(0)
    outwards = rig.v_neutral[rig.faces[bound.triangle]].mean(1) - middle
    assert np.einsum("ni,ni->n", normals, outwards)[skin].min() > 0


def test_a_head_whose_skin_cannot_be_seen_stays_as_it_is():
    avatar = make_avatar()
    hairy = replace(avatar, gaussians=replace(avatar.gaussians, part=np.full_like(avatar.gaussians.part, Part.HAIR)))
    lighting = with_lighting(hairy).lighting
    assert not lighting.normals.any()
    np.testing.assert_allclose(basis(np.array([[0.6, 0.0, 0.8]])) @ lighting.harmonics, 1)
