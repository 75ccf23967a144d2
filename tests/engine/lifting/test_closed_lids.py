"""Shut lids cover the eye with lid skin; open ones hide what will cover it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import ndimage

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.contract.progress import SilentProgress
from likeness.head.model import rig_vertices
from likeness.lifting.appearance import SkinColors, complete_skin
from likeness.lifting.closed_lids import lift_creases
from likeness.lifting.eyes import with_eyeballs
from likeness.lifting.lashes import LidEdges, find_lid_edges, lash_line, lift_lid_edges
from likeness.lifting.lids import Folds, find_folds, torn
from likeness.lifting.lift import lift_layers
from likeness.lifting.upper_lids import UpperLids, find_upper_lids
from likeness.lifting.visibility import Label, Visibility, explain_pixels, pixel_of, raster_of
from likeness.rendering.api import render

from .fine import fine_scene


@pytest.fixture(scope="module")
def scene(open_head):
    """The head as large as in a real working square: 0.8 mm a pixel."""
    return fine_scene(open_head)


@pytest.fixture(scope="module")
def layer(scene):
    return lift_layers(scene, explain_pixels(scene), np.random.default_rng(0), SilentProgress())


@dataclass(frozen=True)
class Seen:
    """What the lids' stages see of a scene."""

    view: Visibility
    colors: SkinColors
    folds: Folds
    upper: UpperLids
    edges: LidEdges


def look(scene):
    view = explain_pixels(scene)
    colors = complete_skin(scene, view)
    view = with_eyeballs(scene, view, colors)
    upper = find_upper_lids(scene, view, colors)
    return Seen(view, colors, find_folds(scene), upper, find_lid_edges(scene, view, upper))


def painted(scene, brightness):
    """Darken the skin above the eyes: `brightness` says how much is left at distances (pixels) from the opening."""
    view = look(scene).view
    to_eye, (row, _) = ndimage.distance_transform_edt(view.label != Label.EYE, return_indices=True)
    above = np.arange(len(row))[:, None] < row
    skin = (view.label == Label.SKIN) & above
    left = np.where(skin, brightness(to_eye), 1)[..., None]
    rgb = scene.portrait.foreground * left
    return replace(scene, portrait=replace(scene.portrait, rgb=rgb, foreground=rgb)), to_eye, skin


def draw(scene, bound, controls):
    vertices = rig_vertices(scene.rig, controls, np.zeros((len(scene.rig.parents), 3), np.float32))
    means, covars = pose(bound, vertices, scene.rig.faces)
    return render(scene.camera, means, covars, bound.opacities, bound.colors)


def shut(scene):
    controls = scene.controls.copy()
    for index, name in enumerate(scene.rig.control_names):
        if name.startswith("eyeBlink"):
            controls[index] = 1.0
    return controls


def test_a_shut_eye_shows_no_eyeball(scene, layer):
    """Paint the eyeballs green: behind shut lids nothing of it is seen."""
    colors = layer.bound.colors.copy()
    colors[layer.bound.part == Part.EYE] = (0, 1, 0)
    painted = replace(layer.bound, colors=colors)
    eyes = explain_pixels(scene).label == Label.EYE
    greenness = [
        np.clip(rgb[..., 1] - rgb[..., 0], 0, 1)[eyes].mean()
        for rgb in (draw(scene, painted, controls).rgb for controls in (scene.controls, shut(scene)))
    ]
    assert greenness[0] > 0.6
    assert greenness[1] < 0.02


def test_lashes_turn_with_the_edge_and_foreshorten(scene):
    """Dark pixels up to four above the opening are lashes: they come down and end within a narrow band."""
    dark, _, _ = painted(scene, lambda distance: np.where(distance < 4.5, 0.3, 1))
    seen = look(dark)
    assert seen.edges.lashes.sum() > 60
    lashes, _ = lift_lid_edges(dark, seen.view, seen.folds, seen.edges)
    heights = []
    for controls in (dark.controls, shut(dark)):
        vertices = rig_vertices(dark.rig, controls, np.zeros((len(dark.rig.parents), 3), np.float32))
        means, _ = pose(lashes.bound, vertices, dark.rig.faces)
        heights.append(dark.camera.project(means.astype(np.float64))[0][:, 1])
    fall = heights[1] - heights[0]
    assert np.median(fall) * dark.metres_per_pixel > 0.004
    # Longer lashes fall further: what lies over the lid while the eye is open lies along its edge when it is shut.
    assert np.corrcoef(heights[0], fall)[0, 1] < -0.3


