"""Rotations of heads: Euler angles to rotation vectors, and one rotation seen from another. NumPy alone."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from likeness.contract.quaternions import quat_to_rotvec, rotvec_to_quat

Array = Annotated


def euler_to_rotvec(x: float, y: float, z: float) -> Array[np.ndarray, "3"]:
    """Turn angles about head space's axes (radians; z first, then x, then y: R = Ry Rx Rz) into a rotation vector."""
    turns = np.diag([x, y, z])
    return quat_to_rotvec(
        _product(rotvec_to_quat(turns[1]), _product(rotvec_to_quat(turns[0]), rotvec_to_quat(turns[2])))
    )


def relative_to(rest: Array[np.ndarray, "3"], rotvec: Array[np.ndarray, "*n 3"]) -> Array[np.ndarray, "*n 3"]:
    """Return rotations as seen from a head turned by `rest`: inverse(rest) then `rotvec`; all rotation vectors."""
    return quat_to_rotvec(_product(rotvec_to_quat(-rest), rotvec_to_quat(rotvec)))


def _product(a: Array[np.ndarray, "*n 4"], b: Array[np.ndarray, "*n 4"]) -> Array[np.ndarray, "*n 4"]:
    """Return the quaternion that turns by b first, then by a."""
    scalar = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdims=True)
    vector = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate([scalar, vector], -1)
