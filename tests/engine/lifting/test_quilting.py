"""Quilting: more of a texture, with its colours and its direction, and nothing of what is masked out."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.lifting.quilting import _Edge, quilt, strandedness

SIZE = 96


@pytest.fixture
def stripes():
    """Vertical stripes with a little noise."""
    rng = np.random.default_rng(1)
    return np.tile(np.sin(np.arange(SIZE) / 2), (SIZE, 1)) + rng.normal(0, 0.05, (SIZE, SIZE))


def test_the_texture_goes_on_in_its_own_direction(stripes):
    mask = np.ones(stripes.shape, bool)
    laid = quilt(stripes, mask, (200, 150), np.random.default_rng(0))
    assert laid.shape == (200, 150)
    assert laid.min() > stripes.min() - 1e-5 and laid.max() < stripes.max() + 1e-5
    down, right = (np.diff(laid, axis=axis).std() for axis in (0, 1))
    assert right > 2.5 * down
    assert abs(laid.std() / stripes.std() - 1) < 0.2


def test_nothing_comes_from_outside_the_mask(stripes):
    mask = np.zeros(stripes.shape, bool)
    mask[10:70, 20:80] = True
    laid = quilt(np.where(mask, stripes, 100.0), mask, (80, 80), np.random.default_rng(0))
    assert laid.max() < 2


def test_too_little_of_it_gives_none(stripes):
    mask = np.zeros(stripes.shape, bool)
    mask[::2] = True
    assert quilt(stripes, mask, (50, 50), np.random.default_rng(0)) is None


def test_straight_hair_is_told_from_fur(stripes):
    mask = np.ones(stripes.shape, bool)
    fur = np.random.default_rng(2).normal(0, 1, stripes.shape)
    assert strandedness(stripes, mask, 3.0) > 0.8
    assert strandedness(fur, mask, 3.0) < 0.4


def test_patches_are_ranked_by_their_squared_differences():
    rng = np.random.default_rng(3)
    parts, place = rng.random((40, 4, 9)).astype(np.float32), rng.random((4, 9)).astype(np.float32)
    direct = 0.5 * ((parts - place) ** 2).sum((1, 2))
    error = _Edge.of(parts).error(place)
    assert np.abs((error - error[0]) - (direct - direct[0])).max() < 1e-5
