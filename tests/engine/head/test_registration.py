"""Registration of surfaces: closest points against trimesh, similarities and warps that are known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from likeness.head.registration import (
    Mesh,
    Similarity,
    SurfacePoints,
    boundary_vertices,
    closest_points,
    fit_similarity,
    neighbour_mean,
    register,
)

seeds = st.integers(0, 2**32 - 1)


def sphere(subdivisions: int = 4) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=0.1)
    return Mesh(np.array(ball.vertices), np.array(ball.faces), np.ones(len(ball.faces), bool))


def egg(points: np.ndarray) -> np.ndarray:
    """A smooth deformation of millimetres."""
    x, y, z = points.T
    return points + 0.006 * np.stack([np.sin(15 * y), np.cos(12 * z + 1), np.sin(14 * x + 2)], -1)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_closest_points_are_trimeshs(seed: int):
    rng = np.random.default_rng(seed)
    mesh = sphere(3)
    points = rng.normal(0, 0.07, (40, 3))
    points = points[np.linalg.norm(points, axis=1) > 0.03]  # near the centre everything is equally far
    found = closest_points(points, mesh)
    _, distance, _ = trimesh.proximity.closest_point(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False), points)
    assert np.allclose(found.distance, distance, atol=2e-5)
    assert np.allclose(np.linalg.norm(found.on(mesh.vertices, mesh.faces) - points, axis=1), found.distance)
    assert np.allclose(found.bary.sum(1), 1) and (found.bary >= -1e-12).all()


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_closest_point_on_one_triangle_beats_every_sample(seed: int):
    rng = np.random.default_rng(seed)
    mesh = Mesh(rng.normal(0, 1, (3, 3)), np.array([[0, 1, 2]]), np.ones(1, bool))
    point = rng.normal(0, 2, (1, 3))
    samples = rng.dirichlet([1, 1, 1], 2000) @ mesh.vertices
    assert closest_points(point, mesh).distance[0] <= np.linalg.norm(samples - point, axis=1).min() + 1e-9


def test_normals_choose_the_side_of_a_thin_plate():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    vertices = np.concatenate([corners, corners + np.array([0, 0, 0.01])])
    mesh = Mesh(vertices, np.array([[0, 2, 1], [3, 4, 5]]), np.ones(2, bool))
    point = np.array([[0.2, 0.2, 0.002]])
    assert closest_points(point, mesh).faces[0] == 0
    assert closest_points(point, mesh, np.array([[0, 0, 1.0]])).faces[0] == 1
    assert closest_points(point, mesh, np.array([[0, 0, -1.0]])).faces[0] == 0


def test_unusable_triangles_are_never_chosen():
    mesh = sphere(2)
    front = mesh.vertices[mesh.faces].mean(1)[:, 2] > 0
    found = closest_points(mesh.vertices, Mesh(mesh.vertices, mesh.faces, front))
    assert front[found.faces].all()


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_similarity_is_recovered(seed: int):
    rng = np.random.default_rng(seed)
    truth = Similarity(float(rng.uniform(0.5, 2)), Rotation.random(random_state=rng).as_matrix(), rng.normal(0, 1, 3))
    points = rng.normal(0, 1, (10, 3))
    found = fit_similarity(points, truth.apply(points), rng.uniform(0.1, 1, 10))
    assert np.allclose(found.apply(points), truth.apply(points))
    assert np.allclose(found.rotation, truth.rotation) and np.isclose(found.scale, truth.scale)


def test_known_deformation_is_recovered_from_sparse_landmarks():
    source = sphere()
    target = Mesh(egg(source.vertices) * 1.1 + [0, 0.02, 0], source.faces, source.usable)
    chosen = np.random.default_rng(0).choice(len(source.faces), 60, replace=False)
    landmarks = SurfacePoints(chosen, np.full((60, 3), 1 / 3), np.zeros(60))
    aims = landmarks.on(target.vertices, target.faces)
    _, deformed = register(source, target, landmarks, aims, np.ones(60))
    to_surface = closest_points(deformed, target).distance
    to_twin = np.linalg.norm(deformed - target.vertices, axis=1)
    assert to_surface.mean() < 0.0002
    before = fit_similarity(source.vertices, target.vertices, np.ones(len(source.vertices))).apply(source.vertices)
    slid_before = np.linalg.norm(before - target.vertices, axis=1)
    assert to_twin.mean() < 0.75 * slid_before.mean()  # between landmarks a point may slide along the surface


def test_unusable_part_follows_its_neighbours():
    source = sphere()
    free = source.vertices[source.faces].mean(1)[:, 2] < 0.07
    source = Mesh(source.vertices, source.faces, free)
    landmarks = SurfacePoints(np.arange(0, 5000, 100), np.full((50, 3), 1 / 3), np.zeros(50))
    aims = landmarks.on(source.vertices * 1.2, source.faces)
    _, deformed = register(source, Mesh(source.vertices * 1.2, source.faces, free), landmarks, aims, np.ones(50))
    assert np.abs(deformed - source.vertices * 1.2).max() < 0.001


def test_neighbour_mean_of_a_constant_is_that_constant():
    mesh = sphere(2)
    assert np.allclose(neighbour_mean(mesh.faces, len(mesh.vertices)) @ np.ones(len(mesh.vertices)), 1)


@pytest.mark.parametrize("removed", [0, 7, 100])
def test_boundary_is_the_edge_of_a_hole(removed: int):
    faces = sphere(2).faces
    holed = np.delete(faces, removed, 0)
    assert set(np.flatnonzero(boundary_vertices(holed, len(sphere(2).vertices)))) == set(faces[removed])
    assert not boundary_vertices(faces, len(sphere(2).vertices)).any()
