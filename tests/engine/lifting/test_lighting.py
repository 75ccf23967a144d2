"""The light on a head is told from its skin, beards and collars notwithstanding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from likeness.contract.lighting import GAMMA
from likeness.contract.lighting import basis as harmonics
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import REGION_NAMES
from likeness.lifting.lighting import fit_light, light_transfer, shading


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def sphere(rng, count=4000):
    direction = rng.normal(size=(count, 3))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True)


def open_transfer(normals):
    """Of a convex body: each harmonic times the clamped cosine's factor (Ramamoorthi and Hanrahan, equation 8)."""
    return harmonics(normals) * np.array([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])


def test_harmonics_are_orthonormal(rng):
    basis = harmonics(sphere(rng, 200_000))
    np.testing.assert_allclose(basis.T @ basis / len(basis), np.eye(9), atol=0.03)


def test_nothing_shades_a_convex_body(rng):
    points = 0.1 * sphere(rng, 1500)
    faces = ConvexHull(points).simplices
    corners = points[faces]
    inwards = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * corners[:, 0]).sum(1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    transfer = light_transfer(points, faces, np.zeros(3))
    np.testing.assert_allclose(transfer, open_transfer(vertex_normals(points, faces)), atol=0.12)


def test_the_chin_shades_the_neck(open_head):
    vertices = open_head.v_template.astype(np.float64)
    transfer = light_transfer(vertices, open_head.faces, vertices.mean(0))
    face = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("face")])
    forehead = face[vertices[face, 1] > 0.04]
    neck = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("neck")])
    throat = neck[(vertices[neck, 2] > np.quantile(vertices[neck, 2], 0.9))]
    # Of the light from above (the second harmonic is y) the throat gets little; of the even light less than all.
    assert np.median(transfer[forehead, 0]) > 0.9
    assert np.median(transfer[throat, 0]) < 0.92
    assert np.median(transfer[throat, 2]) < np.median(transfer[forehead, 2]) - 0.3


def test_a_light_from_one_side_is_found_beside_a_beard_and_a_collar(rng):
    normals = sphere(rng)
    transfer = open_transfer(normals)
    true = np.zeros((9, 3))
    true[0], true[1], true[3] = [0.4, 0.3, 0.25], [0.25, 0.2, 0.15], [0.1, 0.08, 0.07]
    color = shading(transfer, true)
    seen = normals[:, 2] > 0.3
    beard = seen & (normals[:, 1] < -0.3) & (rng.random(len(seen)) < 0.6)
    collar = seen & (normals[:, 1] < -0.8)
    shown = color.copy()
    shown[beard] *= 0.4
    shown[collar] = 1.0
    found = shading(transfer, fit_light(transfer[seen], shown[seen], np.ones(seen.sum())))
    plain = seen & (normals[:, 1] > -0.3)
    np.testing.assert_allclose(found[plain], color[plain], rtol=0.08)
    # Round the corner as well, where nothing was seen.
    side = (np.abs(normals[:, 2]) < 0.2) & (normals[:, 1] > -0.3)
    assert np.median(np.abs(found[side] / color[side] - 1)) < 0.1


def test_a_portrait_in_grey_has_grey_light(rng):
    normals = sphere(rng, 500)
    transfer = open_transfer(normals)
    grey = np.repeat((0.2 + 0.1 * transfer[:, [3]]) ** (1 / GAMMA), 3, 1)
    light = fit_light(transfer, grey, np.ones(len(grey)))
    np.testing.assert_allclose(light, np.repeat(light[:, :1], 3, 1), atol=1e-6)
