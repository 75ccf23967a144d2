"""The portrait's light: spherical harmonics, and colours taken out of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from factories import make_avatar
from likeness.contract.lighting import DIMMEST, basis, lit_colors, shade, turned, unlit

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
    """Normals come back from their conormals through the frames of the portrait's expression."""
    avatar = make_avatar(gaussians=100, seed=seed)
    lit, rig, which = lit_colors(avatar), avatar.rig, avatar.gaussians.triangle
    vertices = (rig.v_neutral + rig.shapedirs @ avatar.view.controls).astype(np.float64)
    a, b, c = (vertices[rig.faces[which, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    area = np.linalg.norm(across, axis=1)
    sound = area > 1e-7  # at the sphere's poles triangles have no area
    frames = np.stack([b - a, c - a, across / np.sqrt(np.maximum(area, 1e-12))[:, None]], 2)[sound]
    normals = np.einsum("nji,nj->ni", np.linalg.inv(frames), lit.conormals[sound].astype(np.float64))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 0, normals / np.maximum(length, 1e-30), 0)
    np.testing.assert_allclose(normals, avatar.lighting.normals[sound], atol=1e-4)
    colors = lit.albedo[sound] * shade(lit.harmonics, normals)
    np.testing.assert_allclose(colors, avatar.gaussians.colors[sound], atol=1e-4)


def test_unlit_gaussians_keep_their_colours():
    avatar = make_avatar()
    plain = avatar.__class__(**{**vars(avatar), "lighting": unlit(len(avatar.gaussians.triangle))})
    np.testing.assert_array_equal(lit_colors(plain).albedo, avatar.gaussians.colors)
    assert not lit_colors(plain).conormals.any()