def test_a_crease_is_no_lash_and_stays_above(scene):
    """A dark line with lid under it belongs to the skin that stays."""
    creased, to_eye, skin = painted(scene, lambda distance: np.where(np.abs(distance - 5.5) < 1.2, 0.4, 1))
    seen = look(creased)
    crease = skin & (np.abs(to_eye - 5.5) < 1.2) & seen.upper.resting
    assert crease.sum() > 60
    assert not (seen.edges.lashes & crease).any()
    triangle = torn(creased, seen.view, seen.folds, seen.upper).triangle[crease]
    move = np.linalg.norm(seen.folds.pose - creased.vertices, axis=1)[creased.rig.faces[triangle]].mean(1)
    assert np.percentile(move, 90) < 0.4 * np.linalg.norm(seen.folds.pose - creased.vertices, axis=1).max()


def test_bare_lids_have_neither_lashes_nor_crease(scene):
    dark, to_eye, skin = painted(scene, lambda distance: np.where(distance < 3.5, 0.3, 1))
    bare, clean = look(dark).upper.bare, look(scene).upper.bare
    lid = skin & (to_eye < 3.5)
    assert dark.portrait.foreground[lid].mean() < 0.5 * clean[lid].mean()
    assert bare[lid].mean() > 0.85 * clean[lid].mean()


def test_the_veil_is_hidden_while_the_eye_is_open_and_over_the_crease_when_it_is_shut(scene):
    creased, to_eye, _ = painted(scene, lambda distance: np.where(np.abs(distance - 5.5) < 1.2, 0.4, 1))
    seen = look(creased)
    (veil,) = lift_creases(creased, seen.view, seen.colors, seen.folds, seen.upper, np.random.default_rng(0))
    assert len(veil.seen) > 100
    for controls, hidden in ((creased.controls, True), (shut(creased), False)):
        vertices = rig_vertices(creased.rig, controls, np.zeros((len(creased.rig.parents), 3), np.float32))
        means, _ = pose(veil.bound, vertices, creased.rig.faces)
        projected, depth = creased.camera.project(means.astype(np.float64))
        surface = raster_of(replace(creased, vertices=vertices), creased.skin_triangles()).depth
        row, column = pixel_of(projected, len(surface))
        assert ((depth > surface[row, column]) == hidden).mean() > 0.9
        away = np.abs(to_eye[row, column] - 5.5)
        assert hidden or np.median(away) < 2


def test_a_shut_eye_hides_its_rims(scene):
    seen = look(scene)
    _, rims = lift_lid_edges(scene, seen.view, seen.folds, replace(seen.edges, rims=look(scene).edges.lashes))
    vertices = rig_vertices(scene.rig, shut(scene), np.zeros((len(scene.rig.parents), 3), np.float32))
    means, _ = pose(rims.bound, vertices, scene.rig.faces)
    projected, depth = scene.camera.project(means.astype(np.float64))
    surface = raster_of(replace(scene, vertices=vertices), scene.skin_triangles()).depth
    row, column = pixel_of(projected, len(surface))
    assert (depth > surface[row, column]).mean() > 0.9


def test_a_head_without_lashes_has_neither_line_nor_veil(scene):
    bald = replace(scene, assets=replace(scene.assets, face_region=np.zeros_like(scene.assets.face_region)))
    seen = look(scene)
    folds = find_folds(bald)
    rng = np.random.default_rng(0)
    assert lift_creases(bald, seen.view, seen.colors, folds, seen.upper, rng) == []
    assert lash_line(bald, seen.view, seen.colors, folds, seen.edges.lashes) == []
