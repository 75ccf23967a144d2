"""Clothes close behind the neck: the nape ends inside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.lifting.appearance import complete_skin
from likeness.lifting.skin import lift_skin
from likeness.lifting.types import join_layers
from likeness.lifting.visibility import Label, explain_pixels
from likeness.lifting.volume import inflate
from likeness.lifting.yoke import lift_yoke, tuck_in
from likeness.rendering.mesh import rasterize_mesh


@pytest.fixture(scope="module")
def seen(scene):
    view = explain_pixels(scene)
    return view, inflate(scene, view)


@pytest.fixture(scope="module")
def yoke(scene, seen):
    return join_layers(lift_yoke(scene, *seen, np.random.default_rng(0)))


def places(scene, layer):
    return pose(layer.bound, scene.vertices, scene.rig.faces)[0].astype(np.float64)


def test_it_is_unseen_cloth(yoke):
    assert len(yoke.seen) > 500 and not yoke.seen.any()
    assert (yoke.bound.part == Part.TORSO).all()


def test_a_white_collars_end_does_not_run_down_the_back(scene, seen):
    """A white stripe over the torso's blue, at the edge of one shoulder, leaves the unseen back blue."""
    view, volume = seen
    size = len(volume.torso)
    left = np.arange(size)[None] < np.flatnonzero(volume.torso.any(0) & (view.label == Label.VOLUME).any(0))[0] + 6
    foreground = np.where((volume.torso & left)[..., None], 1.0, scene.portrait.foreground)
    collared = replace(scene, portrait=replace(scene.portrait, foreground=foreground))
    back = join_layers(lift_yoke(collared, view, volume, np.random.default_rng(0))).bound
    assert (back.colors.min(1) > 0.5).sum() == 0


def test_it_covers_the_nape_from_behind(scene, yoke):
    """From behind, the sheet comes before the neck of the head model wherever the torso has begun."""
    back = scene.camera.orbited(np.pi, 0.0, np.array([0.0, -0.1, -0.08]))
    neck = rasterize_mesh(back, scene.vertices, scene.rig.faces[scene.triangles_in("neck")])
    pixels, depth = back.project(places(scene, yoke))
    column, row = np.floor(pixels).astype(int).T
    inside = (row >= 0) & (row < back.height) & (column >= 0) & (column < back.width)
    row, column, depth = row[inside], column[inside], depth[inside]
    on_neck = neck.covered[row, column]
    before = depth[on_neck] < neck.depth[row, column][on_neck] + 0.003
    assert on_neck.sum() > 100 and before.mean() > 0.85  # the rest is the lining


def test_skin_deep_in_the_clothes_is_left_out_and_all_else_kept(scene, seen):
    view, volume = seen
    skin = lift_skin(scene, view, complete_skin(scene, view), np.random.default_rng(0))
    before, after = join_layers(skin), join_layers(tuck_in(scene, volume, skin))
    assert 0 < len(before.seen) - len(after.seen) < 0.1 * len(before.seen)
    assert after.seen.sum() == before.seen.sum()
    low = scene.camera.project(places(scene, after))[0][:, 1] > volume.torso.argmax(0).max() + 20
    behind = places(scene, after)[:, 2] < -0.1
    assert not (low & behind & ~after.seen).any()


def test_a_head_without_a_torso_has_none(scene, seen):
    view, volume = seen
    bare = replace(volume, torso=np.zeros_like(volume.torso))
    assert lift_yoke(scene, view, bare, np.random.default_rng(0)) == []
