"""The inside of the mouth is lit by its opening: dark red, never black, and no brighter than its teeth."""

from __future__ import annotations

import numpy as np

from likeness.lifting.appearance import complete_skin
from likeness.lifting.mouth import lift_mouth, seen_share
from likeness.lifting.visibility import explain_pixels


def test_wall_and_tongue_are_dark_red_and_teeth_are_brighter(scene):
    view = explain_pixels(scene)
    layers = lift_mouth(scene, view, complete_skin(scene, view), np.random.default_rng(0))

    def colors(*regions: str) -> np.ndarray:
        inside = scene.triangles_in(*regions)
        return np.concatenate([x.bound.colors[inside[x.bound.triangle] & ~x.seen] for x in layers])

    inside = colors("mouth_inside", "tongue")
    assert (inside[:, 0] >= inside[:, 1]).all()
    assert (inside[:, 0] > 0.05).all()
    assert np.percentile(colors("teeth_upper").mean(1), 75) > 2 * np.median(inside.mean(1))


def test_light_through_an_opening_is_the_form_factor_of_a_disc():
    """A disc of radius r at height h over a point fills r^2 / (r^2 + h^2) of its sky, and none of one turned away."""
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    disc = np.stack([np.cos(angle), np.sin(angle), np.full(200, 1.5)], 1)
    below, up = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    np.testing.assert_allclose(seen_share(disc, below, up), 1 / (1 + 1.5**2), rtol=1e-3)
    assert seen_share(disc, below, -up) == 0


def test_teeth_are_dark_on_the_inside(scene):
    view = explain_pixels(scene)
    layers = lift_mouth(scene, view, complete_skin(scene, view), np.random.default_rng(0))
    teeth = scene.triangles_in("teeth_lower")
    bound = next(x.bound for x in layers if teeth[x.bound.triangle].all())
    corners = scene.vertices[scene.rig.faces[bound.triangle]].astype(float)
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    front = corners[:, 0, 2] > corners[:, 0, 2].max() - 0.008
    outer, inner = (np.median(bound.colors[front & side].mean(1)) for side in (facing > 0, facing < 0))
    assert inner < 0.5 * outer
