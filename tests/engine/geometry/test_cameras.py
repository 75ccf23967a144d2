"""Cameras: pixels and points are each other's inverse, with both kinds of lens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.geometry.cameras import PINHOLE, Lens, look_at_face

ORTHOGRAPHIC = Lens(orthographic=True)


@given(seed=st.integers(0, 2**20), lens=st.sampled_from([PINHOLE, ORTHOGRAPHIC]))
def test_unproject_undoes_project(seed, lens):
    rng = np.random.default_rng(seed)
    camera = look_at_face(1.0, 500.0, 300, 200).orbited(rng.uniform(-1, 1), rng.uniform(-1, 1), np.zeros(3))
    camera = replace(camera, lens=lens)
    points = rng.normal(0, 0.1, (20, 3))
    np.testing.assert_allclose(camera.unproject(*camera.project(points)), points, atol=1e-9)


def test_an_orthographic_lens_shows_everything_in_one_size():
    camera = replace(look_at_face(1.0, 500.0, 300, 200), lens=ORTHOGRAPHIC)
    pixels, depth = camera.project(np.array([[0.1, 0.0, 0.0], [0.1, 0.0, 0.5]]))
    np.testing.assert_allclose(pixels, [[200.0, 100.0]] * 2)
    assert depth.tolist() == pytest.approx([1.0, 0.5])
