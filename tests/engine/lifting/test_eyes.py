"""Eyeballs: found where they are, whole under the lids, and their highlights stay when they turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.binding.affine import pose
from likeness.head.model import rig_vertices
from likeness.lifting.appearance import complete_skin
from likeness.lifting.eyeballs import fit_sphere, locate_eyeball
from likeness.lifting.eyes import IRIS_CENTER, lift_eyes, with_eyeballs
from likeness.lifting.visibility import Label, explain_pixels

from .fine import fine_scene

IRIS, LAMP = (0.3, 0.2, 0.1), (1.0, 1.0, 1.0)


def with_irises(scene):
    """Paint irises with a lamp's image of a few pixels beside their middle."""
    rgb = scene.portrait.foreground.copy()
    landmarks = scene.portrait.landmarks.copy()
    rows, columns = np.indices(rgb.shape[:2])
    spots = []
    for region, landmark in IRIS_CENTER.items():
        center, _ = fit_sphere(scene.vertices[np.unique(scene.rig.faces[scene.triangles_in(region)])])
        x, y = scene.camera.project(center[None])[0][0]
        radius = 0.006 / scene.metres_per_pixel
        turn = np.array([[1, 0], [0, -1], [-1, 0], [0, 1]]) * radius
        landmarks[landmark] = x, y
        landmarks[landmark + 1 : landmark + 5] = np.array([x, y]) + turn
        distance = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        rgb[distance < radius] = IRIS
        spot = (np.abs(columns + 0.5 - x - 1) < 1) & (np.abs(rows + 0.5 - y) < 1)
        rgb[spot] = LAMP
        spots.append(spot)
    portrait = replace(scene.portrait, rgb=rgb, foreground=rgb, landmarks=landmarks)
    return replace(scene, portrait=portrait), spots


@pytest.fixture(scope="module")
def scene(open_head):
    """The head as large as in a real working square: 0.8 mm a pixel."""
    return fine_scene(open_head)


@pytest.fixture(scope="module")
def eyes(scene):
    painted, spots = with_irises(scene)
    view = explain_pixels(painted)
    layers = lift_eyes(painted, view, complete_skin(painted, view), np.random.default_rng(0))
    return painted, view, spots, layers


def test_a_sphere_is_found_from_a_part_of_it():
    rng = np.random.default_rng(0)
    away = rng.normal(size=(50, 3))
    away[:, 2] = np.abs(away[:, 2])
    center = np.array([0.03, 0.02, -0.01])
    found, radius = fit_sphere(center + 0.012 * away / np.linalg.norm(away, axis=1, keepdims=True))
    np.testing.assert_allclose(found, center, atol=1e-9)
    assert radius == pytest.approx(0.012)


def test_highlights_stay_when_the_eyes_turn_and_the_irises_do_not(eyes):
    painted, _, _, layers = eyes
    controls = painted.controls.copy()
    for name in ("eyeLookOutLeft", "eyeLookInRight"):
        controls[painted.rig.control_names.index(name)] = 0.7
    turned = rig_vertices(painted.rig, controls, np.zeros((5, 3), np.float32))
    lamps = 0
    for layer in layers:
        before, _ = pose(layer.bound, painted.vertices, painted.rig.faces)
        after, _ = pose(layer.bound, turned, painted.rig.faces)
        way = np.linalg.norm(after - before, axis=1)
        bright = layer.bound.colors.min(1) > 0.97
        if layer.seen.all() and bright.all():
            lamps += len(way)
            assert way.max() < 1e-5
        else:
            center, _ = fit_sphere(painted.vertices[np.unique(painted.rig.faces[layer.bound.triangle])])
            assert np.median(way) > 0.001, center
    assert lamps >= 4


def test_under_a_highlight_is_iris(eyes):
    painted, view, spots, layers = eyes
    shown = with_eyeballs(painted, view, complete_skin(painted, view)).label == Label.EYE
    assert all((shown & spot).any() for spot in spots)
    filled = [layer for layer in layers if not layer.seen.any() and len(layer.seen) < 40 and len(layer.seen)]
    assert filled
    for layer in filled:
        np.testing.assert_allclose(layer.bound.colors, np.tile(IRIS, (len(layer.seen), 1)), atol=0.05)


def test_the_eyeball_is_whole_under_the_lids(eyes):
    painted, _, _, layers = eyes
    for region, landmark in IRIS_CENTER.items():
        triangles = painted.triangles_in(region)
        eyeball = locate_eyeball(painted, triangles, landmark)
        ground = [x for x in layers if not x.seen.any() and len(x.seen) > 200 and triangles[x.bound.triangle].all()]
        assert len(ground) == 1
        means, _ = pose(ground[0].bound, painted.vertices, painted.rig.faces)
        angles = eyeball.angle(means.astype(np.float64))
        counts, _ = np.histogram(angles, bins=np.radians([0, 10, 20, 30, 40, 50, 60]))
        area = np.diff(-np.cos(np.radians([0, 10, 20, 30, 40, 50, 60])))
        assert (counts / area).min() > 0.5 * (counts / area).max()
