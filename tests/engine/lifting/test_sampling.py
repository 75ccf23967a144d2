"""Samples lie where they should, as densely as asked; lifted pixels cover their pixel whatever the slope."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from likeness.geometry.cameras import look_at_face
from likeness.lifting.sampling import DRAWN_SIGMA, LOW_PASS, disc_basis, lift_pixels, sample_triangles, surface_points

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])


@given(st.floats(0.02, 0.2), st.integers(0, 100))
def test_one_sample_for_every_square_of_the_spacing(spacing, seed):
    samples = sample_triangles(SQUARE, SQUARE_FACES, np.full(2, spacing), np.random.default_rng(seed))
    assert abs(len(samples.triangle) - 1 / spacing**2) <= 1
    points = surface_points(samples, SQUARE, SQUARE_FACES)
    assert points.min() >= -1e-9 and points.max() <= 1 + 1e-9
    np.testing.assert_allclose(samples.bary.sum(1), 1)
    assert samples.bary.min() >= -1e-9


def test_no_large_gap_between_samples():
    spacing = 0.05
    samples = sample_triangles(SQUARE, SQUARE_FACES, np.full(2, spacing), np.random.default_rng(0))
    points = surface_points(samples, SQUARE, SQUARE_FACES)[:, :2]
    grid = np.stack(np.meshgrid(*[np.linspace(0.02, 0.98, 60)] * 2), -1).reshape(-1, 2)
    nearest = np.linalg.norm(grid[:, None] - points, axis=-1).min(1)
    assert nearest.max() < 1.6 * spacing


def test_small_triangles_get_their_share_and_infinite_spacing_none():
    rng = np.random.default_rng(1)
    faces = np.repeat(SQUARE_FACES, 500, 0)
    tiny = SQUARE * 0.01
    spacing = np.full(len(faces), 0.03)
    assert abs(len(sample_triangles(tiny, faces, spacing, rng).triangle) - 1000 * 0.5e-4 / 0.03**2) <= 1
    assert len(sample_triangles(SQUARE, SQUARE_FACES, np.full(2, np.inf), rng).triangle) == 0


@given(st.integers(0, 1000))
def test_disc_bases_are_orthogonal(seed):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(5, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    radius = rng.uniform(0.001, 0.01, 5)
    basis = disc_basis(normal, radius, thickness=0.0005)
    gram = basis.transpose(0, 2, 1) @ basis
    expected = np.stack([radius**2, radius**2, np.full(5, 0.0005**2)], 1)
    np.testing.assert_allclose(gram, expected[:, :, None] * np.eye(3), atol=1e-12)
    assert np.all(np.linalg.det(basis) > 0)


@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([1, 2, 4]))
def test_a_lifted_pixel_is_seen_as_a_round_spot_of_its_size(slope_x, slope_y, size):
    camera = look_at_face(1.0, 600.0, 512, 512)
    center = np.array([[256.0, 256.0]])
    means, basis = lift_pixels(
        camera, center, np.array([float(size)]), np.array([0.98]), np.array([[slope_x, slope_y]])
    )
    np.testing.assert_allclose(camera.project(means)[0], center, atol=1e-9)
    in_camera = camera.rotation @ (basis @ basis.transpose(0, 2, 1))[0] @ camera.rotation.T
    jacobian = np.array([[600 / 0.98, 0, 0], [0, 600 / 0.98, 0]])
    seen = jacobian @ in_camera @ jacobian.T + LOW_PASS * np.eye(2)
    wanted = max((DRAWN_SIGMA * size) ** 2, (0.48 * size) ** 2 + LOW_PASS)
    # The disc's thickness shows a little on steep slopes.
    np.testing.assert_allclose(seen, wanted * np.eye(2), atol=0.4)
