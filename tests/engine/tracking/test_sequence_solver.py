"""The coupled system of a window against dense twins and finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sightings import performance, sightings, synthetic_head

from likeness.head.assets import HeadAssets
from likeness.tracking.beliefs import FRAME_BELIEFS, MOTIONLESS
from likeness.tracking.clip_head import FRAME_COLUMNS, ClipHead, Frames
from likeness.tracking.sequence import observe
from likeness.tracking.temporal import coupling, smoothness_cost
from likeness.tracking.window import (
    Observations,
    banded,
    coupled_step,
    fit_window,
    frame_equations,
    landmark_weights_in,
    window_cost,
)

TIMES = np.cumsum([0.0, 0.04, 0.04, 0.033, 0.05, 0.04])
STEP = 1e-6


@pytest.fixture(scope="module")
def head(open_head: HeadAssets) -> ClipHead:
    return synthetic_head(open_head)


@pytest.fixture(scope="module")
def seen(head: ClipHead) -> Observations:
    return observe(sightings(head, performance(TIMES), TIMES, noise=0.5), np.arange(len(TIMES)))


def _inside(frames: Frames) -> Frames:
    """Keep controls off their bounds, where the cost is smooth."""
    return replace(frames, controls=0.2 + 0.5 * frames.controls)


def _dense(blocks: np.ndarray, tied) -> np.ndarray:
    count, width = blocks.shape[:2]
    dense = np.zeros((count * width, count * width))
    for t in range(count):
        dense[t * width : (t + 1) * width, t * width : (t + 1) * width] = blocks[t] + np.diag(tied.diagonal[t])
        for ahead, values in ((1, tied.next), (2, tied.second)):
            if t + ahead < count:
                rows = np.arange(t * width, (t + 1) * width)
                dense[rows, rows + ahead * width] = dense[rows + ahead * width, rows] = values[t]
    return dense


def test_gradients_are_the_costs_slopes(head: ClipHead, seen: Observations) -> None:
    frames = _inside(performance(TIMES + 0.02))
    weights = landmark_weights_in(head, seen, frames)
    gradients = frame_equations(head, FRAME_BELIEFS, seen, frames, weights)[1]
    gradients = gradients + coupling(MOTIONLESS, TIMES, seen.linked, frames).gradient
    rng = np.random.default_rng(0)
    for _ in range(4):
        steps = rng.normal(size=(len(TIMES), FRAME_COLUMNS)) * np.repeat([0.2, 0.02, 1.0], [3, 3, 52])
        ahead = window_cost(head, FRAME_BELIEFS, seen, frames.moved(STEP * steps), weights)
        behind = window_cost(head, FRAME_BELIEFS, seen, frames.moved(-STEP * steps), weights)
        assert (ahead - behind) / (2 * STEP) == pytest.approx((gradients * steps).sum(), rel=2e-3)


def test_band_equals_dense_matrix(head: ClipHead, seen: Observations) -> None:
    frames = _inside(performance(TIMES))
    weights = landmark_weights_in(head, seen, frames)
    blocks, gradients = frame_equations(head, FRAME_BELIEFS, seen, frames, weights)
    tied = coupling(MOTIONLESS, TIMES, seen.linked, frames)
    dense, band = _dense(blocks, tied), banded(blocks, tied)
    for k in range(len(band)):
        np.testing.assert_allclose(band[k, : len(dense) - k], np.diagonal(dense, k), rtol=1e-12)
    gradients = gradients + tied.gradient
    step = coupled_step(frames, blocks, gradients, tied, 0.0)
    wanted = np.linalg.solve(dense + 1e-9 * np.eye(len(dense)), -gradients.ravel())
    np.testing.assert_allclose(step.ravel(), wanted, atol=1e-8)


def test_constant_velocity_costs_no_acceleration() -> None:
    frames = performance(TIMES)
    rising = 0.2 + 0.3 * TIMES[:, None] * np.ones(52)
    frames = Frames(np.tile(np.eye(3), (len(TIMES), 1, 1)), np.zeros((len(TIMES), 3)) + 0.1 * TIMES[:, None], rising)
    free = replace(MOTIONLESS, speed=np.full(FRAME_COLUMNS, 1e9))
    assert smoothness_cost(free, TIMES, np.ones(len(TIMES) - 1, bool), frames) < 1e-12


def test_a_cut_unlinks(head: ClipHead) -> None:
    linked = np.ones(len(TIMES) - 1, bool)
    frames = performance(TIMES)
    jumped = replace(frames, controls=np.where(np.arange(len(TIMES))[:, None] < 3, frames.controls, 0.7))
    cut = linked.copy()
    cut[2] = False
    whole = smoothness_cost(MOTIONLESS, TIMES, linked, jumped)
    parts = sum(
        smoothness_cost(MOTIONLESS, TIMES[part], np.ones(2, bool), jumped[part]) for part in (slice(0, 3), slice(3, 6))
    )
    assert smoothness_cost(MOTIONLESS, TIMES, cut, jumped) == pytest.approx(parts)
    assert whole > 2 * parts + 1


def test_truth_is_found_again(head: ClipHead) -> None:
    times = np.arange(40) / 25
    truth = performance(times)
    clip = observe(sightings(head, truth, times), np.arange(len(times)))
    start = replace(truth, controls=np.zeros_like(truth.controls), translations=truth.translations + 0.01)
    found = fit_window(head, FRAME_BELIEFS, clip, start)
    assert np.abs(found.controls - truth.controls).mean() < 0.03
    assert np.abs(found.translations - truth.translations).max() < 0.01
