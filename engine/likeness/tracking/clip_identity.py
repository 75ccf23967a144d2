"""One identity and one focal length for a clip: all keyframes at once.

Gauss-Newton with Levenberg's damping; each keyframe's pose and controls are eliminated first (Schur complement), so
that the system that is solved has the size of the identity alone, however many keyframes there are (Triggs et al.,
Bundle Adjustment, 2000).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from likeness.geometry.threads import parallel_for
from likeness.tracking.beliefs import Beliefs
from likeness.tracking.clip_head import FRAME_COLUMNS, Frames, landmark_rows
from likeness.tracking.evidence import HUBER
from likeness.tracking.parameters import LinearPoints
from likeness.tracking.solver import Damping, Linearized, descend
from likeness.tracking.window import CHUNK, held_back

DAMPING = Damping(first=1e-3, least=1e-7, growth=10.0, decay=0.1, attempts=10)
HELD = 1e14
DISTANCE, DISTANCE_DEVIATION = 0.8, 0.3
"""Metres, and its logarithm's deviation: where people film themselves and others from. Landmarks hardly tell it."""


@dataclass(frozen=True)
class Keyframes:
    """What a few frames show, pixels; F of them, N landmarks."""

    points: LinearPoints
    """How landmarks move with betas and controls."""
    landmarks: Float[np.ndarray, "F N 2"]
    weights: Float[np.ndarray, "F N"]
    """One over the standard deviation, 1 / pixels."""
    center: Float[np.ndarray, "2"]


@dataclass(frozen=True)
class ClipState:
    """What is shared by the clip, and its keyframes."""

    log_focal: float
    betas: Float[np.ndarray, "K"]
    frames: Frames

    def moved(self, shared: Float[np.ndarray, "S"], steps: Float[np.ndarray, "F 58"]) -> ClipState:
        """Take a step: shared is [betas, log focal].

        Heads go farther away in proportion to the focal length. Otherwise the valley in which both go together, which
        landmarks hardly tell from, would be bent, and steps along it short.
        """
        frames = self.frames.moved(steps)
        frames = replace(frames, translations=frames.translations * np.exp(shared[-1]))
        return ClipState(float(self.log_focal + shared[-1]), self.betas + shared[:-1], frames)


def fit_clip_identity(
    seen: Keyframes, beliefs: Beliefs, start: ClipState, *, iterations: int = 60, tolerance: float = 1e-7
) -> ClipState:
    """Return the identity, focal length and keyframes that explain all of them best. Betas are standard normal."""

    def linearize(state: ClipState) -> Linearized[ClipState]:
        robust = replace(seen, weights=robust_weights(seen, state))
        equations = clip_equations(robust, beliefs, state)
        return (
            lambda other: clip_cost(robust, beliefs, other),
            lambda damping: state.moved(*schur_step(state.frames, equations, damping)),
        )

    return descend(linearize, start, DAMPING, iterations=iterations, tolerance=tolerance)


def keyframe_points(seen: Keyframes, state: ClipState) -> Float[np.ndarray, "F N 3"]:
    """Return where the landmarks are; metres, head space."""
    count = len(state.betas)
    shapes = seen.points.directions[:, :, count:]
    moved = state.frames.controls @ shapes.reshape(-1, shapes.shape[2]).T
    neutral = seen.points.base + seen.points.directions[:, :, :count] @ state.betas
    return neutral + moved.reshape(len(moved), -1, 3)


def keyframe_pixels(seen: Keyframes, state: ClipState) -> Float[np.ndarray, "F N 2"]:
    """Return where the landmarks are in the pictures."""
    turned = keyframe_points(seen, state) @ state.frames.rotations.transpose(0, 2, 1)
    in_camera = turned + state.frames.translations[:, None]
    return np.exp(state.log_focal) * in_camera[..., :2] / in_camera[..., 2:] + seen.center


def robust_weights(seen: Keyframes, state: ClipState) -> Float[np.ndarray, "F N"]:
    """Return the weights with Huber's factor for where the state is."""
    distance = np.linalg.norm(keyframe_pixels(seen, state) - seen.landmarks, axis=-1) * seen.weights
    return seen.weights * np.sqrt(np.minimum(1, HUBER / np.maximum(distance, 1e-9)))


def clip_cost(seen: Keyframes, beliefs: Beliefs, state: ClipState) -> float:
    """Return half the squared sum of all residuals."""
    off = (keyframe_pixels(seen, state) - seen.landmarks) * seen.weights[..., None]
    prior = (state.frames.controls + beliefs.shift) / beliefs.deviations
    away = np.log(state.frames.translations[:, 2] / DISTANCE) / (DISTANCE_DEVIATION * np.sqrt(len(state.frames)))
    return 0.5 * float((off**2).sum() + (prior**2).sum() + (away**2).sum() + (state.betas**2).sum())


