"""Covariances to rotations and scales and back, with scipy's rotations as the reference."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from likeness.gaussians.container import covar_to_quat_scale, quat_scale_to_covar
from likeness.geometry.rotations import quat_to_rotmat


@settings(deadline=None)
@given(seed=st.integers(0, 2**20), smallest=st.sampled_from([0.0, 1e-6, 1e-3]), same=st.booleans())
def test_roundtrip(seed, smallest, same):
    rng = np.random.default_rng(seed)
    scales = np.full((20, 3), 0.01) if same else rng.uniform(1e-3, 1e-1, (20, 3))
    scales[:, 1] = smallest
    covars = quat_scale_to_covar(rng.normal(size=(20, 4)), scales)
    quats, found = covar_to_quat_scale(covars)
    np.testing.assert_allclose(quat_scale_to_covar(quats, found), covars, atol=1e-12)
    np.testing.assert_allclose(found, np.sort(scales, -1), atol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(quats, axis=-1), 1)
    np.testing.assert_allclose(np.linalg.det(quat_to_rotmat(quats)), 1)
    again, _ = covar_to_quat_scale(covars.copy())
    assert np.array_equal(again, quats)


def test_against_scipy():
    rng = np.random.default_rng(0)
    quats, scales = rng.normal(size=(50, 4)), rng.uniform(0, 1, (50, 3))
    rotation = Rotation.from_quat(quats[:, [1, 2, 3, 0]]).as_matrix()
    expected = np.einsum("nij,nj,nkj->nik", rotation, scales**2, rotation)
    np.testing.assert_allclose(quat_scale_to_covar(quats, scales), expected, atol=1e-12)


def test_a_quarter_turn_by_hand():
    """A turn about z by 90 degrees brings the long x axis to y."""
    covar = quat_scale_to_covar(np.array([1.0, 0, 0, 1]), np.array([2.0, 1, 0.5]))
    np.testing.assert_allclose(covar, np.diag([1.0, 4, 0.25]), atol=1e-12)


def test_no_gaussians():
    quats, scales = covar_to_quat_scale(np.zeros((0, 3, 3)))
    assert quats.shape == (0, 4) and scales.shape == (0, 3)
