"""What is known of people's faces before one is seen, and a head model's own statistics do not say.

Open Head's family is drawn, not measured, and its mean is flat: its nose stands 14 mm before the upper lip's root where
people's does 19 or 20 (Farkas, Anthropometry of the Head and Face, 1994: sn-prn). A picture from the front hardly tells
depth, so that whatever the family believes is what is seen when the head turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.tracking.landmarks import EYE_CORNERS, interocular
from likeness.tracking.parameters import POSE_COLUMNS, FitState, LinearPoints

DEPTHS = {1: 0.50, 2: 0.36, 168: 0.21, 9: 0.24, 0: 0.325, 152: 0.07, 129: 0.15, 358: 0.15}
"""How far landmarks (nose tip, its root, nasion, glabella, upper lip, chin, wings of the nose) are usually before the
outer corners of the eyes, interocular distances. From heads fitted to whole clips of people who turn, less what the
same fit finds too much on heads that are known; the nose agrees with Farkas."""
DEPTH_DEVIATION = 0.007
"""Of those depths, interocular distances, where a beta's is 1: so small that the betas follow them closely."""
MOUTH_CORNERS = (61, 291)
RESTING_MOUTH, RESTING_MOUTH_DEVIATION = 0.585, 0.02
"""A closed, resting mouth's width over the eyes' outer distance, and its deviation beside the model's own (Farkas:
ch-ch over ex-ex is .57 for women and .60 for men). Without it a smile becomes a person's wide mouth."""


def usual_identity(points: LinearPoints, identity: int) -> Float[np.ndarray, "K"]:
    """Return the betas that people have on average: the likeliest ones (standard normal) with the usual depths.

    `points` are the 478 landmarks, of which the first `identity` directions are betas.
    """
    places = list(DEPTHS)
    unit = interocular(points.base[:, :2])
    depth = points.base[places, 2] - points.base[list(EYE_CORNERS), 2].mean()
    by_beta = points.directions[places, 2, :identity] - points.directions[list(EYE_CORNERS), 2, :identity].mean(0)
    eyes = points.directions[EYE_CORNERS[1], 0, :identity] - points.directions[EYE_CORNERS[0], 0, :identity]
    rows = np.concatenate([by_beta, eyes[None]]) / unit
    wanted = np.append(np.array(list(DEPTHS.values())) - depth / unit, 0.0)
    return rows.T @ np.linalg.solve(rows @ rows.T + DEPTH_DEVIATION**2 * np.eye(len(rows)), wanted)


@dataclass(frozen=True)
class RestingMouth:
    """The neutral mouth is about as wide as people's: what goes beyond belongs to the expression."""

    width: float
    """Of the mouth less the usual share of the eyes' distance, at betas zero, metres."""
    by_beta: Float[np.ndarray, "K"]
    deviation: float
    """Metres."""

    def residuals(self, state: FitState) -> Float[np.ndarray, "1"]:
        """Return the excess over its deviation."""
        return np.array([self.width + self.by_beta @ state.betas]) / self.deviation

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "1"], Float[np.ndarray, "1 P"]]:
        """Return residual and derivative."""
        jacobian = np.zeros((1, state.size))
        jacobian[0, POSE_COLUMNS : POSE_COLUMNS + len(state.betas)] = self.by_beta / self.deviation
        return self.residuals(state), jacobian


def resting_mouth(points: LinearPoints, identity: int) -> RestingMouth:
    """Prepare the term for the 478 landmarks `points`, of which the first `identity` directions are betas."""
    columns = np.concatenate([points.base[:, :1], points.directions[:, 0, :identity]], 1)
    (right, left), (outer_right, outer_left) = columns[list(MOUTH_CORNERS)], columns[list(EYE_CORNERS)]
    excess = (left - right) - RESTING_MOUTH * (outer_left - outer_right)
    return RestingMouth(float(excess[0]), excess[1:], RESTING_MOUTH_DEVIATION * interocular(points.base[:, :2]))
