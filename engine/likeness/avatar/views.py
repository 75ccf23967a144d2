"""Cameras around an avatar.

Convention: yaw and pitch in degrees say where the face looks, as seen in the picture: (0, 0) straight at the camera,
positive yaw towards the picture's right, positive pitch down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from likeness.contract.avatar import Avatar
from likeness.geometry.cameras import Camera, look_at_face

PIVOT = np.array([0.0, -0.02, -0.08])
"""What orbits turn around, head space, metres: the middle of the head."""


def portrait_camera(avatar: Avatar) -> Camera:
    """Return the photograph's own camera."""
    view = avatar.view
    return Camera(view.K.astype(np.float64), view.T_camera_head.astype(np.float64), view.width, view.height)


def face_camera(avatar: Avatar, width: int, height: int) -> Camera:
    """Return the photograph's camera framed on the face square."""
    left, top, side = avatar.view.face_square
    return framed(portrait_camera(avatar), (left, top, side, side), width, height)


def orbit_camera(avatar: Avatar, yaw: float, pitch: float, width: int, height: int) -> Camera:
    """Return a camera on the head from the portrait's distance, as large as the face square shows it."""
    portrait = portrait_camera(avatar)
    side = avatar.view.face_square[2]
    distance = portrait.transform(PIVOT)[2]
    focal = portrait.K[0, 0] * min(width, height) / side
    front = look_at_face(distance, focal, width, height)
    pose = front.T_camera_head.copy()
    pose[:3, 3] = [0, 0, distance] - pose[:3, :3] @ PIVOT
    return replace(front, T_camera_head=pose).orbited(np.radians(yaw), np.radians(pitch), PIVOT)


def turnaround(avatar: Avatar, start: tuple[float, float], count: int, width: int, height: int) -> Iterator[Camera]:
    """Yield `count` cameras of one full turn that begins at (yaw, pitch)."""
    for step in range(count):
        yield orbit_camera(avatar, start[0] + 360.0 * step / count, start[1], width, height)


def framed(camera: Camera, box: tuple[float, float, float, float], width: int, height: int) -> Camera:
    """Return the camera whose picture holds the box (left, top, width, height in pixels) whole and in the middle."""
    left, top, box_width, box_height = box
    scale = min(width / box_width, height / box_height)
    to_frame: Float[np.ndarray, "3 3"] = np.diag([scale, scale, 1.0])
    to_frame[:2, 2] = [width / 2 - scale * (left + box_width / 2), height / 2 - scale * (top + box_height / 2)]
    return replace(camera, K=to_frame @ camera.K, width=width, height=height)
