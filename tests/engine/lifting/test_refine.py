"""Refinement in other cameras' orders: same picture, other order, so that neighbours may change places."""

import numpy as np
import pytest
import torch

from likeness.geometry.cameras import Camera
from likeness.lifting.adam import FIRST, SECOND, Adam
from likeness.lifting.refine import (
    EDGE_WEIGHT,
    REORDERED,
    REORDERED_UNTIL,
    SQUARE_WEIGHT,
    STEEPEST_TILT,
    _Posed,
    _SeenModel,
    _Target,
    _tilts,
)
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


def test_the_targets_gradient_is_that_of_its_loss():
    """Mean error, absolute and squared, and of neighbours' differences; nothing outside of the photograph."""
    rng = np.random.default_rng(1)
    target = object.__new__(_Target)
    target.premultiplied, image = (torch.tensor(rng.random((9, 7, 3)), dtype=torch.float32) for _ in range(2))
    target.transparency, target.valid = torch.rand(9, 7, 1).expand(-1, -1, 3), torch.ones(9, 7, 3)
    target.valid[:2] = 0
    image.requires_grad_()
    error = (image - target.premultiplied - target.transparency * GREY) * target.valid
    edges = (error[1:] - error[:-1]).abs().mean() + (error[:, 1:] - error[:, :-1]).abs().mean()
    (error.abs().mean() + SQUARE_WEIGHT * error.square().mean() + EDGE_WEIGHT * edges).backward()
    torch.testing.assert_close(target.gradient(image.detach(), GREY), image.grad)


def test_adam_steps_as_torchs_does():
    start, pull = torch.randn(5, 3), torch.randn(5, 3)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    adam = Adam([(ours, 0.1)])
    reference = torch.optim.Adam([theirs], lr=0.05, betas=(FIRST, SECOND))
    for _ in range(6):
        for parameter in (ours, theirs):
            parameter.grad = None
            ((parameter - pull) ** 4).sum().backward()
        adam.step(0.5)
        reference.step()
    torch.testing.assert_close(ours.detach(), theirs.detach())


def test_a_colour_goes_no_further_than_its_tint():
    count, colors = 2, torch.full((2, 3), 0.5)
    posed = _Posed(torch.zeros(count, 3), torch.eye(3).repeat(count, 1, 1) * 0.01, torch.full((count,), 0.8), colors)
    limited = _SeenModel(scene_with_a_camera(), posed, count, torch.tensor([0.1, 1.0]))
    with torch.no_grad():
        limited.color += 0.7
    limited.keep_in_range()
    np.testing.assert_allclose(limited.color.detach(), [[0.6] * 3, [1.0] * 3], atol=1e-6)
