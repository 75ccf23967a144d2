"""Unseen skin takes its colour from the seen: its features from the mirrored place, in the light of the border."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from scipy import sparse

from likeness.geometry.cameras import look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.lifting.appearance import _likeness, _this_side, complete_skin, without_strays
from likeness.lifting.lighting import GAMMA
from likeness.lifting.outlines import BROWS
from likeness.lifting.visibility import explain_pixels, pixel_of, raster_of

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


def painted(scene, mask):
    """The scene with the masked pixels in a darker brown."""
    foreground = np.where(mask[..., None], [0.5, 0.33, 0.28], scene.portrait.foreground)
    return dataclasses.replace(scene, portrait=dataclasses.replace(scene.portrait, foreground=foreground))


def test_a_seen_brow_is_mirrored_to_the_unseen_side(turned):
    view = explain_pixels(turned)
    # The head is turned to the picture's right, so the subject's right side is the one that shows.
    brow = cv2.fillConvexPoly(
        np.zeros((SIZE, SIZE), np.uint8),
        cv2.convexHull(np.round(turned.portrait.landmarks[list(BROWS[0])]).astype(np.int32)),
        1,
    )
    colors = complete_skin(painted(turned, brow > 0), view)
    row, column = pixel_of(turned.camera.project(turned.vertices)[0], SIZE)
    skin = np.unique(turned.rig.faces[turned.triangles_in("face")])
    seen = skin[(brow[row, column] > 0)[skin] & (turned.vertices[skin, 0] < 0)]
    unseen = turned.assets.mirror[seen]
    assert colors.vertex[seen].mean() < np.mean(SKIN_COLOR) - 0.05
    assert colors.vertex[unseen].mean() < np.mean(SKIN_COLOR) - 0.03
    forehead = skin[turned.vertices[skin, 1] > 0.06]
    np.testing.assert_allclose(colors.vertex[forehead].mean(0), SKIN_COLOR, atol=0.03)


def test_what_may_be_a_shadow_on_the_seen_cheek_is_not_mirrored(turned):
    view = explain_pixels(turned)
    row, column = np.floor(turned.camera.project(turned.vertices[cheek(turned, -1)].mean(0)[None])[0][0])[::-1]
    rows, columns = np.mgrid[:SIZE, :SIZE]
    shadow = (np.abs(rows - row) < 9) & (np.abs(columns - column) < 9)
    colors = complete_skin(painted(turned, shadow), view)
    assert colors.vertex[cheek(turned, -1)].mean() < np.mean(SKIN_COLOR) - 0.08
    np.testing.assert_allclose(colors.vertex[cheek(turned, 1)].mean(0), SKIN_COLOR, atol=0.05)


def test_grazed_skin_that_departs_from_the_firmly_seen_is_hardly_trusted():
    steps = sparse.diags([np.ones(9), -np.ones(9)], [0, 1], shape=(9, 10))
    trust = np.array([1.0] * 6 + [0.5] * 3 + [0.0])
    albedo = np.zeros((10, 3))
    albedo[6], albedo[7] = 0.02, [-0.6, -0.5, -0.4]
    found = without_strays((steps.T @ steps).tocsr(), trust, albedo)
    np.testing.assert_array_equal(found[:6], 1)
    assert found[6] > 0.45
    assert found[7] < 0.02
    assert found[8] > 0.45
    assert found[9] == 0


def test_another_hue_is_trusted_less_than_another_brightness():
    departure = np.array([[-0.15, -0.15, -0.15], [0.15, -0.15, -0.15]])
    shaded, tinted = _likeness(departure)
    assert tinted < 0.6 * shaded


def test_grazed_pixels_that_no_firm_skin_runs_on_to_are_not_trusted(scene):
    view = explain_pixels(scene)
    facing, depth = np.full(view.facing.shape, 0.9), np.full(view.depth.shape, 1.0)
    facing[:, 40:], depth[:, 40:] = 0.3, 1.2
    grazed = np.ones(facing.shape, bool)
    stepped = dataclasses.replace(view, facing=facing, depth=depth)
    kept = _this_side(scene, stepped, grazed)
    assert kept[:, :38].all()
    assert not kept[:, 42:].any()
    assert _this_side(scene, dataclasses.replace(stepped, depth=np.ones_like(depth)), grazed).all()


def test_another_colour_along_the_outline_neither_shows_nor_runs_on(scene):
    view = explain_pixels(scene)
    distance = view.to_outline * scene.metres_per_pixel
    strip = (view.to_outline > 0) & (distance < 0.005)
    flat = np.broadcast_to(np.array(SKIN_COLOR), scene.portrait.rgb.shape).astype(np.float32)
    other = np.where(strip[..., None], flat * np.array([1.0, 0.8, 0.8]), flat).astype(np.float32)
    portrait = dataclasses.replace(scene.portrait, rgb=other, foreground=other)
    colors = complete_skin(dataclasses.replace(scene, portrait=portrait), view)
    # Fully shown, the strip's green and blue would be a fifth lower.
    assert colors.shown[strip].max() < 0.5
    assert np.quantile(np.abs(colors.vertex[cheek(scene, 1)] - SKIN_COLOR).max(1), 0.9) < 0.05
