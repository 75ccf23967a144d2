"""What lies beside the modelled skin and is its all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from likeness.geometry.cameras import look_at_face
from likeness.lifting.appearance import complete_skin
from likeness.lifting.gaps import islands
from likeness.lifting.skin import lift_skin
from likeness.lifting.visibility import Label, explain_pixels, raster_of

from .conftest import SIZE, photograph_head, scene_of

FIELD = 0.25
"""What the picture shows of the head's place, metres: the matte's faults are as small as a pixel of a smaller one."""
GREEN = np.array([0.1, 0.9, 0.2])


@pytest.fixture(scope="module")
def scene(open_head):
    camera = look_at_face(1.0, SIZE / FIELD, SIZE, SIZE)
    return scene_of(*photograph_head(open_head, camera, np.zeros(len(open_head.expr_names), np.float32)), open_head)


def repainted(scene, where, color, *, alpha=None):
    """Return the scene with pixels of one colour, and as much of the person as `alpha` says."""
    rgb, foreground = (np.where(where[..., None], color, x) for x in (scene.portrait.rgb, scene.portrait.foreground))
    alpha = scene.portrait.alpha if alpha is None else alpha
    kind = scene.portrait.foreground.dtype
    portrait = replace(scene.portrait, rgb=rgb.astype(kind), foreground=foreground.astype(kind), alpha=alpha)
    return replace(scene, portrait=portrait)


def test_an_ear_wider_than_the_models_is_skin_on_the_ear(scene):
    ears = scene.triangles_in("ears")
    raster = raster_of(scene, scene.skin_triangles())
    shown = (raster.triangle >= 0) & ears[raster.triangle]
    wider = ndimage.binary_dilation(shown, iterations=round(0.006 / scene.metres_per_pixel))
    wider &= scene.portrait.alpha < 0.5
    assert wider.sum() > 30
    skin = np.median(scene.portrait.rgb[shown], 0)
    alpha = np.where(wider, 1.0, scene.portrait.alpha).astype(scene.portrait.alpha.dtype)
    view = explain_pixels(repainted(scene, wider, skin, alpha=alpha))
    found = wider & (view.label == Label.SKIN)
    assert found.sum() > 0.8 * wider.sum()
    assert ears[view.triangle[found]].mean() > 0.8


def test_no_background_that_the_matte_lets_in_is_seen_on_the_cheek(scene):
    view = explain_pixels(scene)
    cheek = (view.label == Label.SKIN) & ~scene.triangles_in("ears", "scalp")[view.triangle]
    rim = cheek & (view.to_outline * scene.metres_per_pixel < 0.003)
    assert rim.sum() > 50
    green = repainted(scene, rim, GREEN)
    view = explain_pixels(green)
    assert (view.label[rim] == Label.SKIN).mean() > 0.9
    layers = lift_skin(green, view, complete_skin(green, view), np.random.default_rng(0))
    colors = np.concatenate([layer.bound.colors for layer in layers])
    assert (np.linalg.norm(colors - GREEN, axis=1) < 0.4).sum() < 0.1 * rim.sum()


def test_a_small_island_beside_the_jaw_is_no_hair(scene):
    view = explain_pixels(scene)
    row = round(scene.portrait.landmarks[172][1])
    person = np.flatnonzero(scene.portrait.alpha[row] > 0.5)
    island = np.zeros(view.label.shape, bool)
    island[row - 2 : row + 2, person[0] : person[0] + 4] = True
    island &= view.label == Label.SKIN
    assert island.any()
    assert (explain_pixels(repainted(scene, island, GREEN)).label[island] == Label.SKIN).all()


@pytest.mark.parametrize(("width", "is_skin"), [(0.0025, True), (0.015, False)])
def test_only_a_thin_strip_between_cheek_and_outline_is_no_hair(scene, width, is_skin):
    view = explain_pixels(scene)
    rows = np.arange(SIZE)[:, None]
    beside = (rows > scene.portrait.landmarks[10][1]) & (rows < scene.portrait.landmarks[172][1])
    strip = beside & (view.label == Label.SKIN) & (view.to_outline * scene.metres_per_pixel < width)
    triangle = np.where(strip, -1, view.triangle)
    found = islands(scene, strip | (view.label == Label.VOLUME), triangle, view.to_outline)
    assert strip.sum() > 50
    assert (found[strip].mean() > 0.8) == is_skin
