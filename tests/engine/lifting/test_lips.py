"""Mouths: what shows between the lips, lips that let it show, and rows of teeth of the usual size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from likeness.head.model import rig_vertices
from likeness.lifting.lips import inside_mouth, open_lips, stretched
from likeness.lifting.teeth import along_row, crowns

from .fine import fine_scene

LIP, TOOTH, GAP = (0.6, 0.3, 0.3), (0.9, 0.88, 0.8), (0.05, 0.03, 0.03)


@pytest.fixture(scope="module")
def scene(open_head):
    return fine_scene(open_head)


def ellipse(scene, center, wide, high):
    """A mask; half axes in metres."""
    y, x = np.indices(scene.portrait.alpha.shape) + 0.5
    size = scene.metres_per_pixel
    return ((x - center[0]) * size / wide) ** 2 + ((y - center[1]) * size / high) ** 2 < 1


def mouth_center(scene):
    lips = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("lips")])]
    return scene.camera.project(lips.mean(0)[None].astype(float))[0][0]


def test_a_wrong_outline_is_moved_to_where_the_lips_begin(scene):
    center = mouth_center(scene)
    truth = ellipse(scene, center, 0.022, 0.007)
    color = np.where(truth[..., None], TOOTH, LIP)
    color[truth & (np.arange(len(truth))[:, None] > center[1] + 0.004 / scene.metres_per_pixel)] = GAP
    painted = replace(scene, portrait=replace(scene.portrait, rgb=color, foreground=color))
    wrong = ndimage.shift(truth.astype(float), (1, 0), order=0) > 0.5
    found = inside_mouth(painted, wrong)
    assert (found ^ truth).sum() < 0.5 * (wrong ^ truth).sum()


def test_lips_leave_the_teeth_in_the_portrait_and_not_at_rest(scene):
    controls = np.zeros_like(scene.controls)
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        controls[scene.rig.control_names.index(name)] = 0.8
    none = np.zeros((len(scene.rig.parents), 3), np.float32)
    smiling = replace(scene, controls=controls, vertices=rig_vertices(scene.rig, controls, none))
    inside = ellipse(smiling, mouth_center(smiling), 0.015, 0.003)
    opened = open_lips(smiling, inside)

    def on_teeth(vertices):
        lips = np.unique(scene.rig.faces[scene.triangles_in("lips")])
        column, row = np.floor(scene.camera.project(vertices[lips].astype(float))[0]).astype(int).T
        return inside[row, column].sum()

    assert on_teeth(opened.vertices) < 0.8 * on_teeth(smiling.vertices)
    np.testing.assert_allclose(opened.vertices, rig_vertices(opened.rig, controls, none), atol=1e-5)
    rest = [rig_vertices(x.rig, np.zeros_like(controls), none) for x in (opened, smiling)]
    np.testing.assert_array_equal(*rest)


def test_lips_that_part_without_an_expression_are_the_persons(scene):
    resting = replace(scene, controls=np.zeros_like(scene.controls))
    opened = open_lips(resting, ellipse(resting, mouth_center(resting), 0.015, 0.003))
    moved = opened.rig.v_neutral - resting.rig.v_neutral
    np.testing.assert_allclose(opened.vertices - resting.vertices, moved, atol=1e-6)
    assert np.abs(opened.vertices - resting.vertices).max() > 0.001
    np.testing.assert_array_equal(opened.rig.shapedirs, resting.rig.shapedirs)
    closed = open_lips(resting, np.zeros(resting.portrait.alpha.shape, bool))
    assert closed is resting


def test_a_triangle_pressed_flat_in_the_portrait_is_drawn_out_by_an_open_mouth(scene):
    resting = replace(scene, vertices=scene.rig.v_neutral, controls=np.zeros_like(scene.controls))
    face = int(np.flatnonzero(scene.triangles_in("face"))[0])
    assert not stretched(resting)[face]
    a, b, c = resting.rig.faces[face]
    pressed = resting.vertices.copy()
    pressed[c] = pressed[a] + 0.9 * (pressed[b] - pressed[a]) + 0.3 * (pressed[c] - pressed[a])
    assert stretched(replace(resting, vertices=pressed))[face]


def test_a_triangle_pressed_flat_by_an_open_mouth_alone_is_drawn_out_at_rest(scene):
    face = int(np.flatnonzero(scene.triangles_in("face"))[0])
    a, b, c = scene.rig.faces[face]
    pressed = scene.rig.v_neutral.copy()
    pressed[c] = pressed[a] + 0.9 * (pressed[b] - pressed[a]) + 0.3 * (pressed[c] - pressed[a])
    shapes = scene.rig.shapedirs.copy()
    shapes[:, :, scene.rig.control_names.index("jawOpen")] = pressed - scene.rig.v_neutral
    smiling = replace(scene, rig=replace(scene.rig, shapedirs=shapes), vertices=pressed)
    assert stretched(smiling)[face]


def test_central_incisors_are_eight_and_a_half_millimetres_wide_and_ten_high():
    along = np.linspace(0, 0.0145, 2901)
    _, _, shade = crowns("teeth_upper", along, np.full(len(along), 0.005))
    inner = slice(600, -200)
    assert along[inner][shade[inner].argmin()] == pytest.approx(0.0085, abs=2e-4)
    height = np.linspace(0, 0.015, 1501)
    inside, gum, _ = crowns("teeth_upper", np.full(1501, 0.00425), height)
    crown = height[(inside > 0) & (gum < 0.5)]
    assert 0.0095 < np.ptp(crown) < 0.011


def test_the_way_round_a_row_is_longer_than_the_way_across():
    x = np.linspace(-0.025, 0.025, 51)
    band = np.stack([x, 0 * x, -60 * x**2], 1)
    along = along_row(band, band)
    exact = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(band[25:], axis=0), axis=1))])
    np.testing.assert_allclose(along[25:], exact, rtol=1e-2, atol=1e-5)
