"""Levels of detail: every beginning covers the head, and what it leaves out is made up for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hypothesis import given
from hypothesis import strategies as st

from factories import make_avatar
from likeness.contract.avatar_file import avatar_from_bytes, avatar_to_bytes
from likeness.contract.levels import coverage_order, in_order, level, rest_means, widening


@given(st.integers(0, 3000), st.integers(0, 9))
def test_every_point_comes_once(count, seed):
    rng = np.random.default_rng(seed)
    order = coverage_order(rng.normal(size=(count, 3)), rng.uniform(0.01, 5, count))
    np.testing.assert_array_equal(np.sort(order), np.arange(count))


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_a_beginning_is_spread_evenly(share):
    points = np.random.default_rng(0).uniform(size=(8000, 3))
    kept = points[coverage_order(points, np.ones(8000))[: round(8000 * share)]]
    counts, wanted = (np.histogramdd(p, bins=4, range=[(0, 1)] * 3)[0] for p in (kept, points))
    assert np.abs(counts - share * wanted).max() < 4  # chance alone would be off by three times the root of it


def test_heavy_points_come_first_in_proportion_and_light_ones_are_not_forgotten():
    rng = np.random.default_rng(0)
    points, heavy = rng.uniform(size=(8000, 3)), rng.random(8000) < 0.5
    first = coverage_order(points, np.where(heavy, 4.0, 1.0))[:1000]
    assert heavy[first].mean() == pytest.approx(0.8, abs=0.03)


def test_a_beginning_stands_for_all():
    """Widening by half of what is missing, it makes up for half of the Gaussians left out, and never shrinks."""
    points = np.random.default_rng(0).uniform(size=(5000, 3))
    points = points[coverage_order(points, np.ones(5000))]
    for count in (1000, 2500):
        factor = widening(points, count)
        assert factor.min() >= 1
        assert factor.mean() == pytest.approx(1 + (5000 / count - 1) / 2, rel=0.05)
    assert (widening(points, 5000) == 1).all()


def test_a_level_is_the_beginning_of_the_arrays():
    avatar = make_avatar(gaussians=500)
    few, many = level(avatar, 100).gaussians, level(avatar, 300).gaussians
    for name in ("triangle", "local_mean", "opacities", "colors", "part"):
        np.testing.assert_array_equal(getattr(few, name), getattr(avatar.gaussians, name)[:100])
        np.testing.assert_array_equal(getattr(many, name)[:100], getattr(few, name))
    assert (np.abs(few.local_basis) >= np.abs(many.local_basis[:100]) - 1e-6).mean() > 0.8
    assert level(avatar, 500) is avatar
    assert len(level(avatar, 1).gaussians.part) == 1


def test_a_level_is_an_avatar_that_can_be_written():
    small = level(make_avatar(gaussians=500), 50)
    assert len(avatar_from_bytes(avatar_to_bytes(small), Path("x")).gaussians.part) == 50


def test_an_older_avatar_is_spread_evenly_once():
    avatar = make_avatar(gaussians=4000)
    order = np.argsort(rest_means(avatar.rig, avatar.gaussians)[:, 1])
    bound = avatar.gaussians
    sorted_ones = replace(bound, **{name: getattr(bound, name)[order] for name in bound.__dataclass_fields__})
    older = replace(avatar, gaussians=sorted_ones, info=replace(avatar.info, settings={}))
    height = rest_means(older.rig, level(older, 400).gaussians)[:, 1]
    whole = rest_means(avatar.rig, bound)[:, 1]
    assert height.max() > np.percentile(whole, 99) and height.min() < np.percentile(whole, 1)
    assert in_order(in_order(older)) is not older and in_order(avatar) is avatar
