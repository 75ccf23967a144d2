"""Lay a posed avatar on a picture of its person: camera, head and body by what the pixels show.

Gauss-Newton on the drawing (Lucas and Kanade 1981; its ten derivatives by finite differences), coarse to fine. Light is
nothing that a pose explains: the face counts by its landmarks, everything around it by its colours, and robustly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from likeness.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from likeness.tracking.parameters import POSE_COLUMNS, FitState
from likeness.tracking.solver import PICTURE_DAMPING, Linearized, descend, normal_equations
from likeness.tracking.terms import Term

PARAMETERS = POSE_COLUMNS + 3
PROBES = np.array([0.01, 0.01, 0.01, 0.002, 0.002, 0.01, 0.01, 0.03, 0.03, 0.03])
"""Steps of the finite differences: the head's radians, metres and log focal length, then the body's radians."""
LEVELS = ((128, 2.0, 4), (256, 2.0, 4), (256, 1.0, 4))
"""Sizes of the picture, deviations of its blur (pixels of that size), and steps."""
STARTS = (0.0, 0.33, 0.66, 1.0)
"""Shares of the head's turn that the body is first tried at."""
TURN_SHARE, TURN_DEVIATION = 0.4, np.array([0.15, 0.4, 0.15])
"""How much of a head's turn the body usually shares, and how far (pitch, yaw, roll; radians) it departs from that."""
NOISE, EVIDENCE = 12.0, 400.0
"""Of a pixel, 8-bit sRGB: a larger difference counts linearly. All pixels together weigh as much as so many: what an
avatar lacks is wrong in many neighbours at once."""
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Placed:
    """Head, camera and expression, and how the body is turned under the head."""

    head: FitState
    body: Float[np.ndarray, "3"]
    """Rotation vector from the portrait's direction, camera axes, radians."""

    def moved(self, step: Float[np.ndarray, "10"]) -> Placed:
        """Take a step of the head's seven pose columns, then the body's three, both turned from the left."""
        whole = np.zeros(self.head.size)
        whole[:POSE_COLUMNS] = step[:POSE_COLUMNS]
        body = rotvec_to_rotmat(step[POSE_COLUMNS:]) @ rotvec_to_rotmat(self.body)
        return Placed(self.head.moved(whole), rotmat_to_rotvec(body))

    def body_rotation(self, upright: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
        """Return R_camera_body; `upright` is the portrait's."""
        return rotvec_to_rotmat(self.body) @ upright

    def head_turn(self, upright: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
        """Return how far the head is turned from the portrait's, as a rotation vector like the body's."""
        return rotmat_to_rotvec(self.head.rotation @ upright.T)


Draw = Callable[[Placed, int], UInt8[np.ndarray, "s s 3"]]
"""Draws a place at so many pixels, over black."""


def lay(
    head: FitState,
    turn: Float[np.ndarray, "3"],
    draw: Draw,
    wanted: UInt8[np.ndarray, "S S 3"],
    counts: Bool[np.ndarray, "S S"],
    terms: Sequence[Term],
) -> Placed:
    """Return where the drawing is most like the picture wherever that `counts`.

    `terms` say what else is known of the head; `turn` is how far it is turned from the portrait's (`head_turn`).
    """
    usual = TURN_SHARE * turn

    def held(place: Placed) -> float:
        away = (place.body - usual) / TURN_DEVIATION
        return float(away @ away) + sum(float((term.residuals(place.head) ** 2).sum()) for term in terms)

    def descended(look: _Look, place: Placed, steps: int) -> Placed:
        def linearize(place: Placed) -> Linearized[Placed]:
            hessian, gradient = look.normal_equations(place)
            of_head, slope = normal_equations(terms, place.head)
            hessian[:POSE_COLUMNS, :POSE_COLUMNS] += of_head[:POSE_COLUMNS, :POSE_COLUMNS]
            gradient[:POSE_COLUMNS] += slope[:POSE_COLUMNS]
            hessian[POSE_COLUMNS:, POSE_COLUMNS:] += np.diag(TURN_DEVIATION**-2)
            gradient[POSE_COLUMNS:] += (place.body - usual) / TURN_DEVIATION**2

            def stepped(damping: float) -> Placed:
                return place.moved(-np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), gradient))

            return lambda other: look.cost(other) + held(other), stepped

        return descend(linearize, place, PICTURE_DAMPING, iterations=steps, tolerance=TOLERANCE)

    looks = [_Look(wanted, counts, size, blur, draw) for size, blur, _ in LEVELS]
    starts = [Placed(head, share * turn) for share in STARTS]
    place = min(starts, key=lambda start: looks[0].cost(start) + held(start))
    for look, (_, _, steps) in zip(looks, LEVELS, strict=True):
        place = descended(look, place, steps)
    return place


def face_hull(landmarks: Float[np.ndarray, "478 2"], size: int) -> Bool[np.ndarray, "size size"]:
    """Mark the pixels inside the landmarks' convex hull."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(landmarks).astype(np.int32)), 1)
    return mask.astype(bool)


class _Look:
    """The picture at one size and blur, and what drawings lack in its likeness."""

    def __init__(self, wanted: np.ndarray, counts: np.ndarray, size: int, blur: float, draw: Draw) -> None:
        def small(picture: np.ndarray) -> np.ndarray:
            return cv2.resize(picture.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)

        self._size, self._blur, self._draw = size, blur, draw
        self._counts = small(counts) > 0.99
        self._wanted = self._blurred(small(wanted))
        self._share = EVIDENCE / max(self._counts.sum(), 1) / NOISE**2

    def cost(self, place: Placed) -> float:
        """Return the robust squared sum (Huber)."""
        far = np.linalg.norm(self._residual(place), axis=1)
        return float(self._share * np.where(far < NOISE, far**2, 2 * NOISE * far - NOISE**2).sum())

    def normal_equations(self, place: Placed) -> tuple[Float[np.ndarray, "10 10"], Float[np.ndarray, "10"]]:
        """Return J^T W J and J^T W r."""
        residual = self._residual(place)
        far = np.linalg.norm(residual, axis=1)
        weights = self._share * np.minimum(1.0, NOISE / np.maximum(far, 1e-6))
        steps = np.diag(PROBES)
        changes = [self._residual(place.moved(step)) - self._residual(place.moved(-step)) for step in steps]
        jacobian = np.stack(changes, -1).reshape(-1, PARAMETERS).astype(np.float64) / (2 * PROBES)
        weighted = jacobian * np.repeat(weights, 3)[:, None]
        return weighted.T @ jacobian, weighted.T @ residual.reshape(-1).astype(np.float64)

    def _residual(self, place: Placed) -> Float[np.ndarray, "M 3"]:
        return self._blurred(self._draw(place, self._size).astype(np.float32)) - self._wanted

    def _blurred(self, picture: np.ndarray) -> Float[np.ndarray, "M 3"]:
        return cv2.GaussianBlur(picture, (0, 0), self._blur)[self._counts]
