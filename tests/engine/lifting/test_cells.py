"""Cells tile their mask exactly and keep the picture's mean."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.lifting.cells import adaptive_cells


def painted(scene, rng):
    size = len(scene.portrait.alpha)
    foreground = np.full((size, size, 3), 0.4)
    foreground[: size // 2] = rng.random((size // 2, size, 3))
    return dataclasses.replace(scene.portrait, foreground=foreground, alpha=np.ones((size, size)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), coarsest=st.sampled_from([1, 2, 4]))
def test_cells_partition_the_mask(scene, seed, coarsest):
    rng = np.random.default_rng(seed)
    portrait = painted(scene, rng)
    mask = rng.random(portrait.alpha.shape) < 0.7
    mask[: len(mask) // 3, : len(mask) // 2] = True
    cells = adaptive_cells(portrait, mask, coarsest)
    covered = np.zeros(mask.shape, int)
    for center, side in zip(cells.center, cells.size.astype(int), strict=True):
        left, top = np.round(center - side / 2).astype(int)
        covered[top : top + side, left : left + side] += 1
    np.testing.assert_array_equal(covered, mask.astype(int))
    assert mask[cells.row, cells.column].all()


def test_flat_parts_become_coarse_and_noise_stays_fine(scene):
    portrait = painted(scene, np.random.default_rng(0))
    size = len(portrait.alpha)
    cells = adaptive_cells(portrait, np.ones((size, size), bool), coarsest=4)
    flat = cells.center[:, 1] > size / 2
    assert set(cells.size[flat]) == {4.0}
    assert set(cells.size[~flat]) == {1.0}
    np.testing.assert_allclose(cells.color[flat], 0.4)


def test_a_budget_is_kept(scene):
    portrait = painted(scene, np.random.default_rng(0))
    portrait = dataclasses.replace(portrait, foreground=0.3 + 0.1 * portrait.foreground)
    everything = np.ones(portrait.alpha.shape, bool)
    plain = adaptive_cells(portrait, everything, coarsest=4)
    limited = adaptive_cells(portrait, everything, coarsest=4, budget=len(plain.size) // 2)
    assert len(limited.size) <= len(plain.size) // 2
    assert (limited.size**2).sum() == everything.sum()
