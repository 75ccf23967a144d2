"""From a head before a camera to a performance on a stage: world axes, and the body told from the head.

The root joint carries the body, with one steady rotation for the whole clip or as it was followed; the neck turns the
head against it; the translation makes up for the rest, exactly: LBS(rotation, neck)(head) + translation is the fitted
head. A torso on the rig thus stands still while the head turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from likeness.tracking.clip_head import Frames

FLIP = np.diag([1.0, -1.0, -1.0])
"""World axes (x to the subject's left, y up, z towards the camera) to the camera's, and back."""
ROUNDS = 10
TYPICAL_TURN = 0.15
"""Radians. A head turned farther than this from the body's direction tells less about it."""


@dataclass(frozen=True)
class Staged:
    """A performance's rigid part; metres and rotation vectors, world space."""

    rotation: Float[np.ndarray, "T 3"]
    neck_pose: Float[np.ndarray, "T 3"]
    translation: Float[np.ndarray, "T 3"]
    T_camera_world: Float[np.ndarray, "4 4"]


def stage(frames: Frames, joints: Float[np.ndarray, "J 3"], bodies: Float[np.ndarray, "T 3 3"] | None = None) -> Staged:
    """Split fitted head poses. `joints` are the rig's at rest; `bodies` R_camera_body, else the clip's usual head."""
    place = np.median(frames.translations, 0)
    in_camera = np.eye(4)
    in_camera[:3, :3], in_camera[:3, 3] = FLIP, place
    heads = FLIP @ frames.rotations
    places = (frames.translations - place) @ FLIP
    roots = FLIP @ bodies if bodies is not None else np.tile(usual_rotation(heads), (len(frames), 1, 1))
    neck = joints[1].astype(np.float64)
    below = joints[0] + roots @ (neck - joints[0])
    return Staged(
        rotation=Rotation.from_matrix(roots).as_rotvec(),
        neck_pose=Rotation.from_matrix(roots.transpose(0, 2, 1) @ heads).as_rotvec(),
        translation=places + heads @ neck - below,
        T_camera_world=in_camera,
    )


def usual_rotation(rotations: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the rotations' robust mean (iteratively reweighted, Cauchy weights)."""
    mean = Rotation.from_matrix(rotations).mean()
    for _ in range(ROUNDS):
        away = (mean.inv() * Rotation.from_matrix(rotations)).magnitude()
        mean = Rotation.from_matrix(rotations).mean(1 / (1 + (away / TYPICAL_TURN) ** 2))
    return mean.as_matrix()
