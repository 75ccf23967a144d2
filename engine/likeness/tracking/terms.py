"""The fit's residual blocks: each says how wrong a state is, in standard deviations, and how that changes with a step.

A term's weights are frozen when it is made; robust weights come from making the terms anew at every iteration
(iteratively reweighted least squares).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from likeness.tracking.parameters import POSE_COLUMNS, FitState, LinearPoints, project, project_with_jacobian


@runtime_checkable
class Term(Protocol):
    """A block of weighted residuals."""

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the weighted residuals; the cost is half their squared sum."""

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return the weighted residuals and their derivative by a step."""


@dataclass(frozen=True)
class LandmarkTerm:
    """Points on the head against detected pixels."""

    points: LinearPoints
    observed: Float[np.ndarray, "N 2"]
    weights: Float[np.ndarray, "N"]
    """One over the standard deviation, 1 / pixels."""

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the distances in x and y, point by point."""
        return ((project(self.points, state) - self.observed) * self.weights[:, None]).reshape(-1)

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative."""
        pixels, jacobian = project_with_jacobian(self.points, state)
        residual = (pixels - self.observed) * self.weights[:, None]
        return residual.reshape(-1), (jacobian * self.weights[:, None, None]).reshape(residual.size, -1)


@dataclass(frozen=True)
class LineTerm:
    """Points on the head against lines in the picture: n . pixel = c, so that a point may slide along its line."""

    points: LinearPoints
    normals: Float[np.ndarray, "N 2"]
    anchors: Float[np.ndarray, "N 2"]
    """A pixel on each line."""
    weights: Float[np.ndarray, "N"]

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the distances to the lines."""
        return ((project(self.points, state) - self.anchors) * self.normals).sum(1) * self.weights

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative."""
        pixels, jacobian = project_with_jacobian(self.points, state)
        normals = self.normals * self.weights[:, None]
        return ((pixels - self.anchors) * normals).sum(1), np.einsum("na,nap->np", normals, jacobian)


@dataclass(frozen=True)
class IdentityPrior:
    """Betas are normal around a mean."""

    deviation: float
    mean: Float[np.ndarray, "K"] | float = 0.0

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the betas' distance from the mean over their deviation."""
        return (state.betas - self.mean) / self.deviation

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative."""
        count = len(state.betas)
        jacobian = np.zeros((count, state.size))
        jacobian[np.arange(count), POSE_COLUMNS + np.arange(count)] = 1 / self.deviation
        return self.residuals(state), jacobian


@dataclass(frozen=True)
class ExpressionPrior:
    """Controls are small and sparse: (c + shift)^2 = c^2 + 2 shift c + ..., a Gaussian and, for c >= 0, an L1 norm."""

    deviations: Float[np.ndarray, "E"]
    shift: float

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the shifted controls over their deviations."""
        return (state.controls + self.shift) / self.deviations

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative."""
        jacobian = np.zeros((len(state.controls), state.size))
        jacobian[:, state.control_columns] = np.diag(1 / self.deviations)
        return self.residuals(state), jacobian


@dataclass(frozen=True)
class SymmetryPrior:
    """Left and right controls are alike."""

    left: Int[np.ndarray, "N"]
    right: Int[np.ndarray, "N"]
    deviation: float

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the differences over their deviation."""
        return (state.controls[self.left] - state.controls[self.right]) / self.deviation

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative."""
        rows, first = np.arange(len(self.left)), state.control_columns.start
        jacobian = np.zeros((len(rows), state.size))
        jacobian[rows, first + self.left] = 1 / self.deviation
        jacobian[rows, first + self.right] = -1 / self.deviation
        return self.residuals(state), jacobian


@dataclass(frozen=True)
class DistancePrior:
    """Portraits are taken from about so far away: log distance is normal. Landmarks alone do not tell it."""

    distance: float
    """Metres."""
    deviation: float

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return the log ratio over its deviation."""
        return np.array([np.log(state.translation[2] / self.distance) / self.deviation])

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative."""
        jacobian = np.zeros((1, state.size))
        jacobian[0, 5] = 1 / (state.translation[2] * self.deviation)
        return self.residuals(state), jacobian
