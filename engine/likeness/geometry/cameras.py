"""Cameras in OpenCV's convention: x right, y down, z forward; pixel centres at half-integers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from likeness.geometry.rotations import rotvec_to_rotmat


@dataclass(frozen=True)
class Lens:
    """What K does not say: whether things shrink with depth, and which depths (metres) are seen."""

    orthographic: bool = False
    near: float = 0.01
    far: float = np.inf


PINHOLE = Lens()


@dataclass(frozen=True)
class Camera:
    """A camera that looks at head space.

    Convention: x_pixel = K @ (T_camera_head @ x_head) / depth; the top left pixel covers [0, 1) x [0, 1). With an
    orthographic lens x_pixel = K @ (x, y, 1), so that K's focal lengths are pixels per metre.
    """

    K: Float[np.ndarray, "3 3"]
    T_camera_head: Float[np.ndarray, "4 4"]
    width: int
    height: int
    lens: Lens = PINHOLE

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """R_camera_head."""
        return self.T_camera_head[:3, :3]

    @property
    def center(self) -> Float[np.ndarray, "3"]:
        """The camera's position in head space, metres."""
        return -self.rotation.T @ self.T_camera_head[:3, 3]

    def transform(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Take head-space points (metres) into camera space."""
        return points @ self.rotation.T + self.T_camera_head[:3, 3]

    def project(self, points: Float[np.ndarray, "*n 3"]) -> tuple[Float[np.ndarray, "*n 2"], Float[np.ndarray, "*n"]]:
        """Project head-space points to pixels; also return their depth along the view axis, metres."""
        in_camera = self.transform(points)
        depth = in_camera[..., 2]
        homogeneous = (_on_plane(in_camera) if self.lens.orthographic else in_camera) @ self.K.T
        return homogeneous[..., :2] / homogeneous[..., 2:], depth

    def unproject(self, pixels: Float[np.ndarray, "*n 2"], depth: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 3"]:
        """Take pixels at a depth (metres) back into head space; the inverse of `project`."""
        homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
        on_plane = homogeneous @ np.linalg.inv(self.K).T
        in_camera = on_plane * depth[..., None]
        if self.lens.orthographic:
            in_camera = np.concatenate([on_plane[..., :2], depth[..., None]], -1)
        return (in_camera - self.T_camera_head[:3, 3]) @ self.rotation

    def cropped(self, left: float, top: float, side: float, size: int) -> Camera:
        """Return the camera of the square (left, top, side, in pixels) resized to size x size."""
        scale = size / side
        to_crop = np.array([[scale, 0, -left * scale], [0, scale, -top * scale], [0, 0, 1.0]])
        return replace(self, K=to_crop @ self.K, width=size, height=size)

    def resized(self, width: int, height: int) -> Camera:
        """Return the same view at another resolution."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return replace(self, K=scale @ self.K, width=width, height=height)

    def orbited(self, yaw: float, pitch: float, pivot: Float[np.ndarray, "3"]) -> Camera:
        """Turn the head under the camera: yaw about head space's y, then pitch about the camera's x, radians.

        Positive yaw turns the face towards the subject's left, which is the picture's right; positive pitch nods it
        down. `pivot` (head space, metres) keeps its place in the picture.
        """
        turn_yaw = rotvec_to_rotmat(np.array([0.0, yaw, 0.0]))
        turn_pitch = rotvec_to_rotmat(np.array([pitch, 0.0, 0.0]))
        rotation = turn_pitch @ self.rotation @ turn_yaw
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = self.transform(pivot) - rotation @ pivot
        return replace(self, T_camera_head=pose)


def _on_plane(points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    return np.concatenate([points[..., :2], np.ones_like(points[..., :1])], -1)


def look_at_face(distance: float, focal: float, width: int, height: int) -> Camera:
    """Return a camera straight in front of the face, `distance` metres from head space's origin.

    `focal` is in pixels; the principal point is the picture's centre.
    """
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = distance
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera(K=K, T_camera_head=pose, width=width, height=height)
