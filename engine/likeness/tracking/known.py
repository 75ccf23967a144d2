"""Pose and expression of a known head in one picture, by landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.tracking.beliefs import FRAME_BELIEFS
from likeness.tracking.evidence import DISTANCE, DISTANCE_DEVIATION, huber_weights, mirrored_controls
from likeness.tracking.initial import initial_state
from likeness.tracking.landmarks import embedded_landmarks, face_size, landmark_weights, unbiased
from likeness.tracking.parameters import POSE_COLUMNS, FitState, LinearPoints, project
from likeness.tracking.sequence import KnownHead
from likeness.tracking.solver import minimize
from likeness.tracking.terms import DistancePrior, ExpressionPrior, LandmarkTerm, SymmetryPrior, Term

DEVIATION = 0.04
"""Of a landmark of weight 1, interocular distances: tighter, a turned face's errors become a grimace."""
SYMMETRY_DEVIATION = 0.3
"""Of the difference of a left and a right control."""
POSE_ITERATIONS, ITERATIONS, ROUND_ITERATIONS = 6, 20, 8
"""Of the pose alone, of everything, and after each drawing."""
DISTANCE_AND_FOCAL = slice(5, POSE_COLUMNS)
"""Columns of a step."""


@dataclass(frozen=True)
class KnownPoints:
    """A known head's landmarks, and how much each counts."""

    points: LinearPoints
    weights: Float[np.ndarray, "478"]


def known_points(known: KnownHead) -> KnownPoints:
    """Prepare a head whose identity is given."""
    vertices = LinearPoints(np.asarray(known.v_neutral, np.float64), np.asarray(known.shapes, np.float64))
    return KnownPoints(embedded_landmarks(vertices, known.assets), landmark_weights(known.assets))


def find_known(known: KnownPoints, observed: Float[np.ndarray, "478 2"], center: Float[np.ndarray, "2"]) -> FitState:
    """Fit pose, focal length and ARKit controls to detected landmarks; pixels, `center` the principal point."""
    wanted, every = unbiased(observed), np.ones(POSE_COLUMNS + len(ARKIT_NAMES), bool)
    state = initial_state(known.points, wanted, known.weights, center=center, distance=DISTANCE, identity=0)
    pose_only = np.arange(state.size) < POSE_COLUMNS
    unit = face_size(observed)
    state = minimize(_terms(known, wanted, unit), state, free=pose_only, iterations=POSE_ITERATIONS)
    return minimize(_terms(known, wanted, unit), state, free=every, iterations=ITERATIONS)


def follow_difference(
    known: KnownPoints, state: FitState, observed: Float[np.ndarray, "478 2"], shown: Float[np.ndarray, "478 2"]
) -> FitState:
    """Go on from a state whose drawing the detector reads as `shown`: what it misplaces, it misplaces on both.

    Distance and focal length are held: what a drawing lacks in depth would else be made up for by them.
    """
    free = np.ones(state.size, bool)
    free[DISTANCE_AND_FOCAL] = False
    targets = project(known.points, state) + observed - shown
    terms = _terms(known, targets, face_size(observed))
    return minimize(terms, state, free=free, iterations=ROUND_ITERATIONS)


def _terms(known: KnownPoints, targets: Float[np.ndarray, "478 2"], unit: float) -> Callable[[FitState], list[Term]]:
    deviation = DEVIATION * unit
    left, right = mirrored_controls()

    def make_terms(state: FitState) -> list[Term]:
        distance = np.linalg.norm(project(known.points, state) - targets, axis=1)
        weights = np.sqrt(known.weights * huber_weights(distance / deviation)) / deviation
        return [
            LandmarkTerm(known.points, targets, weights),
            ExpressionPrior(FRAME_BELIEFS.deviations, FRAME_BELIEFS.shift),
            SymmetryPrior(left, right, SYMMETRY_DEVIATION),
            DistancePrior(DISTANCE, DISTANCE_DEVIATION),
        ]

    return make_terms
