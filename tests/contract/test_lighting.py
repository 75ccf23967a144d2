"""The portrait's light: spherical harmonics, and colours taken out of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from factories import make_avatar
from likeness.contract.lighting import DIMMEST, basis, light_on, lit_colors, shade, triangle_axes, turned, unlit

seeds = st.integers(0, 2**20)


def directions(rng: np.random.Generator, count: int) -> np.ndarray:
    given = rng.normal(size=(count, 3))
    return given / np.linalg.norm(given, axis=1, keepdims=True)


def test_the_basis_is_orthogonal_over_the_sphere_and_its_first_is_one():
    heights, weights = np.polynomial.legendre.leggauss(8)
    around = np.arange(16) * 2 * np.pi / 16
    height, angle = (x.ravel() for x in np.meshgrid(heights, around, indexing="ij"))
    radius = np.sqrt(1 - height**2)
    values = basis(np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1))
    np.testing.assert_allclose((values * np.repeat(weights, 16)[:, None]).T @ values / 32, np.eye(9), atol=1e-12)
    assert (values[:, 0] == 1).all()


def test_the_basis_spans_scipys_harmonics():
    rng = np.random.default_rng(0)
    x, y, z = (sky := directions(rng, 60)).T
    polar, azimuth = np.arccos(z), np.arctan2(y, x)
    for order, ours in ((0, [0]), (1, [1, 2, 3]), (2, [4, 5, 6, 7, 8])):
        for m in range(-order, order + 1):
            theirs = sph_harm_y(order, m, polar, azimuth)
            for part in (theirs.real, theirs.imag):
                weights, *_ = np.linalg.lstsq(basis(sky)[:, ours], part, rcond=None)
                np.testing.assert_allclose(basis(sky)[:, ours] @ weights, part, atol=1e-12)


@given(seeds)
def test_a_turned_light_is_the_same_light(seed):
    rng = np.random.default_rng(seed)
    harmonics, turn = rng.normal(0, 0.2, (9, 3)), Rotation.random(rng=rng).as_matrix()
    ways = directions(rng, 20)
    np.testing.assert_allclose(basis(ways @ turn.T) @ turned(harmonics, turn), basis(ways) @ harmonics, atol=1e-5)


def test_nothing_is_darker_than_the_dimmest_and_no_normal_means_no_light():
    harmonics = np.zeros((9, 3))
    harmonics[0], harmonics[2] = 1, 2
    up, down, none = shade(harmonics, np.array([[0, 1.0, 0], [0, -1.0, 0], [0, 0, 0]]))
    np.testing.assert_allclose(up, (1 + 2 * 3**0.5) ** (1 / 2.2))
    np.testing.assert_allclose(down, DIMMEST ** (1 / 2.2))
    np.testing.assert_array_equal(none, 1)


@given(seeds)
def test_albedo_in_the_light_of_the_portrait_is_the_portraits_colour(seed):
    avatar = make_avatar(gaussians=100, seed=seed)
    lit = lit_colors(avatar)
    length = np.linalg.norm(lit.facing, axis=1, keepdims=True)
    colors = lit.albedo * shade(lit.still, lit.facing / np.where(length > 0, length, 1))
    np.testing.assert_allclose(colors, avatar.gaussians.colors, atol=1e-4)
    rest = avatar.rig.v_neutral
    np.testing.assert_allclose(light_on(lit.harmonics, rest[lit.body], rest[lit.head]), lit.still, atol=1e-5)


def test_what_hangs_on_the_body_does_not_follow_the_head():
    avatar = make_avatar(gaussians=400)
    lit, rig = lit_colors(avatar), avatar.rig
    of_body = avatar.gaussians.triangle >= rig.head_triangles
    length = np.linalg.norm(lit.facing, axis=1)
    assert not length[of_body].any()
    has_normal = np.any(avatar.lighting.normals, axis=1)
    np.testing.assert_allclose(length[~of_body & has_normal], 1, atol=1e-5)
    assert (rig.lbs_weights[lit.body, 0] == 1).all() and (rig.lbs_weights[lit.head, 1] == 1).all()


@given(seeds)
def test_triangle_axes_turn_with_the_triangle(seed):
    rng = np.random.default_rng(seed)
    corners, turn = rng.normal(size=(3, 3)), Rotation.random(rng=rng).as_matrix()
    axes = triangle_axes(corners)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(triangle_axes(3 * corners @ turn.T + 1), turn @ axes, atol=1e-9)


def test_unlit_gaussians_keep_their_colours():
    avatar = make_avatar()
    plain = replace(avatar, lighting=unlit(len(avatar.gaussians.triangle)))
    np.testing.assert_array_equal(lit_colors(plain).albedo, avatar.gaussians.colors)
    assert not lit_colors(plain).facing.any()
