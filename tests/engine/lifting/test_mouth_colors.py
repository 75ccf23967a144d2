"""The inside of the mouth is lit by its opening: dark red, never black, and no brighter than its teeth."""

from __future__ import annotations

import numpy as np

from likeness.lifting.appearance import complete_skin
from likeness.lifting.mouth import lift_mouth
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
    assert np.median(colors("teeth_upper").mean(1)) > 2 * np.median(inside.mean(1))
