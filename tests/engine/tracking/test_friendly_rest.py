"""A part of a portrait's smile stays on the neutral face."""

from __future__ import annotations

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import look_at_face
from likeness.head.model import bake_rig, load_open_head, rig_vertices
from likeness.tracking.fit import KEPT_SMILE, with_friendly_rest
from likeness.tracking.types import HeadFit

REST = np.zeros((5, 3), np.float32)


def fitted(**controls: float) -> HeadFit:
    head = load_open_head()
    values = np.zeros(len(ARKIT_NAMES))
    for name, value in controls.items():
        values[ARKIT_NAMES.index(name)] = value
    neutral = head.v_template.astype(np.float64)
    return HeadFit(
        camera=look_at_face(1.0, 400.0, 64, 64),
        betas=np.zeros(head.shapedirs.shape[-1]),
        controls=values,
        offsets=np.zeros_like(neutral),
        v_neutral=neutral,
        v_portrait=neutral + head.exprdirs @ values,
        landmark_error=0.0,
    )


def test_the_portrait_stays_and_the_rest_smiles_a_little():
    head, before = load_open_head(), fitted(mouthSmileLeft=0.9, mouthSmileRight=0.8, jawOpen=0.5)
    after = with_friendly_rest(head, before)
    shapes = {name: head.exprdirs[..., ARKIT_NAMES.index(name)] for name in ("mouthSmileLeft", "mouthSmileRight")}
    wanted = KEPT_SMILE * (0.9 * shapes["mouthSmileLeft"] + 0.8 * shapes["mouthSmileRight"])
    np.testing.assert_allclose(after.v_neutral - before.v_neutral, wanted, atol=1e-6)
    assert np.linalg.norm(wanted, axis=1).max() > 0.002
    np.testing.assert_allclose(after.v_portrait, before.v_portrait, atol=2e-4)
    drawn, kept = (
        rig_vertices(bake_rig(head, fit.betas, fit.offsets), fit.controls.astype(np.float32), REST)
        for fit in (before, after)
    )
    np.testing.assert_allclose(kept, drawn, atol=2e-5)


def test_a_face_at_rest_stays_as_it_is():
    before = fitted(jawOpen=0.4, mouthPucker=0.3)
    after = with_friendly_rest(load_open_head(), before)
    np.testing.assert_array_equal(after.controls, before.controls)
    np.testing.assert_array_equal(after.v_neutral, before.v_neutral.astype(np.float32))
    assert not after.offsets.any()
