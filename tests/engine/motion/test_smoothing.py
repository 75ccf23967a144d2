"""Noise goes, blinks stay; against scipy's Savitzky-Golay and a One Euro filter written from the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation
from takes import controls_motion, k

from likeness.motion.smoothing import SLOPE, one_euro, savitzky_golay, smoothed

T = 300
TIMES = np.arange(T) / 60


def noisy(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    clean = 0.4 + 0.3 * np.sin(TIMES * 1.5)[:, None] * np.ones(4)
    return clean, clean + rng.normal(0, 0.02, clean.shape)


def casiez(times: np.ndarray, signal: np.ndarray, lowest: float, beta: float) -> np.ndarray:
    """Filter one signal as the paper's algorithm 1 has it, with a cutoff of 1 Hz for the derivative."""
    filtered, derivative = [signal[0]], 0.0

    def alpha(cutoff: float, step: float) -> float:
        return 1 / (1 + (1 / (2 * math.pi * cutoff)) / step)

    for value, step in zip(signal[1:], np.diff(times), strict=True):
        derivative = alpha(1.0, step) * (value - filtered[-1]) / step + (1 - alpha(1.0, step)) * derivative
        share = alpha(lowest + beta * abs(derivative), step)
        filtered.append(share * value + (1 - share) * filtered[-1])
    return np.array(filtered)


def test_one_euro_is_the_papers():
    times = np.cumsum(np.random.default_rng(1).uniform(0.005, 0.05, T))
    _, shown = noisy()
    strengths = np.array([0.1, 0.4, 0.7, 1.0])
    filtered = one_euro(times, shown, strengths, np.arange(4))
    for column, strength in enumerate(strengths):
        expected = casiez(times, shown[:, column], 10 ** (1 - 1.5 * strength), SLOPE)
        np.testing.assert_allclose(filtered[:, column], expected, atol=1e-12)


@pytest.mark.parametrize(("strength", "window"), [(0.3, 5), (0.5, 9), (1.0, 19)])
def test_savitzky_golay_is_scipys_on_even_frames(strength, window):
    _, shown = noisy()
    ours = savitzky_golay(TIMES, shown, np.full(4, strength), np.arange(4))
    np.testing.assert_allclose(ours, savgol_filter(shown, window, 2, axis=0, mode="interp"), atol=1e-10)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_savitzky_golay_leaves_parabolas_alone_on_uneven_frames(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.025, 40))
    curve = np.polyval(rng.normal(size=3), times)[:, None]
    np.testing.assert_allclose(savitzky_golay(times, curve, np.ones(1), np.zeros(1, int)), curve, atol=1e-8)


def test_gaps_are_not_bridged():
    times = np.concatenate([TIMES[:50], TIMES[:50] + 5])
    shown = np.repeat([0.0, 1.0], 50)[:, None]
    np.testing.assert_allclose(savitzky_golay(times, shown, np.ones(1), np.zeros(1, int)), shown, atol=1e-12)


@pytest.mark.parametrize("method", ["one-euro", "savgol"])
def test_noise_is_halved_and_the_curve_stays(method):
    clean, shown = noisy()
    controls = np.zeros((T, 52))
    controls[:, :4] = shown
    result = smoothed(controls_motion(controls), method, 0.5, {}).expr[:, :4]
    assert (np.diff(result, axis=0).std() < 0.5 * np.diff(shown, axis=0).std()) and np.abs(result - clean).mean() < 0.02


@pytest.mark.parametrize("method", ["one-euro", "savgol"])
def test_blinks_keep_their_height(method):
    controls = np.zeros((T, 52))
    controls[100:112, k("eyeBlinkLeft")] = [0.2, 0.6, 0.9, 1, 1, 0.95, 0.8, 0.6, 0.4, 0.25, 0.1, 0.05]
    result = smoothed(controls_motion(controls), method, 0.5, {}).expr[:, k("eyeBlinkLeft")]
    assert result.max() > 0.85 and abs(int(result.argmax()) - 103) <= 2 and np.abs(result[140:]).max() < 0.02


@pytest.mark.parametrize("method", ["one-euro", "savgol"])
def test_a_region_may_have_its_own_strength(method):
    controls = np.random.default_rng(0).uniform(0, 1, (T, 52))
    result = smoothed(controls_motion(controls), method, 0.6, {"eyes": 0.0, "mouth": 0.2}).expr
    np.testing.assert_array_equal(result[:, k("eyeBlinkLeft")], controls[:, k("eyeBlinkLeft")].astype(np.float32))
    changed = np.abs(result - controls).mean(0)
    assert 0 < changed[k("mouthPucker")] < changed[k("browInnerUp")]


@pytest.mark.parametrize("method", ["one-euro", "savgol"])
@pytest.mark.parametrize("strength", [0.5, 0.0])
def test_rotations_are_smoothed_as_rotations(method, strength):
    rng = np.random.default_rng(4)
    turned = Rotation.from_rotvec(
        np.stack([np.sin(TIMES), 0.5 * TIMES, 0 * TIMES], 1) * 0.2 + rng.normal(0, 0.02, (T, 3))
    )
    elsewhere = Rotation.from_rotvec([0.4, 2.5, -1.0])
    here = smoothed(controls_motion(np.zeros((T, 52)), head=turned.as_rotvec()), method, strength, {}).neck_pose
    there = smoothed(controls_motion(np.zeros((T, 52)), head=(elsewhere * turned).as_rotvec()), method, strength, {})
    apart = (elsewhere * Rotation.from_rotvec(here)).inv() * Rotation.from_rotvec(there.neck_pose)
    assert apart.magnitude().max() < 1e-5
    step = (Rotation.from_rotvec(here[:-1]).inv() * Rotation.from_rotvec(here[1:])).magnitude()
    assert (step.mean() < 0.6 * (turned[:-1].inv() * turned[1:]).magnitude().mean()) == (strength > 0)


@pytest.mark.parametrize("method", ["one-euro", "savgol"])
@pytest.mark.parametrize("frames", [1, 2, 4, 6])
def test_the_shortest_takes(method, frames):
    motion = controls_motion(np.full((frames, 52), 0.3), head=np.full((frames, 3), 0.2))
    result = smoothed(motion, method, 1.0, {})
    np.testing.assert_allclose(result.expr, 0.3, atol=1e-6)
    np.testing.assert_allclose(result.neck_pose, 0.2, atol=1e-6)
