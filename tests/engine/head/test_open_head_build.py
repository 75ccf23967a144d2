"""The committed script builds the shipped asset. Needs the package anny, whose data it reads."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from likeness.contract.safe_npz import read_npz
from likeness.head.model import OPEN_HEAD

needs_anny = pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="the package anny is not installed")
DETECTED = {"landmark_faces", "landmark_bary", "landmark_spread", "ibug_faces", "ibug_bary"}


@needs_anny
def test_the_script_builds_what_ships():
    from open_head.build import build

    built, shipped = build(), read_npz(OPEN_HEAD.read_bytes())
    assert built.keys() == shipped.keys()
    for name in built.keys() - DETECTED:
        assert built[name].dtype == shipped[name].dtype, name
        # Another processor's linear algebra may round the last bit of a half-precision direction differently.
        np.testing.assert_allclose(built[name].astype(float), shipped[name].astype(float), rtol=2e-3, atol=1e-5)
    places = {
        kind: np.einsum(
            "nkc,nk->nc", arrays["v_template"][arrays["faces"][arrays["landmark_faces"]]], arrays["landmark_bary"]
        )
        for kind, arrays in (("built", built), ("shipped", shipped))
    }
    assert np.linalg.norm(places["built"] - places["shipped"], axis=1).max() < 0.001
