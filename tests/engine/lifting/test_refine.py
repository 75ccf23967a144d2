"""Refinement in other cameras' orders: same picture, other order, so that neighbours may change places."""

import numpy as np
import pytest
import torch

from likeness.geometry.cameras import Camera
from likeness.lifting.refine import REORDERED, REORDERED_UNTIL, STEEPEST_TILT, _Posed, _SeenModel, _tilts
from likeness.lifting.types import Scene

ZERO = np.zeros(2)
GREY = torch.full((3,), 0.5)


def scene_with_a_camera() -> Scene:
    """As much of a scene as drawing needs: a square pinhole one metre before the origin."""
    scene = object.__new__(Scene)
    K = np.array([[128.0, 0, 16], [0, 128, 16], [0, 0, 1]])
    T = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    object.__setattr__(scene, "camera", Camera(K, T, 32, 32))
    return scene


def model(means, colors, opacity=0.8):
    """All Gaussians seen, round, a pixel and a half wide."""
    count = len(means)
    basis = torch.eye(3).repeat(count, 1, 1) * 0.012
    posed = _Posed(torch.tensor(means), basis, torch.full((count,), opacity), torch.tensor(colors))
    return _SeenModel(scene_with_a_camera(), posed, count)


def test_a_tilt_swaps_neighbours_and_nothing_else():
    """Red lies before blue, to its left; depths that fall to the right put blue before red."""
    pair = model([[-0.006, 0.0, -0.001], [0.006, 0.0, 0.001]], [[1.0, 0, 0], [0, 0, 1.0]])
    swapped = model([[-0.006, 0.0, 0.001], [0.006, 0.0, -0.001]], [[1.0, 0, 0], [0, 0, 1.0]])
    with torch.no_grad():
        own, tilted = pair.render(GREY, ZERO), pair.render(GREY, np.array([-0.5, 0.0]))
        assert float((tilted - own).abs().max()) > 0.2
        assert float((tilted - swapped.render(GREY, ZERO)).abs().max()) < 0.02
        alone = model([[0.02, -0.03, 0.0]], [[1.0, 0, 0]])
        assert float((alone.render(GREY, np.array([0.7, 0.7])) - alone.render(GREY, ZERO)).abs().max()) < 1e-4


def test_what_lies_on_one_ray_keeps_its_order():
    """However steep the tilt, the nearer one covers."""
    near, far = np.array([0.03, 0.0, -0.01]), np.array([0.03, 0.0, -0.01])
    far = far + 0.01 * (far - [0, 0, -1])
    stack = model([near.tolist(), far.tolist()], [[1.0, 0, 0], [0, 0, 1.0]])
    with torch.no_grad():
        for tilt in ([1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]):
            apart = stack.render(GREY, np.array(tilt)) - stack.render(GREY, ZERO)
            assert float(apart.abs().max()) < 1e-4


def test_the_last_steps_and_some_others_draw_the_portraits_own_order():
    tilts = _tilts(1000)
    steepness = np.linalg.norm(tilts, axis=1)
    last = round(1000 * REORDERED_UNTIL)
    assert not steepness[last:].any()
    assert (steepness[:last] > 0).mean() == pytest.approx(REORDERED, abs=0.06)
    assert steepness.max() <= STEEPEST_TILT
    assert np.abs(tilts.mean(0)).max() < 0.05
    np.testing.assert_array_equal(tilts, _tilts(1000))
