"""Unseen skin takes its colour from the seen: from the mirrored place, in the light of the border."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from likeness.geometry.cameras import look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.lifting.appearance import complete_skin
from likeness.lifting.lighting import GAMMA
from likeness.lifting.visibility import explain_pixels, raster_of

from .conftest import SIZE, SKIN_COLOR, photograph_head, scene_of


@pytest.fixture(scope="module")
def turned(open_head):
    camera = look_at_face(1.0, 1.25 * SIZE, SIZE, SIZE).orbited(0.6, 0.0, np.array([0.0, 0, -0.08]))
    portrait, fit = photograph_head(open_head, camera, np.zeros(len(open_head.expr_names), np.float32))
    flat = np.broadcast_to(np.array(SKIN_COLOR), portrait.rgb.shape).astype(np.float32)
    return scene_of(dataclasses.replace(portrait, rgb=flat, foreground=flat), fit, open_head)


def cheek(scene, side):
    vertices = np.unique(scene.rig.faces[scene.triangles_in("face")])
    near = np.linalg.norm(scene.vertices[vertices] - [side * 0.055, -0.05, -0.02], axis=1) < 0.02
    return vertices[near]


def test_one_colour_stays_one_colour(turned):
    colors = complete_skin(turned, explain_pixels(turned))
    for region in ("face", "neck"):
        skin = np.unique(turned.rig.faces[turned.skin_triangles() & turned.triangles_in(region)])
        departure = np.abs(colors.vertex[skin] - SKIN_COLOR).max(1)
        assert np.quantile(departure, 0.95) < 0.07


def lit_from(scene, direction):
    """The same head in light from one side: even light and a cosine, over light, so to the power of 1 / 2.2."""
    normals = vertex_normals(scene.vertices.astype(np.float64), scene.rig.faces)
    lit = ((0.5 + 0.4 * normals @ direction)[:, None] * np.array(SKIN_COLOR) ** GAMMA) ** (1 / GAMMA)
    rgb = raster_of(scene, np.arange(len(scene.rig.faces)) < scene.rig.head_triangles).interpolate(scene.rig.faces, lit)
    return dataclasses.replace(scene, portrait=dataclasses.replace(scene.portrait, rgb=rgb, foreground=rgb)), lit


@pytest.mark.parametrize("side", [-1, 1])
def test_each_side_of_a_head_keeps_its_own_light(scene, side):
    lit_scene, truth = lit_from(scene, np.array([side * 1.0, 0, 0]))
    colors = complete_skin(lit_scene, explain_pixels(lit_scene))
    jaw = np.abs(scene.vertices - [0.068, -0.06, -0.09]).max(1) < 0.015
    other = np.abs(scene.vertices - [-0.068, -0.06, -0.09]).max(1) < 0.015
    skin = np.isin(np.arange(len(scene.vertices)), scene.rig.faces[scene.skin_triangles()])
    for place in (jaw & skin, other & skin):
        assert place.any()
        np.testing.assert_allclose(colors.vertex[place].mean(0), truth[place].mean(0), atol=0.07)


def test_a_mark_on_the_seen_cheek_is_mirrored_to_the_unseen_one(turned):
    view = explain_pixels(turned)
    # The head is turned to the picture's right, so the subject's right cheek is the one that shows.
    seen_cheek, unseen_cheek = cheek(turned, -1), cheek(turned, 1)
    row, column = np.floor(turned.camera.project(turned.vertices[seen_cheek].mean(0)[None])[0][0]).astype(int)[::-1]
    marked = turned.portrait.foreground.copy()
    marked[row - 8 : row + 9, column - 8 : column + 9] = [0.4, 0.2, 0.2]
    scene = dataclasses.replace(turned, portrait=dataclasses.replace(turned.portrait, foreground=marked))
    colors = complete_skin(scene, view)
    assert colors.vertex[unseen_cheek].mean() < np.mean(SKIN_COLOR) - 0.08
    forehead = np.unique(turned.rig.faces[turned.triangles_in("face")])
    forehead = forehead[turned.vertices[forehead, 1] > 0.05]
    np.testing.assert_allclose(colors.vertex[forehead].mean(0), SKIN_COLOR, atol=0.02)
