"""Hair on the painted head: of its own colour and nothing else's, ending at the hairline, inside the outline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.lifting.appearance import complete_skin
from likeness.lifting.back import lift_back
from likeness.lifting.hair import MIXED_TINT, lift_volume
from likeness.lifting.hair_paint import HairPaint
from likeness.lifting.types import join_layers
from likeness.lifting.visibility import explain_pixels
from likeness.lifting.volume import inflate

from .conftest import PAINT


def lifted(scene):
    view, rng = explain_pixels(scene), np.random.default_rng(0)
    colors, volume = complete_skin(scene, view), inflate(scene, view)
    paint = HairPaint.of(scene, view, volume, colors, rng)
    back = join_layers(lift_back(scene, view, volume, colors, paint, rng)).bound
    return view, volume, paint, back, pose(back, scene.vertices, scene.rig.faces)


@pytest.fixture(scope="module")
def hair(scene):
    return lifted(scene)


def test_the_unseen_side_has_the_hairs_colour(scene, hair):
    _, _, _, back, (means, _) = hair
    hairline = np.abs(hair[1].hairline.inside(means.astype(np.float64))) < 0.02
    behind = (means[:, 2] < scene.vertices[: scene.rig.head_vertices, 2].mean()) & ~hairline
    paint = np.array(PAINT["scalp"])
    hue = back.colors[behind] / back.colors[behind].sum(1, keepdims=True)
    assert behind.sum() > 1000
    assert np.abs(hue - paint / paint.sum()).max() < 0.08


def test_nothing_sticks_out_of_the_outline(scene, hair):
    means, _ = hair[4]
    pixels, _ = scene.camera.project(means.astype(np.float64))
    column, row = np.floor(pixels).astype(int).T
    assert (scene.portrait.alpha[row, column] > 0.5).mean() > 0.995


def test_no_hair_below_the_nape(scene, hair):
    """Short hair ends softly: nothing a centimetre and a half under the scalp's lower border."""
    means, _ = hair[4]
    nape = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("scalp")]), 1].min()
    assert means[:, 1].min() > nape - 0.015


def test_the_backgrounds_colour_does_not_come_along(scene):
    """A matte too wide by three pixels lets the green background into the outline; the back stays brown."""
    wide = ndimage.binary_dilation(scene.portrait.alpha > 0.5, iterations=3).astype(np.float32)
    greener = replace(scene, portrait=replace(scene.portrait, alpha=wide))
    back = lifted(greener)[3]
    assert (back.colors[:, 1] > 1.5 * back.colors[:, 0]).mean() < 0.03


def test_refinement_cannot_paint_the_background_on_the_outlines_hair(scene):
    """A soft matte mixes the green background in: what it mixes starts in the hair's colour and must stay near it."""
    person = scene.portrait.alpha > 0.5
    soft = ndimage.gaussian_filter(person.astype(np.float32), 2.0)
    soft[ndimage.binary_dilation(person)] = 1.0
    mixed = replace(scene, portrait=replace(scene.portrait, alpha=soft))
    view, rng = explain_pixels(mixed), np.random.default_rng(0)
    layer = join_layers(lift_volume(mixed, view, inflate(mixed, view), complete_skin(mixed, view), rng))
    held = layer.seen & (layer.tint == np.float32(MIXED_TINT))
    greener = layer.bound.colors[:, 1] > 1.5 * layer.bound.colors[:, 0]
    assert held.sum() > 50
    assert greener[held].mean() < 0.03


def test_the_whole_volume_is_hair_and_torso(scene):
    view, rng = explain_pixels(scene), np.random.default_rng(0)
    layer = join_layers(lift_volume(scene, view, inflate(scene, view), complete_skin(scene, view), rng))
    assert set(np.unique(layer.bound.part)) == {int(Part.HAIR), int(Part.TORSO)}
    assert all(np.isfinite(getattr(layer.bound, n)).all() for n in ("local_mean", "local_basis", "colors"))
