"""Rotations between representations; quaternions are wxyz everywhere.

Convention: matrices act on column vectors, R @ x. A quarter turn about z takes x to y:
rotvec_to_rotmat([0, 0, pi / 2]) @ [1, 0, 0] = [0, 1, 0].
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation


def rotvec_to_rotmat(rotvec: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """Turn rotation vectors (axis times angle, radians) into matrices."""
    flat = np.asarray(rotvec, np.float64).reshape(-1, 3)
    return Rotation.from_rotvec(flat).as_matrix().reshape(*rotvec.shape[:-1], 3, 3)


def rotmat_to_rotvec(rotmat: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 3"]:
    """Turn matrices into rotation vectors (radians, angle in 0..pi)."""
    flat = np.asarray(rotmat, np.float64).reshape(-1, 3, 3)
    return Rotation.from_matrix(flat).as_rotvec().reshape(*rotmat.shape[:-2], 3)


def quat_to_rotmat(quat: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 3 3"]:
    """Turn wxyz quaternions of any length but zero into matrices."""
    flat = np.asarray(quat, np.float64).reshape(-1, 4)
    return Rotation.from_quat(flat[:, [1, 2, 3, 0]]).as_matrix().reshape(*quat.shape[:-1], 3, 3)


def rotmat_to_quat(rotmat: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n 4"]:
    """Turn matrices into unit wxyz quaternions with w >= 0."""
    flat = np.asarray(rotmat, np.float64).reshape(-1, 3, 3)
    xyzw = Rotation.from_matrix(flat).as_quat(canonical=True)
    return xyzw[:, [3, 0, 1, 2]].reshape(*rotmat.shape[:-2], 4)
