"""Shut lids cover the eye with lid skin; open ones hide what will cover it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.contract.progress import SilentProgress
from likeness.head.model import rig_vertices
from likeness.lifting.appearance import complete_skin
from likeness.lifting.closed_lids import lift_closed_lids
from likeness.lifting.eyes import fit_sphere, with_eyeballs
from likeness.lifting.lids import find_folds, lash_pixels
from likeness.lifting.lift import lift_layers
from likeness.lifting.visibility import Label, explain_pixels
from likeness.rendering.api import render

from .fine import fine_scene


@pytest.fixture(scope="module")
def scene(open_head):
    """The head as large as in a real working square: 0.8 mm a pixel."""
    return fine_scene(open_head)


@pytest.fixture(scope="module")
def layer(scene):
    return lift_layers(scene, explain_pixels(scene), np.random.default_rng(0), SilentProgress())


@pytest.fixture(scope="module")
def plates(scene):
    view = explain_pixels(scene)
    colors = complete_skin(scene, view)
    lashes = lash_pixels(scene, with_eyeballs(scene, view, colors))
    layers = lift_closed_lids(scene, view, colors, find_folds(scene), lashes, np.random.default_rng(0))
    return layers[0::2]


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


def test_the_plate_is_hidden_while_the_eye_is_open_and_seen_when_it_is_shut(scene, layer):
    """Painted red, it leaves the open eye as it was and covers most of the shut one's upper lid."""
    on_lashes = scene.triangles_in("lashes_left", "lashes_right")[layer.bound.triangle]
    colors = layer.bound.colors.copy()
    colors[on_lashes & (layer.bound.part == Part.SKIN)] = (1, 0, 0)
    painted = replace(layer.bound, colors=colors)

    def redness(controls):
        return np.abs(draw(scene, painted, controls).rgb - draw(scene, layer.bound, controls).rgb).max(-1)

    opened, closed = redness(scene.controls), redness(shut(scene))
    assert (closed > 0.4).sum() > 300
    assert opened.sum() < 0.25 * closed.sum()


def test_the_plate_keeps_off_the_eyeball(scene, plates):
    for side, plate in zip(("left", "right"), plates, strict=True):
        vertices = rig_vertices(scene.rig, shut(scene), np.zeros((5, 3), np.float32))
        ball = vertices[np.unique(scene.rig.faces[scene.triangles_in(f"eye_{side}")])]
        center, radius = fit_sphere(ball)
        means, _ = pose(plate.bound, vertices, scene.rig.faces)
        assert np.linalg.norm(means - center, axis=1).min() > radius


def test_a_head_without_lashes_has_no_plates(scene):
    bald = replace(scene, assets=replace(scene.assets, face_region=np.zeros_like(scene.assets.face_region)))
    view = explain_pixels(scene)
    none = np.zeros(view.label.shape, bool)
    rng = np.random.default_rng(0)
    assert lift_closed_lids(bald, view, complete_skin(scene, view), find_folds(scene), none, rng) == []
