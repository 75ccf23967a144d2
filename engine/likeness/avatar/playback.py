"""A performance on an avatar: what its face and body do at any time, and the camera that filmed the performer.

Error codes: motion.other_head, motion.no_camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from likeness.avatar.animate import Expression, control_range
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar
from likeness.contract.errors import InputError
from likeness.contract.motion import Motion
from likeness.contract.motion_sampling import sample_motion
from likeness.geometry.cameras import Camera
from likeness.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat

CHUNK = 256
"""Frames that are sampled together; a long take is never in memory twice."""


@dataclass(frozen=True)
class Playback:
    """A performance joined to the controls of one avatar."""

    motion: Motion
    channels: Int[np.ndarray, "K"]
    """The motion's channels that the avatar has, and ..."""
    controls: Int[np.ndarray, "K"]
    """... its controls that they drive."""
    limits: Float[np.ndarray, "2 E"]
    missing: tuple[str, ...]
    """Channels that move something in the motion and that the avatar lacks."""

    def expressions(self, times: Float[np.ndarray, "N"]) -> Iterator[Expression]:
        """Yield what the avatar does at each time (seconds from the source's beginning); what is not driven rests."""
        for start in range(0, len(times), CHUNK):
            sampled = sample_motion(self.motion, times[start : start + CHUNK])
            controls = np.zeros((len(sampled.times), self.limits.shape[1]), np.float32)
            controls[:, self.controls] = sampled.expr[:, self.channels]
            np.clip(controls, *self.limits, out=controls)
            yield from map(Expression, controls, sampled.pose, sampled.translation)


def play(motion: Motion, avatar: Avatar) -> Playback:
    """Join a performance to an avatar. Errors: InputError `motion.other_head`."""
    _check_head(motion, avatar)
    known = {name: index for index, name in enumerate(avatar.rig.control_names)}
    names = motion.expr_names
    limits = np.array([control_range(name) for name in known], np.float32)
    return Playback(
        motion=motion,
        channels=np.array([k for k, name in enumerate(names) if name in known], int),
        controls=np.array([known[name] for name in names if name in known], int),
        limits=limits.reshape(-1, 2).T,
        missing=tuple(n for k, n in enumerate(names) if n not in known and motion.expr[:, k].any()),
    )


def motion_camera(motion: Motion) -> Camera:
    """Return the camera that filmed the performer; world space is head space. Errors: InputError `motion.no_camera`."""
    if motion.K is None:
        raise InputError(
            "motion.no_camera",
            "Nobody knows the camera of this performance, as it was not tracked from a video.",
            "Use --camera portrait or --camera YAW,PITCH.",
        )
    return Camera(motion.K.astype(np.float64), motion.T_camera_world.astype(np.float64), *motion.image_size)


def from_its_first_frame(motion: Motion) -> Motion:
    """Return the performance with the body's first frame at rest: a head that was filmed anywhere begins in its place.

    Neck, jaw and eyes stay as they are.
    """
    first = rotvec_to_rotmat(motion.rotation[0])
    rotation = rotmat_to_rotvec(first.T @ rotvec_to_rotmat(motion.rotation))
    translation = (motion.translation - motion.translation[0]) @ first
    return replace(motion, rotation=rotation.astype(np.float32), translation=translation.astype(np.float32))


def _check_head(motion: Motion, avatar: Avatar) -> None:
    """Refuse coefficients that mean other shapes on this avatar's head; ARKit's mean the same on every head."""
    if set(motion.expr_names) <= set(ARKIT_NAMES):
        return
    same_hash = not motion.head_model_hash or motion.head_model_hash == avatar.info.head_model_hash
    if motion.head_model == avatar.info.head_model and same_hash:
        return
    named = "another file of the head model" if not same_hash else "the head model"
    raise InputError(
        "motion.other_head",
        f"The performance is in coefficients of {named} {motion.head_model}, the avatar on {avatar.info.head_model}.",
        "Use `likeness retarget` with this avatar first.",
    )
