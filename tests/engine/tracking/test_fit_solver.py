from __future__ import annotations

import numpy as np

from likeness.head.assets import HeadAssets
from likeness.tracking.initial import initial_state
from likeness.tracking.landmarks import embedded_landmarks
from likeness.tracking.parameters import FitState, LinearPoints, project
from likeness.tracking.solver import minimize, normal_equations, total_cost
from likeness.tracking.terms import ExpressionPrior, IdentityPrior, LandmarkTerm


def test_perfect_landmarks_are_met(open_head: HeadAssets, vertices: LinearPoints, state: FitState) -> None:
    points = embedded_landmarks(vertices, open_head)
    observed = project(points, state)
    start = initial_state(points, observed, np.ones(478), center=state.center, distance=1.0, identity=len(state.betas))
    terms = [LandmarkTerm(points, observed, np.ones(478)), IdentityPrior(100.0), ExpressionPrior(np.ones(52), 0.0)]
    fitted = minimize(lambda _: terms, start, free=np.ones(start.size, bool), iterations=40)
    assert np.abs(project(points, fitted) - observed).max() < 0.3


def test_first_pose_is_near_for_a_turned_head(open_head: HeadAssets, vertices: LinearPoints, state: FitState) -> None:
    points = embedded_landmarks(vertices, open_head)
    for yaw in (-0.9, 0.0, 0.9):
        turned = state.moved(np.concatenate([[0, -yaw, 0], np.zeros(state.size - 3)]))
        start = initial_state(
            points, project(points, turned), np.ones(478), center=turned.center, distance=1.0, identity=len(state.betas)
        )
        cosine = (np.trace(start.rotation @ turned.rotation.T) - 1) / 2
        assert np.degrees(np.arccos(cosine)) < 12


def test_controls_end_within_their_bounds_at_the_best_place(vertices: LinearPoints, state: FitState) -> None:
    """Pulled to -1, 2 and 0.5, controls end at 0, 1 and 0.5: a quadratic of its own for each."""

    class Pull(ExpressionPrior):
        def residuals(self, state: FitState) -> np.ndarray:
            goal = np.full(52, 0.5)
            goal[:2] = -1, 2
            return (state.controls - goal) / self.deviations

    free = np.zeros(state.size, bool)
    free[state.control_columns] = True
    fitted = minimize(lambda _: [Pull(np.ones(52), 0.0)], state, free=free, iterations=30, tolerance=1e-12)
    np.testing.assert_allclose(fitted.controls, np.concatenate([[0, 1], np.full(50, 0.5)]), atol=1e-4)
    np.testing.assert_array_equal(fitted.betas, state.betas)


def test_normal_equations_are_the_stacked_ones(state: FitState) -> None:
    terms = [IdentityPrior(0.5), ExpressionPrior(np.full(52, 0.3), 0.1)]
    rows = [term.linearized(state) for term in terms]
    residual, jacobian = np.concatenate([r for r, _ in rows]), np.concatenate([j for _, j in rows])
    hessian, gradient = normal_equations(terms, state)
    np.testing.assert_allclose(hessian, jacobian.T @ jacobian)
    np.testing.assert_allclose(gradient, jacobian.T @ residual)
    assert np.isclose(total_cost(terms, state), residual @ residual / 2)
