"""The 52 ARKit shapes in FLAME's own parameters: expression coefficients, jaw and eye rotations, solved once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import JOINT_NAMES
from likeness.head.assets import HeadAssets
from likeness.head.flame_map import region_faces
from likeness.head.model import PreparedHead, forward, prepare_identity

JAW = JOINT_NAMES.index("jaw")
COEFFICIENT_SIGMA = 0.01
"""Misfit (metres, root of the sum over the vertices) that one standard deviation of a coefficient is worth."""
JAW_SIGMA = 0.003
"""The same of a radian of the jaw."""
STEP = 0.01
STEPS = 3
SOLVED_REGIONS = ("face", "lips", "lids_left", "lids_right")


@dataclass(frozen=True)
class ArkitSolution:
    """FLAME's parameters for each ARKit shape at 1, in `ARKIT_NAMES`' order. E FLAME coefficients."""

    coefficients: Float[np.ndarray, "52 E"]
    jaw_pose: Float[np.ndarray, "52 3"]
    eyes_pose: Float[np.ndarray, "52 6"]
    """Left, then right; rotation vectors, radians."""
    error: Float[np.ndarray, "52"]
    """Rms distance (metres) to the wanted shape over the face, eyeballs aside."""
    motion: Float[np.ndarray, "52"]
    """Rms motion (metres) of the wanted shape over the face: what `error` is to be compared with."""

    def pose(self, shape: int) -> Float[np.ndarray, "5 3"]:
        """Return all joints' rotation vectors for one shape."""
        eyes = self.eyes_pose[shape].reshape(2, 3)
        return np.concatenate([np.zeros((2, 3)), self.jaw_pose[shape][None], eyes])


def arkit_controls(head: HeadAssets) -> ArkitSolution:
    """Solve every ARKit shape of a completed FLAME head (`likeness.tracking.flame`) in FLAME's own parameters.

    Ridge regression for the coefficients, Gauss-Newton steps for the jaw. On the head itself the shapes stand as they
    are; this is for tools that speak FLAME.
    """
    count = len(ARKIT_NAMES)
    flame = replace(head, exprdirs=head.exprdirs[:, :, count:], expr_names=head.expr_names[count:])
    prepared = prepare_identity(flame, np.zeros(flame.shapedirs.shape[-1]))
    counted = np.setdiff1d(np.unique(flame.faces[region_faces(flame, *SOLVED_REGIONS)]), np.flatnonzero(flame.hidden))
    expression = flame.exprdirs[counted].reshape(3 * len(counted), -1).astype(np.float64)
    targets = head.exprdirs[counted, :, :count].reshape(3 * len(counted), -1).astype(np.float64)
    jaw = np.zeros((count, 3))
    for _ in range(STEPS):
        coefficients, jaw = _gauss_newton(prepared, counted, expression, targets, jaw)
    misfit = targets - expression @ coefficients.T - _jaw_motions(prepared, counted, jaw)
    return ArkitSolution(
        coefficients=coefficients,
        jaw_pose=jaw,
        eyes_pose=np.concatenate([eye_rotations(head, side) for side in ("eye_left", "eye_right")], 1),
        error=_rms(misfit),
        motion=_rms(targets),
    )


def eye_rotations(head: HeadAssets, region: str) -> Float[np.ndarray, "52 3"]:
    """Return the rotation vector that each ARKit shape gives an eyeball (Kabsch), radians."""
    members = np.unique(head.faces[region_faces(head, region)])
    rest = head.v_template[members].astype(np.float64)
    rotations = []
    for shape in range(len(ARKIT_NAMES)):
        moved = rest + head.exprdirs[members, :, shape]
        rotation, _ = Rotation.align_vectors(moved - moved.mean(0), rest - rest.mean(0))
        rotations.append(rotation.as_rotvec())
    return np.stack(rotations)


def _gauss_newton(
    prepared: PreparedHead, counted: np.ndarray, expression: np.ndarray, targets: np.ndarray, jaw: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve all shapes' coefficients (52, E) and take one step on their jaw rotations (52, 3)."""
    coefficients, turned = np.empty((len(jaw), expression.shape[1])), jaw.copy()
    penalty = np.append(np.full(expression.shape[1], COEFFICIENT_SIGMA**2), np.full(3, JAW_SIGMA**2))
    normal = expression.T @ expression
    for shape, pose in enumerate(jaw):
        slope = _jaw_slope(prepared, counted, pose)
        here = _jaw_motions(prepared, counted, pose[None])[:, 0]
        aim = targets[:, shape] - here + slope @ pose  # so that the whole rotation is penalised, not its step
        mixed = expression.T @ slope
        system = np.block([[normal, mixed], [mixed.T, slope.T @ slope]]) + np.diag(penalty)
        solved = np.linalg.solve(system, np.concatenate([expression.T @ aim, slope.T @ aim]))
        coefficients[shape], turned[shape] = solved[:-3], solved[-3:]
    return coefficients, turned


def _jaw_motions(
    prepared: PreparedHead, counted: np.ndarray, jaw: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "C3 N"]:
    """Return the counted vertices' displacements by the jaw alone, flattened, one column per rotation."""
    columns = []
    for rotvec in jaw:
        pose = np.zeros((len(JOINT_NAMES), 3))
        pose[JAW] = rotvec
        moved = forward(prepared, np.zeros(prepared.control_count), pose)
        columns.append((moved[counted].astype(np.float64) - prepared.v_neutral[counted]).ravel())
    return np.stack(columns, 1)


def _jaw_slope(prepared: PreparedHead, counted: np.ndarray, pose: np.ndarray) -> Float[np.ndarray, "C3 3"]:
    ahead = _jaw_motions(prepared, counted, pose + STEP * np.eye(3))
    behind = _jaw_motions(prepared, counted, pose - STEP * np.eye(3))
    return (ahead - behind) / (2 * STEP)


def _rms(flat: Float[np.ndarray, "C3 N"]) -> Float[np.ndarray, "N"]:
    return np.sqrt((flat.reshape(-1, 3, flat.shape[1]) ** 2).sum(1).mean(0))
