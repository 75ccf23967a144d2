"""A performance between its frames, against scipy's interpolation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from likeness.contract.motion import ARRAYS, Motion, check_motion
from likeness.contract.motion_sampling import even_times, sample_motion


def take(times, *, seed=1, angle=2.0) -> Motion:
    """A performance of random numbers at these times."""
    random = np.random.default_rng(seed)
    frames = len(times)
    rows = {name: random.normal(0, angle, (frames, *row)).astype(np.float32) for name, row in ARRAYS.items()}
    rows |= {"times": np.asarray(times, np.float64), "observed": random.integers(0, 2, frames).astype(np.uint8)}
    return Motion(
        **rows,
        expr=random.uniform(0, 1, (frames, 3)).astype(np.float32),
        fps=30.0,
        head_model="open",
        head_model_hash="",
        expr_names=("jawOpen", "eyeBlinkLeft", "browInnerUp"),
    )


UNEVEN = np.array([0.5, 0.53, 0.61, 0.62, 0.9, 1.4])


def test_numbers_lie_on_straight_lines_between_uneven_frames():
    motion = take(UNEVEN)
    times = np.linspace(0.2, 1.6, 200)
    sampled = sample_motion(motion, times)
    check_motion(sampled)
    for name in ("expr", "translation"):
        columns = np.moveaxis(getattr(motion, name), 1, 0)
        wanted = np.stack([np.interp(times, UNEVEN, column) for column in columns], 1)
        np.testing.assert_allclose(getattr(sampled, name), wanted, atol=1e-6)


@pytest.mark.parametrize("angle", [1e-6, 0.3, 2.0])
def test_rotations_follow_the_shortest_arcs_at_constant_speed(angle):
    motion = take(UNEVEN, angle=angle)
    times = np.linspace(UNEVEN[0], UNEVEN[-1], 300)
    pose = sample_motion(motion, times).pose
    for joint in range(5):
        wanted = Slerp(UNEVEN, Rotation.from_rotvec(motion.pose[:, joint]))(times)
        difference = (wanted.inv() * Rotation.from_rotvec(pose[:, joint])).magnitude()
        assert difference.max() < 1e-6 * max(angle, 0.1)


def test_a_halfway_turn_is_not_the_mean_of_its_rotation_vectors():
    motion = dataclasses.replace(take([0.0, 1.0]), rotation=np.array([[0, 3.0, 0], [0, -3.0, 0]], np.float32))
    half = sample_motion(motion, [0.5]).rotation[0]
    np.testing.assert_allclose(np.abs(half), [0, np.pi, 0], atol=1e-6)


def test_at_its_own_times_a_performance_is_itself():
    motion = take(UNEVEN, angle=0.7)
    again = sample_motion(motion, motion.times)
    for name in (*ARRAYS, "expr"):
        np.testing.assert_allclose(getattr(again, name), getattr(motion, name), atol=1e-6)
    np.testing.assert_array_equal(again.expr, motion.expr)
    np.testing.assert_array_equal(again.observed, motion.observed)


def test_before_and_after_the_head_holds_still_and_one_frame_is_enough():
    motion = take(UNEVEN)
    sampled = sample_motion(motion, [-5.0, 9.0])
    np.testing.assert_array_equal(sampled.expr, motion.expr[[0, -1]])
    np.testing.assert_array_equal(sample_motion(take([2.0]), [0.0, 2.0, 3.0]).expr, take([2.0]).expr[[0, 0, 0]])


def test_observed_is_the_nearest_frames():
    motion = dataclasses.replace(take([0.0, 1.0]), observed=np.array([1, 0], np.uint8))
    np.testing.assert_array_equal(sample_motion(motion, [0.1, 0.49, 0.51, 1.0]).observed, [1, 1, 0, 0])


def test_even_times_reach_the_last_frame_in_spite_of_rounding():
    np.testing.assert_allclose(even_times(take([2.0, 2.0333, 2.0667, 2.1]), 30.0), [2, 2 + 1 / 30, 2 + 2 / 30, 2.1])
    assert len(even_times(take([0.0, 0.03332]), 30.0)) == 2
    assert len(even_times(take([0.0, 0.03]), 30.0)) == 1
    assert len(even_times(take([0.0]), 30.0)) == 1
    assert len(even_times(take([0.0, 1.0]), 60.0)) == 61
