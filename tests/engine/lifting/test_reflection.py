"""The seen hair's reflection: the same colour where it begins, nothing but hair, nothing far behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.lifting.reflection import REACH, Reflection

FIRST, LAST = 60, 120
"""Columns that the hair takes; to their right lies the face."""


@pytest.fixture(scope="module")
def striped(scene):
    """A flat person from FIRST to the right end, whose hair's colour tells the column."""
    size = len(scene.portrait.alpha)
    columns = np.tile(np.arange(size), (size, 1))
    alpha = (columns >= FIRST).astype(np.float32)
    foreground = np.repeat((columns / size)[..., None], 3, 2)
    hair = (columns >= FIRST) & (columns < LAST)
    portrait = replace(scene.portrait, alpha=alpha, foreground=foreground, valid=np.ones_like(hair))
    flat = np.ones((size, size))
    return Reflection.of(replace(scene, portrait=portrait), hair, flat, columns >= LAST), size


def at_outline(reflection, size, depth):
    row = np.full(len(depth), size // 2)
    return reflection.colors(row, np.full(len(depth), FIRST - 1), depth)


def test_it_begins_with_the_outlines_colour_and_runs_inwards(striped):
    reflection, size = striped
    behind = np.array([0.0, 0.01, 0.02])
    color, share = at_outline(reflection, size, 1 + behind)
    expected = (FIRST + behind / reflection.metres_per_pixel) / size
    assert np.abs(color[:, 0] - expected).max() < 3 / size
    assert (np.diff(share) < 0).all() and share[0] > 0.95


def test_it_folds_back_before_the_face(striped):
    reflection, size = striped
    depth = np.linspace(1, 1.3, 50)
    color, share = at_outline(reflection, size, depth)
    assert color.min() >= (FIRST - 2) / size and color.max() <= (LAST + 2) / size
    assert share[depth > 1 + 2.5 * REACH].max() < 0.01


def test_where_no_hair_is_seen_nothing_is_reflected(striped):
    reflection, size = striped
    bare = replace(reflection, own=np.zeros_like(reflection.own))
    assert at_outline(bare, size, np.array([1.0, 1.02]))[1].max() == 0
