"""A head whose identity is known, as the landmarks see it: what stays the same in every frame of a clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.frames import vertex_normals
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.tracking.landmarks import landmark_weights

CONTROLS = len(ARKIT_NAMES)
FRAME_COLUMNS = 6 + CONTROLS
"""A frame's step: rotation (turned from the left, camera axes), translation, controls."""
MIN_DISTANCE = 0.1
FACING_NONE, FACING_FULL = -0.05, 0.35
"""Cosines with the line of sight between which a landmark comes to count: what faces away is guessed."""


@dataclass(frozen=True)
class ClipHead:
    """Landmarks of one neutral head and how the controls move them; metres, head space. One camera for the clip."""

    base: Float[np.ndarray, "478 3"]
    """Personal offsets included."""
    slides: Float[np.ndarray, "478 3 2"]
    """How landmarks move over the skin as the head turns: the detector's doing. Times `turned`."""
    directions: Float[np.ndarray, "478 3 52"]
    normals: Float[np.ndarray, "478 3"]
    weights: Float[np.ndarray, "478"]
    focal: float
    center: Float[np.ndarray, "2"]
    """Principal point, pixels."""

    def moved_by(self, offsets: Float[np.ndarray, "478 3 3"]) -> ClipHead:
        """Return the head with its landmarks displaced, and sliding."""
        return replace(self, base=self.base + offsets[..., 0], slides=self.slides + offsets[..., 1:])

    def bases(self, frames: Frames) -> Float[np.ndarray, "T 478 3"]:
        """Return the landmarks of the neutral face in every frame."""
        slid = turned(frames) @ self.slides.reshape(-1, 2).T
        return self.base + slid.reshape(len(frames), -1, 3)


@dataclass(frozen=True)
class Frames:
    """The fit's unknowns over T frames: R_camera_head, head origin in the camera (metres), ARKit controls 0..1."""

    rotations: Float[np.ndarray, "T 3 3"]
    translations: Float[np.ndarray, "T 3"]
    controls: Float[np.ndarray, "T 52"]

    def __len__(self) -> int:
        """Return T."""
        return len(self.controls)

    def __getitem__(self, chosen: slice | np.ndarray) -> Frames:
        """Return some of the frames."""
        return Frames(self.rotations[chosen], self.translations[chosen], self.controls[chosen])

    def moved(self, steps: Float[np.ndarray, "T 58"]) -> Frames:
        """Take a step in every frame; controls stay within 0..1 and heads before the camera."""
        translations = self.translations + steps[:, 3:6]
        translations[:, 2] = np.maximum(translations[:, 2], MIN_DISTANCE)
        return Frames(
            rotations=rotvec_to_rotmat(steps[:, :3]) @ self.rotations,
            translations=translations,
            controls=np.clip(self.controls + steps[:, 6:], 0, 1),
        )


def turned(frames: Frames) -> Float[np.ndarray, "T 2"]:
    """Return how far each head is turned: sines of yaw and pitch, from where it looks straight along the camera."""
    return frames.rotations[:, 2, :2]


def joined(parts: list[Frames]) -> Frames:
    """Return frames one after the other."""
    return Frames(*(np.concatenate([getattr(part, name) for part in parts]) for name in Frames.__dataclass_fields__))


def clip_head(
    assets: HeadAssets,
    v_neutral: Float[np.ndarray, "V 3"],
    shapes: Float[np.ndarray, "V 3 52"],
    *,
    focal: float,
    center: Float[np.ndarray, "2"],
) -> ClipHead:
    """Prepare the landmarks of a neutral head whose ARKit shapes are given in `ARKIT_NAMES`' order."""
    corners, bary = assets.faces[assets.landmark_faces], assets.landmark_bary.astype(np.float64)
    normals = np.einsum("nk,nkc->nc", bary, vertex_normals(np.asarray(v_neutral, np.float64), assets.faces)[corners])
    return ClipHead(
        base=np.einsum("nk,nkc->nc", bary, np.asarray(v_neutral, np.float64)[corners]),
        slides=np.zeros((len(bary), 3, 2)),
        directions=np.ascontiguousarray(np.einsum("nk,nkce->nce", bary, np.asarray(shapes, np.float64)[corners])),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        weights=landmark_weights(assets),
        focal=focal,
        center=np.asarray(center, np.float64),
    )


