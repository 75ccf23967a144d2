"""Fit all frames of a window at once: Gauss-Newton with Levenberg's damping over a banded system.

Every frame has 58 unknowns and talks to its two neighbours on either side alone, so that the whole is a symmetric band,
solved in time linear in the number of frames (LAPACK pbsv).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded

from likeness.geometry.threads import parallel_for
from likeness.tracking.beliefs import Beliefs
from likeness.tracking.clip_head import (
    FRAME_COLUMNS,
    ClipHead,
    Frames,
    facing,
    landmark_normals,
    landmark_pixels,
    landmark_points,
)
from likeness.tracking.evidence import HUBER
from likeness.tracking.photometric import PoseEvidence
from likeness.tracking.solver import AT_BOUND, Damping, Linearized, descend
from likeness.tracking.temporal import Coupling, coupling, smoothness_cost

DAMPING = Damping(first=1e-4, least=1e-7, growth=10.0, decay=0.1, attempts=10)
CHUNK = 16
"""Frames that a thread linearizes at a time."""
HELD = 1e14


@dataclass(frozen=True)
class Observations:
    """What the clip shows in T frames, pixels."""

    times: Float[np.ndarray, "T"]
    landmarks: Float[np.ndarray, "T 478 2"]
    """Irises unbiased; any finite number where nothing is seen."""
    weights: Float[np.ndarray, "T"]
    """One over a landmark's standard deviation, 1 / pixels; 0 where the face is not seen."""
    linked: Bool[np.ndarray, "T_minus_1"]
    """False where a cut divides a frame from the next."""

    def __len__(self) -> int:
        """Return T."""
        return len(self.times)

    def __getitem__(self, chosen: slice) -> Observations:
        """Return a stretch of the frames."""
        begin, end, _ = chosen.indices(len(self))
        linked = self.linked[begin : max(end - 1, begin)]
        return Observations(self.times[chosen], self.landmarks[chosen], self.weights[chosen], linked)


def fit_window(
    head: ClipHead,
    beliefs: Beliefs,
    seen: Observations,
    start: Frames,
    *,
    pictured: PoseEvidence | None = None,
    iterations: int = 25,
    tolerance: float = 1e-6,
) -> Frames:
    """Return the frames that explain the window best, from `start`. Deterministic.

    `pictured` is weighed in as what else is known of the poses.
    """

    def linearize(frames: Frames) -> Linearized[Frames]:
        weights = landmark_weights_in(head, seen, frames)
        blocks, gradients = frame_equations(head, beliefs, seen, frames, weights)
        if pictured:
            blocks[:, :6, :6] += pictured.information
            gradients[:, :6] += pictured.pull(frames)
        tied = coupling(beliefs.motionless, seen.times, seen.linked, frames)

        def cost_of(other: Frames) -> float:
            cost = window_cost(head, beliefs, seen, other, weights)
            return cost + (pictured.cost(other) if pictured else 0.0)

        return cost_of, lambda damping: frames.moved(
            coupled_step(frames, blocks, gradients + tied.gradient, tied, damping)
        )

    return descend(linearize, start, DAMPING, iterations=iterations, tolerance=tolerance)


def landmark_weights_in(head: ClipHead, seen: Observations, frames: Frames) -> Float[np.ndarray, "T 478"]:
    """Return one over every landmark's deviation, robust ones by where the frames are now (Huber)."""
    distance = np.linalg.norm(landmark_pixels(head, frames) - seen.landmarks, axis=-1) * seen.weights[:, None]
    robust = np.minimum(1, HUBER / np.maximum(distance, 1e-9))
    return seen.weights[:, None] * np.sqrt(head.weights * facing(head, frames) * robust)


def window_cost(
    head: ClipHead, beliefs: Beliefs, seen: Observations, frames: Frames, weights: Float[np.ndarray, "T 478"]
) -> float:
    """Return half the squared sum of all residuals, landmarks weighted as given."""
    off = (landmark_pixels(head, frames) - seen.landmarks) * weights[..., None]
    prior = (frames.controls + beliefs.shift) / beliefs.deviations
    smooth = smoothness_cost(beliefs.motionless, seen.times, seen.linked, frames)
    return 0.5 * float((off**2).sum() + (prior**2).sum()) + smooth


def frame_equations(
    head: ClipHead, beliefs: Beliefs, seen: Observations, frames: Frames, weights: Float[np.ndarray, "T 478"]
) -> tuple[Float[np.ndarray, "T 58 58"], Float[np.ndarray, "T 58"]]:
    """Return each frame's own J^T J and J^T r: landmarks and priors."""
    count = len(frames)
    blocks, gradients = np.zeros((count, FRAME_COLUMNS, FRAME_COLUMNS)), np.zeros((count, FRAME_COLUMNS))
    points, with_face = landmark_points(head, frames), np.flatnonzero(seen.weights > 0)

    def linearize(begin: int, end: int) -> None:
        scratch = np.empty((2 * len(head.base), FRAME_COLUMNS + 2))
        for t in with_face[begin:end]:
            blocks[t], gradients[t] = landmark_normals(
                points[t], head, frames.rotations[t], frames.translations[t], seen.landmarks[t], weights[t], scratch
            )

    parallel_for(linearize, len(with_face), CHUNK)
    control = np.arange(6, FRAME_COLUMNS)
    blocks[:, control, control] += 1 / beliefs.deviations**2
    gradients[:, 6:] += (frames.controls + beliefs.shift) / beliefs.deviations**2
    return blocks, gradients


def coupled_step(
    frames: Frames,
    blocks: Float[np.ndarray, "T 58 58"],
    gradients: Float[np.ndarray, "T 58"],
    tied: Coupling,
    damping: float,
) -> Float[np.ndarray, "T 58"]:
    """Solve the coupled system; controls that a bound holds back stay where they are."""
    held = held_back(frames, gradients)
    band = banded(blocks, tied)
    band[0] *= 1 + damping
    band[0] += 1e-9 + HELD * held.reshape(-1)
    right = np.where(held, 0.0, -gradients).reshape(-1)
    return solveh_banded(band, right, lower=True, overwrite_ab=True, check_finite=False).reshape(len(frames), -1)


def held_back(frames: Frames, gradients: Float[np.ndarray, "T 58"]) -> Bool[np.ndarray, "T 58"]:
    """Tell which controls a bound holds back."""
    held, slope = np.zeros(gradients.shape, bool), gradients[:, 6:]
    held[:, 6:] = ((frames.controls <= AT_BOUND) & (slope > 0)) | ((frames.controls >= 1 - AT_BOUND) & (slope < 0))
    return held


def banded(blocks: Float[np.ndarray, "T 58 58"], tied: Coupling) -> Float[np.ndarray, "B N"]:
    """Return the coupled matrix in LAPACK's lower band storage: row k holds the k-th diagonal under the main one."""
    count, width = blocks.shape[:2]
    band = np.zeros((2 * width + 1, count * width))
    view = band.reshape(2 * width + 1, count, width)
    for column in range(width):
        view[: width - column, :, column] = blocks[:, column:, column].T
    view[0] += tied.diagonal
    view[width] += tied.next
    view[2 * width] += tied.second
    return band
