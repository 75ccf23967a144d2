"""What the fit solves for, and how points on the head and their pixels depend on it.

Convention: a step is the concatenation [rotation 3, translation 3, log focal 1, betas K, controls E]. The rotation is
turned from the left, R <- exp(step) R, in camera axes; everything else is added. float64 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import Camera
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets

POSE_COLUMNS = 7
MAX_IDENTITY = 100
"""Directions beyond these move the face by less than a landmark's noise."""
MIN_DISTANCE = 0.15


@dataclass(frozen=True)
class FitState:
    """A camera with a centred focal length, an identity and an expression. K directions, E controls."""

    rotation: Float[np.ndarray, "3 3"]
    """R_camera_head."""
    translation: Float[np.ndarray, "3"]
    log_focal: float
    center: Float[np.ndarray, "2"]
    """Principal point, pixels; known, not solved for."""
    betas: Float[np.ndarray, "K"]
    controls: Float[np.ndarray, "E"]

    @property
    def coefficients(self) -> Float[np.ndarray, "D"]:
        """Betas and controls, D = K + E."""
        return np.concatenate([self.betas, self.controls])

    @property
    def size(self) -> int:
        """The length of a step."""
        return POSE_COLUMNS + len(self.betas) + len(self.controls)

    @property
    def control_columns(self) -> slice:
        """Where a step holds the controls."""
        return slice(POSE_COLUMNS + len(self.betas), self.size)

    def moved(self, step: Float[np.ndarray, "P"]) -> FitState:
        """Take a step; controls stay within 0..1 and the head before the camera."""
        betas_end = POSE_COLUMNS + len(self.betas)
        translation = self.translation + step[3:6]
        translation[2] = max(translation[2], MIN_DISTANCE)
        return replace(
            self,
            rotation=rotvec_to_rotmat(step[:3]) @ self.rotation,
            translation=translation,
            log_focal=float(self.log_focal + step[6]),
            betas=self.betas + step[POSE_COLUMNS:betas_end],
            controls=np.clip(self.controls + step[betas_end:], 0, 1),
        )

    def camera(self, size: int) -> Camera:
        """Return the camera of the size x size square."""
        focal, pose = np.exp(self.log_focal), np.eye(4)
        pose[:3, :3], pose[:3, 3] = self.rotation, self.translation
        K = np.array([[focal, 0, self.center[0]], [0, focal, self.center[1]], [0, 0, 1.0]])
        return Camera(K=K, T_camera_head=pose, width=size, height=size)


@dataclass(frozen=True)
class LinearPoints:
    """Points that move linearly with the coefficients: base + directions @ coefficients, metres, head space."""

    base: Float[np.ndarray, "N 3"]
    directions: Float[np.ndarray, "N 3 D"]

    def positions(self, state: FitState) -> Float[np.ndarray, "N 3"]:
        """Return the points for a state."""
        return self.base + self.directions @ state.coefficients

    def at(self, corners: Int[np.ndarray, "M 3"], bary: Float[np.ndarray, "M 3"]) -> LinearPoints:
        """Return points on triangles whose corners are among these."""
        rows = self.directions.reshape(len(self.directions), -1)
        directions = sum(bary[:, k, None] * rows[corners[:, k]] for k in range(3))
        base = np.einsum("mk,mkc->mc", bary, self.base[corners])
        return LinearPoints(base, directions.reshape(len(corners), 3, self.directions.shape[-1]))


def head_points(assets: HeadAssets) -> LinearPoints:
    """Return all vertices with the directions that the fit uses: identity first, then the ARKit controls."""
    shapes = [assets.expr_names.index(name) for name in ARKIT_NAMES]
    directions = np.concatenate([assets.shapedirs[:, :, :MAX_IDENTITY], assets.exprdirs[:, :, shapes]], -1)
    return LinearPoints(assets.v_template.astype(np.float64), directions.astype(np.float64))


def project(points: LinearPoints, state: FitState) -> Float[np.ndarray, "N 2"]:
    """Return the points' pixels."""
    in_camera = points.positions(state) @ state.rotation.T + state.translation
    return np.exp(state.log_focal) * in_camera[:, :2] / in_camera[:, 2:] + state.center


def project_with_jacobian(
    points: LinearPoints, state: FitState
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 2 P"]]:
    """Return the points' pixels and their derivative by a step."""
    turned = points.positions(state) @ state.rotation.T
    by_camera, from_center = _pixel_by_camera_point(turned + state.translation, np.exp(state.log_focal))
    jacobian = np.empty((len(turned), 2, state.size))
    # d(exp(w) x) / dw . row = x cross row, for every row of the pixel's derivative
    jacobian[:, :, :3] = np.cross(turned[:, None], by_camera)
    jacobian[:, :, 3:6] = by_camera
    jacobian[:, :, 6] = from_center
    np.matmul(by_camera @ state.rotation, points.directions, out=jacobian[:, :, POSE_COLUMNS:])
    return from_center + state.center, jacobian


def _pixel_by_camera_point(points: np.ndarray, focal: float) -> tuple[np.ndarray, np.ndarray]:
    """Return d pixel / d point (N, 2, 3) and the pixels relative to the principal point (N, 2)."""
    depth = points[:, 2]
    from_center = focal * points[:, :2] / depth[:, None]
    by_camera = np.zeros((len(points), 2, 3))
    by_camera[:, 0, 0] = by_camera[:, 1, 1] = focal / depth
    by_camera[:, :, 2] = -from_center / depth[:, None]
    return by_camera, from_center