@dataclass(frozen=True)
class Equations:
    """Normal equations in blocks: frames, shared ([betas, log focal]: S of them), and between them."""

    frames: Float[np.ndarray, "F 58 58"]
    mixed: Float[np.ndarray, "F 58 S"]
    shared: Float[np.ndarray, "S S"]
    frame_gradients: Float[np.ndarray, "F 58"]
    shared_gradient: Float[np.ndarray, "S"]


def clip_equations(seen: Keyframes, beliefs: Beliefs, state: ClipState) -> Equations:
    """Linearize all terms."""
    frames, count = state.frames, len(state.betas)
    total = FRAME_COLUMNS + count + 1
    full, gradients = np.zeros((len(frames), total, total)), np.zeros((len(frames), total))
    directions = np.roll(seen.points.directions, -count, 2)
    points, focal = keyframe_points(seen, state), float(np.exp(state.log_focal))

    def linearize(begin: int, end: int) -> None:
        jacobian = np.empty((2 * len(seen.points.base), total + 1))
        for f in range(begin, end):
            landmark_rows(
                points[f], directions, focal, seen.center, frames.rotations[f], frames.translations[f],
                seen.landmarks[f], seen.weights[f], jacobian,
            )  # fmt: skip
            product = jacobian.T @ jacobian
            full[f], gradients[f] = product[:total, :total], product[total, :total]

    parallel_for(linearize, len(frames), CHUNK)
    control, betas = np.arange(6, FRAME_COLUMNS), np.arange(count)
    full[:, control, control] += 1 / beliefs.deviations**2
    gradients[:, 6:FRAME_COLUMNS] += (frames.controls + beliefs.shift) / beliefs.deviations**2
    depth, variance = frames.translations[:, 2], DISTANCE_DEVIATION**2 * len(frames)
    full[:, 5, 5] += 1 / (depth**2 * variance)
    gradients[:, 5] += np.log(depth / DISTANCE) / (depth * variance)
    ahead = frames.translations
    full[:, :, -1] += (full[:, :, 3:6] @ ahead[:, :, None])[..., 0]
    full[:, -1] += (ahead[:, None] @ full[:, 3:6])[:, 0]
    gradients[:, -1] += (gradients[:, 3:6] * ahead).sum(1)
    shared, shared_gradient = full[:, FRAME_COLUMNS:, FRAME_COLUMNS:].sum(0), gradients[:, FRAME_COLUMNS:].sum(0)
    shared[betas, betas] += 1
    shared_gradient[:-1] += state.betas
    return Equations(
        frames=full[:, :FRAME_COLUMNS, :FRAME_COLUMNS],
        mixed=full[:, :FRAME_COLUMNS, FRAME_COLUMNS:],
        shared=shared,
        frame_gradients=gradients[:, :FRAME_COLUMNS],
        shared_gradient=shared_gradient,
    )


def schur_step(
    frames: Frames, equations: Equations, damping: float
) -> tuple[Float[np.ndarray, "S"], Float[np.ndarray, "F 58"]]:
    """Solve for the shared step, then for each frame's."""
    held = held_back(frames, equations.frame_gradients)
    blocks = _damped(equations.frames, damping)
    blocks[:, np.arange(FRAME_COLUMNS), np.arange(FRAME_COLUMNS)] += HELD * held
    gradients = np.where(held, 0.0, equations.frame_gradients)
    right = np.concatenate([equations.mixed, gradients[:, :, None]], 2)
    solved = np.stack([cho_solve(cho_factor(block), side) for block, side in zip(blocks, right, strict=True)])
    reduced = _damped(equations.shared[None], damping)[0]
    reduced -= np.tensordot(equations.mixed, solved[:, :, :-1], ((0, 1), (0, 1)))
    wanted = equations.shared_gradient - np.tensordot(equations.mixed, solved[:, :, -1], ((0, 1), (0, 1)))
    shared = -cho_solve(cho_factor(reduced), wanted)
    return shared, -solved[:, :, -1] - solved[:, :, :-1] @ shared


def _damped(blocks: Float[np.ndarray, "F N N"], damping: float) -> Float[np.ndarray, "F N N"]:
    damped = blocks.copy()
    rows = np.arange(blocks.shape[1])
    damped[:, rows, rows] = damped[:, rows, rows] * (1 + damping) + 1e-9
    return damped
