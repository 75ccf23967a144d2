"""What is painted over the skin is told from it by its looks; what lies on the skin is left to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.geometry.cameras import look_at_face
from likeness.lifting.parsing import Material
from likeness.lifting.visibility import Label, explain_pixels

from .conftest import SIZE, photograph_head, scene_of

HAIR = np.array((0.15, 0.1, 0.08))
FOREHEAD, CHEEK, BROW, CHIN = 151, 205, 105, 152


@pytest.fixture(scope="module")
def scene(open_head):
    """The face as large in the picture as the portrait stage makes it."""
    camera = look_at_face(1.0, 2.2 * SIZE, SIZE, SIZE)
    return scene_of(*photograph_head(open_head, camera, np.zeros(len(open_head.expr_names), np.float32)), open_head)


def paint(scene, landmark, half_width, half_height, color, down=0):
    """Paint a rectangle around a landmark; return the scene and where."""
    x, y = np.round(scene.portrait.landmarks[landmark]).astype(int)
    y += down
    where = np.zeros(scene.portrait.alpha.shape, bool)
    where[y - half_height : y + half_height + 1, x - half_width : x + half_width + 1] = True
    painted = np.where(where[..., None], color, scene.portrait.rgb).astype(np.float32)
    return replace(scene, portrait=replace(scene.portrait, rgb=painted, foreground=painted)), where


def gray(scene):
    """The same portrait without colours."""
    rgb = np.repeat(scene.portrait.rgb.mean(-1, keepdims=True), 3, -1)
    return replace(scene, portrait=replace(scene.portrait, rgb=rgb, foreground=rgb))


@pytest.mark.parametrize("tone", [lambda scene: scene, gray])
def test_a_strand_over_the_forehead_is_hair(scene, tone):
    """It hangs from the hair: from the scalp down to the middle of the forehead."""
    strand, where = paint(tone(scene), FOREHEAD, 2, 9, HAIR.mean() if tone is gray else HAIR, down=-8)
    view = explain_pixels(strand)
    assert (view.label[where] == Label.VOLUME).mean() > 0.9
    assert (view.material[where] == Material.HAIR).mean() > 0.9
    beside = np.roll(where, 12, 1) & (explain_pixels(scene).label == Label.SKIN)
    assert (view.label[beside] == Label.SKIN).mean() > 0.95


@pytest.mark.parametrize(("landmark", "down"), [(CHEEK, 0), (BROW, 0), (CHIN, -6)])
def test_moles_brows_and_beards_stay_skin(scene, landmark, down):
    painted, where = paint(scene, landmark, 3, 2, HAIR, down)
    assert (explain_pixels(painted).label[where] == Label.SKIN).mean() > 0.95


def test_a_collar_over_the_neck_is_cloth(scene):
    shirt = np.array((0.2, 0.3, 0.6)) * 0.8
    collar, where = paint(scene, CHIN, 12, 4, shirt, down=16)
    assert (explain_pixels(scene).label[where] == Label.SKIN).mean() > 0.9
    view = explain_pixels(collar)
    assert (view.label[where] == Label.VOLUME).mean() > 0.9
    assert (view.material[where] == Material.CLOTH).mean() > 0.9


def test_a_bare_scalp_beside_the_hairline_is_skin(scene):
    """Foreheads are higher than the model's: what looks like skin is skin, whatever the triangle behind it."""
    scalp = scene.triangles_in("scalp")
    high, where = paint(scene, FOREHEAD, 12, 6, np.array((0.8, 0.6, 0.5)), down=-19)
    view = explain_pixels(high)
    bare = where & (view.label == Label.SKIN)
    assert bare[where].mean() > 0.9
    assert scalp[view.triangle[bare]].any()
    assert np.isfinite(view.depth[bare]).all()
