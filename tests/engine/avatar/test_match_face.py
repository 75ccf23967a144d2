"""A drawn face is laid on a picture's, whatever the light."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from likeness.avatar.match_face import AppearanceTerm, sample, slopes, unlit
from likeness.avatar.match_picture import PARAMETERS, surroundings
from likeness.tracking.parameters import POSE_COLUMNS, FitState, LinearPoints, project
from likeness.tracking.solver import minimize

SIZE = 96


@pytest.fixture
def texture() -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(SIZE, SIZE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.round(120 + 60 * smooth / np.abs(smooth).max()).astype(np.uint8)[..., None].repeat(3, -1)


def state(x: float = 0.0) -> FitState:
    return FitState(np.eye(3), np.array([x, 0, 1.0]), np.log(100.0), np.full(2, SIZE / 2), np.zeros(0), np.zeros(52))


def test_gain_and_slow_light_drop_out(texture: np.ndarray) -> None:
    lamp = np.linspace(0.5, 1.4, SIZE)[None, :, None]
    other = np.round(texture * lamp).astype(np.uint8)
    inner = np.s_[12:-12, 12:-12]
    before = np.std(np.log(other[inner].astype(float)) - np.log(texture[inner].astype(float)))
    after = np.std(unlit(other, 8.0)[inner] - unlit(texture, 8.0)[inner]) / np.std(unlit(texture, 8.0)[inner])
    assert before > 0.15
    assert after < 0.3


def test_black_surroundings_do_not_count(texture: np.ndarray) -> None:
    cut = texture.copy()
    cut[:, : SIZE // 2] = 0
    assert not unlit(cut, 8.0)[:, : SIZE // 2].any()
    assert np.abs(unlit(cut, 8.0)).max() < 4


def test_a_pixels_centre_samples_the_pixel(texture: np.ndarray) -> None:
    grey = texture[..., 0].astype(np.float32)
    np.testing.assert_allclose(sample(grey, np.array([[10.5, 20.5]])), grey[20, 10])


def test_points_find_where_the_texture_is(texture: np.ndarray) -> None:
    grid = np.stack(np.meshgrid(np.linspace(-0.3, 0.3, 40), np.linspace(-0.3, 0.3, 40)), -1).reshape(-1, 2)
    base = np.concatenate([grid, np.zeros((len(grid), 1))], 1)
    points = LinearPoints(base, np.zeros((len(base), 3, 52)))
    even = unlit(texture, 8.0)
    drawn, pixels = sample(even, project(points, state())), project(points, state())
    weights = np.ones(len(base))
    term = AppearanceTerm(points, drawn, sample(slopes(even), pixels), even, slopes(even), weights)
    free = np.arange(state().size) == 3
    found = minimize(lambda _: [term], state(0.02), free=free, iterations=20)
    assert abs(found.translation[0]) < 1e-3


def test_surroundings_pull_as_their_normal_equations_do_with_the_body_free() -> None:
    rng = np.random.default_rng(5)
    factor = rng.normal(size=(PARAMETERS, PARAMETERS)) * np.array([30, 30, 30, 300, 300, 5, 5, 20, 20, 20.0])
    hessian, gradient = factor.T @ factor, rng.normal(size=PARAMETERS) * 10
    term = surroundings(state(), hessian, gradient)
    residual, jacobian = term.linearized(state())
    jacobian = jacobian[:, :POSE_COLUMNS]
    step = -np.linalg.solve(jacobian.T @ jacobian, jacobian.T @ residual)
    np.testing.assert_allclose(step, -np.linalg.solve(hessian, gradient)[:POSE_COLUMNS], rtol=1e-3, atol=1e-6)
