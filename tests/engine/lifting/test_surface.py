"""Samples of the skin and the ground under them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from likeness.geometry.frames import triangle_frames, vertex_normals
from likeness.lifting.appearance import complete_skin
from likeness.lifting.lids import find_folds
from likeness.lifting.sampling import posed_samples, sample_triangles
from likeness.lifting.surface import LEAST_SHOWN, SHOWN_TINT, UNDER_SPACING, lift_surface
from likeness.lifting.visibility import Label, explain_pixels, visible_points


@pytest.fixture(scope="module")
def surface(scene):
    view = explain_pixels(scene)
    colors = complete_skin(scene, view)
    lifted = (view.label == Label.SKIN) & (view.facing > 0.7)
    samples, ground = lift_surface(scene, view, colors, find_folds(scene), lifted, np.random.default_rng(0))
    return view, samples, ground


def places(scene, bound):
    frames, origins = triangle_frames(scene.vertices.astype(np.float64), scene.rig.faces)
    return origins[bound.triangle] + np.einsum("nij,nj->ni", frames[bound.triangle], bound.local_mean)


def test_the_ground_lies_under_all_of_the_face(scene, surface):
    _, _, ground = surface
    spacing = np.where(scene.triangles_in("face"), 0.004, np.inf)
    points, _ = posed_samples(
        sample_triangles(scene.vertices, scene.rig.faces, spacing, np.random.default_rng(1)),
        scene.vertices,
        scene.rig.faces,
    )
    distance, _ = cKDTree(places(scene, ground.bound)).query(points)
    assert np.quantile(distance, 0.95) < 3 * UNDER_SPACING
    assert not ground.seen.any()


def test_refinement_may_colour_a_grazed_sample_less_than_one_that_faces_the_camera(scene, surface):
    view, samples, _ = surface
    points = places(scene, samples.bound)
    corners = scene.rig.faces[samples.bound.triangle]
    normals = vertex_normals(scene.vertices.astype(np.float64), scene.rig.faces)[corners].mean(1)
    _, facing, _ = visible_points(scene, view, points, normals, tolerance=0.003)
    assert samples.tint[samples.seen].max() < 1.001 * SHOWN_TINT
    assert samples.tint[samples.seen].min() > 0.9 * SHOWN_TINT * LEAST_SHOWN**2
    grazed, frontal = samples.seen & (facing < 0.33), samples.seen & (facing > 0.5)
    assert grazed.sum() > 20
    assert np.median(samples.tint[grazed]) < 0.5 * np.median(samples.tint[frontal])
