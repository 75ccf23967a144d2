"""The torso begins under the neck, wherever that is, and where hair hides it, where the depth says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.lifting.parsing import Material
from likeness.lifting.shoulders import CHEEKS, bareness, torso_pixels, with_collar
from likeness.lifting.types import CHIN, UNDER_NOSE
from likeness.lifting.visibility import Label, explain_pixels

SIZE = 200
DEEP = np.arange(SIZE) >= 150
NOSE, CHIN_ROW, MIDDLE = 80, 100, 100


@pytest.fixture
def bust(scene):
    """Half widths by row: a head, a neck that is narrowest at row 110 on the left and 120 on the right, shoulders."""
    rows = np.arange(SIZE)
    left = np.where(rows < 105, 40, np.where(rows < 111, 25, 90))
    right = np.where(rows < 105, 40, np.where(rows < 121, 25, 90))
    column = np.arange(SIZE) - MIDDLE
    landmarks = scene.portrait.landmarks.copy()
    landmarks[CHIN], landmarks[UNDER_NOSE] = (MIDDLE, CHIN_ROW), (MIDDLE, NOSE)
    landmarks[CHEEKS[0], 0], landmarks[CHEEKS[1], 0] = MIDDLE - 40, MIDDLE + 40
    alpha = ((column > -left[:, None]) & (column < right[:, None])).astype(np.float32)
    picture = np.zeros((SIZE, SIZE, 3), np.float32)
    valid = np.ones((SIZE, SIZE), bool)
    return replace(scene.portrait, alpha=alpha, rgb=picture, foreground=picture, valid=valid, landmarks=landmarks)


def begins(torso):
    """The first row of the torso in each column; everything under it is torso."""
    assert (np.diff(torso.astype(int), axis=0) >= 0).all()
    return torso.argmax(0)


def test_it_begins_at_the_narrowest_place_of_each_side(bust):
    row = begins(torso_pixels(bust, DEEP))
    assert row[0] == 110 and row[-1] == 120
    assert (np.diff(row) >= 0).all()


def test_hair_over_one_side_leaves_the_depth_to_decide_there(bust):
    alpha = bust.alpha.copy()
    alpha[60:145, 40:MIDDLE] = 1
    row = begins(torso_pixels(replace(bust, alpha=alpha), DEEP))
    assert row[0] == 150 and row[-1] == 120


def test_a_head_alone_has_no_torso(bust):
    alpha = np.where(np.arange(SIZE)[:, None] < CHIN_ROW, 1, 0) * np.ones((1, SIZE), np.float32)
    nothing = np.zeros(SIZE, bool)
    torso = torso_pixels(replace(bust, alpha=np.ones_like(alpha)), nothing)
    assert not torso.any()


def looks(scene, material):
    """What the portrait's pixels are, with these materials, all of the lower half being no modelled skin."""
    view = explain_pixels(scene)
    return replace(view, material=material, label=np.full_like(view.label, Label.VOLUME))


def test_a_collar_above_the_line_is_torso_and_a_hat_is_not(scene):
    size = len(scene.portrait.alpha)
    row = np.arange(size)[:, None] * np.ones((1, size))
    material = np.full((size, size), Material.SKIN)
    material[100:] = Material.CLOTH
    material[20:40] = Material.CLOTH
    torso = with_collar(row >= 150, looks(scene, material))
    np.testing.assert_array_equal(torso, row >= 100)


def test_bareness_is_what_is_seen_round_a_place(scene):
    size = len(scene.portrait.alpha)
    material = np.full((size, size), Material.SKIN)
    material[:, : size // 2] = Material.CLOTH
    points = scene.camera.unproject(np.array([[40.0, 128.0], [128.0, 128.0], [216.0, 128.0]]), np.ones(3))
    np.testing.assert_allclose(bareness(scene, looks(scene, material), points), [0, 0, 1], atol=0.2)
