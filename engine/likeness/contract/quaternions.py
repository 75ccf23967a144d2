"""Rotation vectors as quaternions and back, with NumPy alone; quaternions are wxyz, of length 1."""

from __future__ import annotations

from typing import Annotated

import numpy as np

Array = Annotated


def rotvec_to_quat(rotvec: Array[np.ndarray, "*n 3"]) -> Array[np.ndarray, "*n 4"]:
    """Turn rotation vectors (radians) into quaternions, float64."""
    rotvec = np.asarray(rotvec, np.float64)
    half = np.linalg.norm(rotvec, axis=-1, keepdims=True) / 2
    # numpy's sinc is sin(pi x) / (pi x): 1 at zero, where the axis is unknown.
    return np.concatenate([np.cos(half), rotvec / 2 * np.sinc(half / np.pi)], -1)


def quat_to_rotvec(quat: Array[np.ndarray, "*n 4"]) -> Array[np.ndarray, "*n 3"]:
    """Turn quaternions into rotation vectors, radians, angles up to pi."""
    quat = np.where(quat[..., :1] < 0, -quat, quat)
    length = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quat[..., :1])
    return quat[..., 1:] * np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 0)
