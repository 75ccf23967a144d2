"""Unseen skin has the grain of the seen skin near it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from likeness.lifting.grain import gather_grain
from likeness.lifting.visibility import Label, explain_pixels


@pytest.fixture(scope="module")
def view(scene):
    return explain_pixels(scene)


def grain_of(scene, view, rough):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, view.label.shape) * rough
    color = np.repeat(0.5 * np.exp(noise)[..., None], 3, 2)
    return gather_grain(scene, view, color, view.label == Label.SKIN)


def places(side):
    rng = np.random.default_rng(1)
    points = np.array([side * 0.07, -0.06, -0.08]) + rng.uniform(-0.02, 0.02, (500, 3)) * [0, 1, 1]
    return points, np.tile([side, 0.0, 0.0], (500, 1))


def test_smooth_skin_stays_smooth(scene, view):
    np.testing.assert_allclose(grain_of(scene, view, 0.0).at(*places(1)), 0, atol=1e-6)


def test_each_side_takes_the_grain_of_its_own(scene, view):
    rough_left = np.arange(view.label.shape[1])[None] * np.ones((len(view.label), 1)) > view.label.shape[1] / 2
    grain = grain_of(scene, view, rough_left)
    # The subject's left is on the picture's right.
    left, right = grain.at(*places(1)), grain.at(*places(-1))
    assert 0.01 < left.std() < 0.1
    assert right.std() < 0.2 * left.std()


def test_without_plain_skin_there_is_no_grain(scene, view):
    nothing = dataclasses.replace(view, label=np.zeros_like(view.label))
    assert not grain_of(scene, nothing, 1.0).at(*places(1)).any()
