"""Binding to triangles: there and back, under transforms whose effect is known, and the kernel against its twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.binding.affine import bind, pose, pose_reference
from likeness.contract.avatar import BoundGaussians
from likeness.geometry.rotations import rotvec_to_rotmat

SEEDS = st.integers(0, 2**20)


def _mesh(rng):
    """Return a small crumpled sheet: vertices and faces."""
    x, y = np.meshgrid(np.arange(6), np.arange(5))
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(30)], -1) * 0.01 + rng.normal(0, 0.002, (30, 3))
    corner = (np.arange(4)[:, None] * 6 + np.arange(5)).ravel()
    return vertices, np.concatenate([np.stack([corner, corner + 1, corner + 6], -1),
                                     np.stack([corner + 1, corner + 7, corner + 6], -1)]).astype(np.int32)  # fmt: skip


def _gaussians(rng, faces, count=40):
    means = rng.normal(0, 0.03, (count, 3))
    return means, rng.normal(0, 0.002, (count, 3, 3)), rng.integers(0, len(faces), count).astype(np.int32)


def _bound(means, basis, triangle, vertices, faces):
    local_mean, local_basis = bind(means, basis, triangle, vertices, faces)
    count = len(means)
    return BoundGaussians(triangle, local_mean, local_basis, np.ones(count, np.float32),
                          np.ones((count, 3), np.float32), np.zeros(count, np.int32))  # fmt: skip


def _covars(basis):
    return basis @ basis.transpose(0, 2, 1)


@settings(deadline=None, max_examples=50)
@given(seed=SEEDS)
def test_the_mesh_of_the_binding_gives_the_gaussians_back(seed):
    rng = np.random.default_rng(seed)
    vertices, faces = _mesh(rng)
    means, basis, triangle = _gaussians(rng, faces)
    posed, covars = pose(_bound(means, basis, triangle, vertices, faces), vertices, faces)
    np.testing.assert_allclose(posed, means, atol=3e-5)
    np.testing.assert_allclose(covars, _covars(basis), atol=2e-6)


@settings(deadline=None, max_examples=50)
@given(seed=SEEDS, scale=st.floats(0.3, 3))
def test_gaussians_move_turn_and_scale_with_the_mesh(seed, scale):
    rng = np.random.default_rng(seed)
    vertices, faces = _mesh(rng)
    means, basis, triangle = _gaussians(rng, faces)
    transform, shift = scale * rotvec_to_rotmat(rng.normal(size=3)), rng.normal(0, 0.1, 3)
    bound = _bound(means, basis, triangle, vertices, faces)
    posed, covars = pose(bound, vertices @ transform.T + shift, faces)
    np.testing.assert_allclose(posed, means @ transform.T + shift, atol=1e-4)
    np.testing.assert_allclose(covars, _covars(transform @ basis), atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS)
def test_what_lies_on_the_surface_follows_any_affine_map(seed):
    """Points and flat Gaussians in a triangle's plane go where the map takes them, without cracks."""
    rng = np.random.default_rng(seed)
    vertices, faces = _mesh(rng)
    triangle = rng.integers(0, len(faces), 40).astype(np.int32)
    corners = vertices[faces[triangle]]
    means = np.einsum("nk,nkc->nc", rng.dirichlet(np.ones(3), 40), corners)
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], np.zeros((40, 3))], -1)
    basis = edges @ rng.normal(0, 0.3, (40, 3, 3))
    affine = np.eye(3) + rng.normal(0, 0.4, (3, 3))
    posed, covars = pose(_bound(means, basis, triangle, vertices, faces), vertices @ affine.T, faces)
    np.testing.assert_allclose(posed, means @ affine.T, atol=2e-6)
    np.testing.assert_allclose(covars, _covars(affine @ basis), atol=2e-7)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, count=st.sampled_from([0, 1, 20000]))
def test_the_kernel_agrees_with_its_twin(seed, count):
    rng = np.random.default_rng(seed)
    vertices, faces = _mesh(rng)
    bound = _bound(*_gaussians(rng, faces, count), vertices, faces)
    moved = vertices + rng.normal(0, 0.003, vertices.shape)
    means, covars = pose(bound, moved, faces)
    assert means.dtype == covars.dtype == np.float32
    twin_means, twin_covars = pose_reference(bound, moved, faces)
    np.testing.assert_allclose(means, twin_means, atol=1e-5 * max(1, np.abs(twin_means).max(initial=0)))
    np.testing.assert_allclose(covars, twin_covars, atol=1e-4 * np.abs(twin_covars).max(initial=1e-9))
    np.testing.assert_array_equal(covars, covars.transpose(0, 2, 1))


@pytest.mark.parametrize("collapse", [[0, 0, 0], [1, 0, 0], [1, 1e-7, 0], [1e-20, 1e-20, 0], [1, 1e-13, 1]])
def test_collapsed_triangles_give_finite_numbers(collapse):
    rng = np.random.default_rng(0)
    vertices, faces = _mesh(rng)
    flat = vertices * collapse
    flat[:, 2] += vertices[0, 2]
    means, basis, triangle = _gaussians(rng, faces)
    for bound_on, posed_on in ((flat, vertices), (vertices, flat), (flat, flat)):
        posed = pose(_bound(means, basis, triangle, bound_on, faces), posed_on, faces)
        assert all(np.isfinite(array).all() for array in posed)
