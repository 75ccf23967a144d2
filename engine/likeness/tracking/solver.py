"""Levenberg-Marquardt with bounded controls (Nocedal and Wright 2006, section 10.3; bounds by an active set)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve

from likeness.tracking.parameters import FitState
from likeness.tracking.terms import Term

AT_BOUND = 1e-9

S = TypeVar("S")
Linearized = tuple[Callable[[S], float], Callable[[float], S]]
"""The cost of any state, and the state that a step with a damping leads to."""


@dataclass(frozen=True)
class Damping:
    """How Levenberg's damping goes on: it grows until a step helps, at most `attempts` times, then falls."""

    first: float
    least: float
    growth: float
    decay: float
    attempts: int


PICTURE_DAMPING = Damping(first=1e-3, least=1e-6, growth=8.0, decay=0.25, attempts=6)


def descend(
    linearize: Callable[[S], Linearized[S]], state: S, damping: Damping, *, iterations: int, tolerance: float
) -> S:
    """Return the state that steps lead to until none helps or the cost falls by less than `tolerance` of itself.

    `linearize` is asked again at every iteration, for what depends on where the state is.
    """
    factor = damping.first
    for _ in range(iterations):
        cost_of, stepped = linearize(state)
        cost = cost_of(state)
        for _ in range(damping.attempts):
            proposed = stepped(factor)
            decrease = cost - cost_of(proposed)
            if decrease >= 0:
                break
            factor *= damping.growth
        else:
            return state
        state, factor = proposed, max(factor * damping.decay, damping.least)
        if decrease < tolerance * cost:
            break
    return state


def minimize(
    make_terms: Callable[[FitState], Sequence[Term]],
    state: FitState,
    *,
    free: Bool[np.ndarray, "P"],
    iterations: int,
    tolerance: float = 1e-4,
) -> FitState:
    """Return the state that minimizes the terms' squared sum over the free columns.

    `make_terms` is asked again at every iteration, for what depends on where the state is: robust weights,
    correspondences. Stops when the cost falls by less than `tolerance` of itself.
    """

    def linearize(state: FitState) -> Linearized[FitState]:
        terms = make_terms(state)
        hessian, gradient = normal_equations(terms, state)
        return (
            lambda other: total_cost(terms, other),
            lambda damping: state.moved(damped_step(state, hessian, gradient, free=free, damping=damping)),
        )

    return descend(linearize, state, PICTURE_DAMPING, iterations=iterations, tolerance=tolerance)


def total_cost(terms: Sequence[Term], state: FitState) -> float:
    """Return half the squared sum of all residuals."""
    return 0.5 * sum(float(residual @ residual) for residual in (term.residuals(state) for term in terms))


def normal_equations(terms: Sequence[Term], state: FitState) -> tuple[Float[np.ndarray, "P P"], Float[np.ndarray, "P"]]:
    """Return J^T J and J^T r over all terms."""
    hessian, gradient = np.zeros((state.size, state.size)), np.zeros(state.size)
    for term in terms:
        residual, jacobian = term.linearized(state)
        hessian += jacobian.T @ jacobian
        gradient += jacobian.T @ residual
    return hessian, gradient


def damped_step(
    state: FitState,
    hessian: Float[np.ndarray, "P P"],
    gradient: Float[np.ndarray, "P"],
    *,
    free: Bool[np.ndarray, "P"],
    damping: float,
) -> Float[np.ndarray, "P"]:
    """Solve for the step; controls that a bound holds back stay where they are."""
    held = np.zeros(state.size, bool)
    slope = gradient[state.control_columns]
    held[state.control_columns] = ((state.controls <= AT_BOUND) & (slope > 0)) | (
        (state.controls >= 1 - AT_BOUND) & (slope < 0)
    )
    active = np.flatnonzero(free & ~held)
    step = np.zeros(state.size)
    damped = hessian[np.ix_(active, active)]
    damped[np.diag_indices(len(active))] *= 1 + damping
    damped[np.diag_indices(len(active))] += 1e-9
    step[active] = -cho_solve(cho_factor(damped), gradient[active])
    return step
