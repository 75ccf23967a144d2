"""Every conversion between Blender's axes, units and colours and the engine's, in pairs; no bpy.

Convention: head space is FLAME's (x to the subject's left, y up, z out of the face, metres); Blender's is x, -z, y
of it, so that a face looks along -Y and stands along Z. Worked example: a point 1 m before the face, (0, 0, 1),
lies at (0, -1, 0) in Blender. Bones have axes of their own: root and neck point up and keep head space's axes; jaw
and eyes point out of the face, with local axes (x, z, -y) of head space. A proper rotation everywhere, so that what
is stored in a triangle's frame is the same on both sides.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np

Array = Annotated

BLENDER_FROM_HEAD = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
"""Rotation matrix; its transpose is the way back."""

BONE_NAMES = {"root": "root", "neck": "neck", "jaw": "jaw", "left_eye": "eye.L", "right_eye": "eye.R"}
"""FLAME's joints by Blender's custom, in which .L and .R are a pair that mirrors."""

_UP = np.eye(3)
_FORWARD = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
BONE_AXES = {"root": _UP, "neck": _UP, "jaw": _FORWARD, "left_eye": _FORWARD, "right_eye": _FORWARD}
"""Local axes of each joint's bone as columns in head space; y points along the bone."""

_CAMERA_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
_BLENDER_FROM_HEAD_4 = np.eye(4)
_BLENDER_FROM_HEAD_4[:3, :3] = BLENDER_FROM_HEAD
_LINEAR_LIMIT, _SRGB_LIMIT = 0.0031308, 0.04045


def head_to_blender(points: Array[np.ndarray, "... 3"]) -> Array[np.ndarray, "... 3"]:
    """Turn points or directions of head space into Blender's axes, float32."""
    return np.ascontiguousarray(points @ BLENDER_FROM_HEAD.T, np.float32)


def blender_to_head(points: Array[np.ndarray, "... 3"]) -> Array[np.ndarray, "... 3"]:
    """Turn points or directions in Blender's axes into head space, float32."""
    return np.ascontiguousarray(points @ BLENDER_FROM_HEAD, np.float32)


def joint_to_bone_rotation(joint: str, rotation: Array[np.ndarray, "3 3"]) -> Array[np.ndarray, "3 3"]:
    """Turn a joint's rotation in head space into its bone's rotation in the bone's own axes."""
    return BONE_AXES[joint].T @ rotation @ BONE_AXES[joint]


def bone_to_joint_rotation(joint: str, rotation: Array[np.ndarray, "3 3"]) -> Array[np.ndarray, "3 3"]:
    """Turn a bone's rotation in its own axes into the joint's rotation in head space."""
    return BONE_AXES[joint] @ rotation @ BONE_AXES[joint].T


def joint_to_bone_vectors(joint: str, vectors: Array[np.ndarray, "... 3"]) -> Array[np.ndarray, "... 3"]:
    """Turn a joint's rotation vectors or translations in head space into its bone's own axes."""
    return vectors @ BONE_AXES[joint]


def bone_to_joint_vectors(joint: str, vectors: Array[np.ndarray, "... 3"]) -> Array[np.ndarray, "... 3"]:
    """Turn rotation vectors or translations in a bone's own axes into its joint's in head space."""
    return vectors @ BONE_AXES[joint].T


def metres_to_units(scale_length: float) -> float:
    """Return how many Blender units a metre has in a scene with that unit scale."""
    return 1.0 / scale_length


def units_to_metres(scale_length: float) -> float:
    """Return how many metres a Blender unit has in a scene with that unit scale."""
    return scale_length


def blender_camera_to_opencv(matrix_world: Array[np.ndarray, "4 4"]) -> Array[np.ndarray, "4 4"]:
    """Turn a Blender camera's matrix (x right, y up, looking along -z) into T_camera_world of OpenCV's axes."""
    return _CAMERA_FLIP @ np.linalg.inv(matrix_world)


def opencv_to_blender_camera(T_camera_world: Array[np.ndarray, "4 4"]) -> Array[np.ndarray, "4 4"]:
    """Turn T_camera_world of OpenCV's axes into a Blender camera's matrix."""
    return np.linalg.inv(T_camera_world) @ _CAMERA_FLIP


class Lens(NamedTuple):
    """A Blender camera's lens with a horizontal sensor fit, and the pixel aspect of the scene it is for."""

    focal: float
    """In the units of `sensor_width`."""
    shift: tuple[float, float]
    pixel_aspect: tuple[float, float]


def pixels_to_lens(K: Array[np.ndarray, "3 3"], size: tuple[int, int], sensor_width: float) -> Lens:
    """Turn K (OpenCV's axes, pixels from the top left) of a picture of this width and height into a lens."""
    width, height = size
    fx, fy = float(K[0, 0]), float(K[1, 1])
    aspect = fx / fy  # of a pixel's height to its width
    shift = (width / 2 - float(K[0, 2])) / width, (float(K[1, 2]) - height / 2) * aspect / width
    return Lens(fx * sensor_width / width, shift, (max(1.0, 1 / aspect), max(1.0, aspect)))


def lens_to_pixels(lens: Lens, size: tuple[int, int], sensor_width: float) -> Array[np.ndarray, "3 3"]:
    """Turn a lens into K; the inverse of `pixels_to_lens`."""
    width, height = size
    aspect = lens.pixel_aspect[1] / lens.pixel_aspect[0]
    fx = lens.focal * width / sensor_width
    center = width / 2 - lens.shift[0] * width, height / 2 + lens.shift[1] * width / aspect
    return np.array([[fx, 0.0, center[0]], [0.0, fx / aspect, center[1]], [0.0, 0.0, 1.0]])


def portrait_to_blender_camera(
    T_camera_head: Array[np.ndarray, "4 4"], matrix_world: Array[np.ndarray, "4 4"]
) -> Array[np.ndarray, "4 4"]:
    """Place the photograph's camera before an avatar: a Blender camera's matrix, whose scale is the avatar's.

    `matrix_world` is the avatar's; where it scales unevenly no camera sees exactly the photograph.
    """
    return matrix_world @ _BLENDER_FROM_HEAD_4 @ np.linalg.inv(T_camera_head) @ _CAMERA_FLIP


def blender_camera_to_portrait(
    camera: Array[np.ndarray, "4 4"], matrix_world: Array[np.ndarray, "4 4"]
) -> Array[np.ndarray, "4 4"]:
    """Return T_camera_head of a camera before an avatar; the inverse of `portrait_to_blender_camera`."""
    return np.linalg.inv(np.linalg.inv(_BLENDER_FROM_HEAD_4) @ np.linalg.inv(matrix_world) @ camera @ _CAMERA_FLIP)


def srgb_to_linear(colors: Array[np.ndarray, "... 3"]) -> Array[np.ndarray, "... 3"]:
    """Turn sRGB values in 0..1 into linear ones (IEC 61966-2-1)."""
    low = colors <= _SRGB_LIMIT
    return np.where(low, colors / 12.92, ((np.maximum(colors, _SRGB_LIMIT) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(colors: Array[np.ndarray, "... 3"]) -> Array[np.ndarray, "... 3"]:
    """Turn linear values in 0..1 into sRGB ones (IEC 61966-2-1)."""
    low = colors <= _LINEAR_LIMIT
    return np.where(low, colors * 12.92, 1.055 * np.maximum(colors, _LINEAR_LIMIT) ** (1 / 2.4) - 0.055)
