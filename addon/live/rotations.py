"""Rotations of heads: Euler angles to rotation vectors, and one rotation seen from another. NumPy alone."""

from __future__ import annotations

from typing import Annotated

import numpy as np

Array = Annotated


def euler_to_rotvec(x: float, y: float, z: float) -> Array[np.ndarray, "3"]:
    """Turn angles about head space's axes (radians; z first, then x, then y: R = Ry Rx Rz) into a rotation vector."""
    turns = np.diag([x, y, z])
    return _quat_to_rotvec(_product(_to_quat(turns[1]), _product(_to_quat(turns[0]), _to_quat(turns[2]))))


def relative_to(rest: Array[np.ndarray, "3"], rotvec: Array[np.ndarray, "*n 3"]) -> Array[np.ndarray, "*n 3"]:
    """Return rotations as seen from a head turned by `rest`: inverse(rest) then `rotvec`; all rotation vectors."""
    return _quat_to_rotvec(_product(_to_quat(-rest), _to_quat(rotvec)))


def _to_quat(rotvec: Array[np.ndarray, "*n 3"]) -> Array[np.ndarray, "*n 4"]:
    """Turn rotation vectors into unit wxyz quaternions."""
    half = np.linalg.norm(rotvec, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), rotvec / 2 * np.sinc(half / np.pi)], -1)  # sinc: also where the axis is none


def _quat_to_rotvec(quat: Array[np.ndarray, "*n 4"]) -> Array[np.ndarray, "*n 3"]:
    """Turn unit wxyz quaternions into rotation vectors, angles up to pi."""
    quat = np.where(quat[..., :1] < 0, -quat, quat)
    length = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quat[..., :1])
    return quat[..., 1:] * np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 0)


def _product(a: Array[np.ndarray, "*n 4"], b: Array[np.ndarray, "*n 4"]) -> Array[np.ndarray, "*n 4"]:
    """Return the quaternion that turns by b first, then by a."""
    scalar = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdims=True)
    vector = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate([scalar, vector], -1)