def landmark_points(head: ClipHead, frames: Frames) -> Float[np.ndarray, "T 478 3"]:
    """Return where the head's landmarks are in every frame; metres, head space."""
    moved = frames.controls @ head.directions.reshape(-1, CONTROLS).T
    return head.bases(frames) + moved.reshape(len(frames), -1, 3)


def landmark_pixels(head: ClipHead, frames: Frames) -> Float[np.ndarray, "T 478 2"]:
    """Return where the head's landmarks are in every frame's picture."""
    seen = landmark_points(head, frames) @ frames.rotations.transpose(0, 2, 1) + frames.translations[:, None]
    return head.focal * seen[..., :2] / seen[..., 2:] + head.center


def facing(head: ClipHead, frames: Frames) -> Float[np.ndarray, "T 478"]:
    """Return how much each landmark counts for the way it faces, 0..1."""
    points = head.base @ frames.rotations.transpose(0, 2, 1) + frames.translations[:, None]
    normals = head.normals @ frames.rotations.transpose(0, 2, 1)
    cosine = -(normals * points).sum(-1) / np.linalg.norm(points, axis=-1)
    return np.clip((cosine - FACING_NONE) / (FACING_FULL - FACING_NONE), 0.0, 1.0)


def landmark_normals(
    points: Float[np.ndarray, "478 3"],
    head: ClipHead,
    rotation: Float[np.ndarray, "3 3"],
    translation: Float[np.ndarray, "3"],
    observed: Float[np.ndarray, "478 2"],
    weights: Float[np.ndarray, "478"],
    jacobian: Float[np.ndarray, "956 60"],
) -> tuple[Float[np.ndarray, "58 58"], Float[np.ndarray, "58"]]:
    """Return one frame's J^T J and J^T r of its weighted landmarks, whose `points` are in head space.

    `weights` are one over the standard deviation, 1 / pixels. `jacobian` is scratch.
    """
    landmark_rows(points, head.directions, head.focal, head.center, rotation, translation, observed, weights, jacobian)
    full = jacobian.T @ jacobian
    return full[:FRAME_COLUMNS, :FRAME_COLUMNS], full[-1, :FRAME_COLUMNS]


@njit(cache=True, nogil=True)
@no_type_check
def landmark_rows(points, directions, focal, center, rotation, translation, observed, weights, jacobian):
    """Fill in the weighted derivatives of the pixels' coordinates, two rows a landmark.

    Columns: rotation 3, translation 3, one for each of the directions, log focal 1; the residuals last. `points` are
    in head space.
    """
    count = directions.shape[2]
    for i in range(points.shape[0]):
        turned = (
            rotation[0, 0] * points[i, 0] + rotation[0, 1] * points[i, 1] + rotation[0, 2] * points[i, 2],
            rotation[1, 0] * points[i, 0] + rotation[1, 1] * points[i, 1] + rotation[1, 2] * points[i, 2],
            rotation[2, 0] * points[i, 0] + rotation[2, 1] * points[i, 1] + rotation[2, 2] * points[i, 2],
        )
        z = turned[2] + translation[2]
        scale = weights[i] * focal / z
        for axis in range(2):
            place = turned[axis] + translation[axis]
            along, depth = jacobian[2 * i + axis], -scale * place / z
            slope = (scale, 0.0, depth) if axis == 0 else (0.0, scale, depth)
            along[0] = turned[1] * slope[2] - turned[2] * slope[1]
            along[1] = turned[2] * slope[0] - turned[0] * slope[2]
            along[2] = turned[0] * slope[1] - turned[1] * slope[0]
            along[3], along[4], along[5] = slope
            right = scale * rotation[axis, 0] + depth * rotation[2, 0]
            up = scale * rotation[axis, 1] + depth * rotation[2, 1]
            ahead = scale * rotation[axis, 2] + depth * rotation[2, 2]
            for k in range(count):
                along[6 + k] = right * directions[i, 0, k] + up * directions[i, 1, k] + ahead * directions[i, 2, k]
            along[6 + count] = scale * place
            along[7 + count] = scale * place + weights[i] * (center[axis] - observed[i, axis])
