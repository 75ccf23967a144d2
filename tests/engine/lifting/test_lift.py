"""The whole lift: it reproduces its portrait, repeats itself to the bit, and leaves the unseen alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.contract.progress import Cancelled, SilentProgress
from likeness.head.model import rig_vertices
from likeness.lifting.lift import lift_layers
from likeness.lifting.refine import refine
from likeness.lifting.visibility import explain_pixels
from likeness.rendering.api import render


@pytest.fixture(scope="module")
def layer(scene):
    return lift_layers(scene, explain_pixels(scene), np.random.default_rng(0), SilentProgress())


def reproduction(scene, bound):
    means, covars = pose(bound, scene.vertices, scene.rig.faces)
    drawn = render(scene.camera, means, covars, bound.opacities, bound.colors)
    inside = drawn.alpha > 0.9
    return 10 * np.log10(1 / np.mean((drawn.rgb - scene.portrait.rgb)[inside] ** 2)), inside.mean()


def test_every_part_is_there_and_finite(layer):
    assert set(np.unique(layer.bound.part)) == {int(part) for part in Part}
    for name in ("local_mean", "local_basis", "opacities", "colors"):
        assert np.isfinite(getattr(layer.bound, name)).all()
    assert layer.bound.colors.min() >= 0 and layer.bound.colors.max() <= 1


def test_only_the_torsos_front_reaches_the_end_of_the_picture(scene):
    """Its ground and back would show as a line over the photograph that goes on there."""
    end = scene.camera.height - 60
    valid = np.broadcast_to(np.arange(scene.camera.height)[:, None] < end, scene.portrait.valid.shape).copy()
    alpha = scene.portrait.alpha * valid
    cut = replace(scene, portrait=replace(scene.portrait, valid=valid, alpha=alpha))
    layer = lift_layers(cut, explain_pixels(cut), np.random.default_rng(0), SilentProgress())
    means, covars = pose(layer.bound, cut.vertices, cut.rig.faces)
    pixels, depth = cut.camera.project(means.astype(np.float64))
    radius = np.sqrt(np.linalg.eigvalsh(covars)[:, -1]) * cut.camera.K[0, 0] / depth
    torso = layer.bound.part == Part.TORSO
    discs = torso & ~layer.seen
    assert discs.sum() > 100
    assert (pixels[:, 1] + 2.5 * radius)[discs].max() < end
    assert pixels[torso & layer.seen, 1].max() > end - 2


def test_a_turning_neck_leaves_the_shoulders_where_they_are(scene, layer):
    turned = np.zeros((len(scene.rig.parents), 3), np.float32)
    turned[1, 1] = np.radians(25)
    still, _ = pose(layer.bound, scene.vertices, scene.rig.faces)
    moved, _ = pose(layer.bound, rig_vertices(scene.rig, scene.controls, turned), scene.rig.faces)
    torso = layer.bound.part == Part.TORSO
    distance = np.linalg.norm(moved - still, axis=1)[torso]
    assert distance.max() < 0.04
    assert distance[np.abs(still[torso, 0]) > 0.12].max() < 0.004


def test_refinement_reproduces_the_portrait_and_keeps_the_unseen(scene, layer):
    before, _ = reproduction(scene, layer.bound)
    refined = refine(scene, layer, iterations=25, device="cpu", progress=SilentProgress())
    after, covered = reproduction(scene, refined)
    assert after > max(before + 3, 24)
    assert abs(covered - (scene.portrait.alpha > 0.9).mean()) < 0.02
    unseen = ~layer.seen
    for name in ("triangle", "local_mean", "local_basis", "opacities", "colors"):
        np.testing.assert_array_equal(getattr(refined, name)[unseen], getattr(layer.bound, name)[unseen])


def test_the_same_seed_gives_the_same_bits(scene, layer):
    again = lift_layers(scene, explain_pixels(scene), np.random.default_rng(0), SilentProgress())
    first = refine(scene, layer, iterations=3, device="cpu", progress=SilentProgress())
    second = refine(scene, again, iterations=3, device="cpu", progress=SilentProgress())
    for name in first.__dataclass_fields__:
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name


def test_cancelling_leaves_at_once(scene, layer):
    class Stop(SilentProgress):
        def update(self, stage, fraction):
            raise Cancelled

    with pytest.raises(Cancelled):
        refine(scene, layer, iterations=1000, device="cpu", progress=Stop())
