"""Pose and expression of a known head in one picture, by landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.tracking.beliefs import FRAME_BELIEFS, Beliefs
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
CALM = replace(FRAME_BELIEFS, deviations=0.5 * FRAME_BELIEFS.deviations, shift=0.05)
CALM_SYMMETRY_DEVIATION = 0.15
"""One picture, once the pose is known: an avatar's errors of shape seen from aside must not become a crooked mouth."""
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
    state = minimize(_terms(known, wanted), state, free=pose_only, iterations=POSE_ITERATIONS)
    return minimize(_terms(known, wanted), state, free=every, iterations=ITERATIONS)


def misread(known: KnownPoints, state: FitState, shown: Float[np.ndarray, "478 2"]) -> Float[np.ndarray, "478 2"]:
    """Return how far the detector puts a drawing's landmarks (`shown`, pixels) from where they were drawn.

    What it misplaces there, it misplaces on a picture too, so that this, taken off, leaves targets for the fit.
    """
    return shown - project(known.points, state)


def follow_pose(known: KnownPoints, state: FitState, targets: Float[np.ndarray, "478 2"]) -> FitState:
    """Go on from a state to targets (pixels).

    The distance is held: what a drawing lacks in depth would else be made up for by its size.
    """
    free = np.ones(state.size, bool)
    free[DISTANCE_AND_FOCAL] = False
    return minimize(_terms(known, targets), state, free=free, iterations=ROUND_ITERATIONS)


def follow_expression(known: KnownPoints, state: FitState, targets: Float[np.ndarray, "478 2"]) -> FitState:
    """Go on from a state to targets (pixels) by the face's controls alone, without grimaces."""
    free = np.arange(state.size) >= POSE_COLUMNS
    terms = _terms(known, targets, CALM, CALM_SYMMETRY_DEVIATION)
    return minimize(terms, state, free=free, iterations=ROUND_ITERATIONS)


def pose_terms(known: KnownPoints, state: FitState, targets: Float[np.ndarray, "478 2"]) -> list[Term]:
    """Return what targets (pixels) and beliefs say of a state near this one."""
    return _terms(known, targets)(state)


def _terms(
    known: KnownPoints,
    targets: Float[np.ndarray, "478 2"],
    beliefs: Beliefs = FRAME_BELIEFS,
    symmetry: float = SYMMETRY_DEVIATION,
) -> Callable[[FitState], list[Term]]:
    deviation = DEVIATION * face_size(targets)
    left, right = mirrored_controls()

    def make_terms(state: FitState) -> list[Term]:
        distance = np.linalg.norm(project(known.points, state) - targets, axis=1)
        weights = np.sqrt(known.weights * huber_weights(distance / deviation)) / deviation
        return [
            LandmarkTerm(known.points, targets, weights),
            ExpressionPrior(beliefs.deviations, beliefs.shift),
            SymmetryPrior(left, right, symmetry),
            DistancePrior(DISTANCE, DISTANCE_DEVIATION),
        ]

    return make_terms
