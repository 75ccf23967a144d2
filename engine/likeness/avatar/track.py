"""Track: a clip in, a performance out; on an avatar's identity if one is given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar
from likeness.contract.errors import InputError
from likeness.contract.motion import Motion
from likeness.contract.progress import Progress, SilentProgress
from likeness.head.model import load_open_head
from likeness.portrait.clip import Clip, open_clip
from likeness.portrait.performer import Sightings, follow_performer
from likeness.tracking.body import BodyPatch, body_patch, follow_body, reference_frame
from likeness.tracking.clip_head import Frames
from likeness.tracking.flame import cached_landmarks
from likeness.tracking.photometric import HeadPatch, PoseEvidence, compare, no_evidence
from likeness.tracking.sequence import KnownHead, SequenceFit, arkit_shapes, track_sightings, with_pictures
from likeness.tracking.staging import stage

OTHER_COLORS = "The avatar's colours do not match the film; its picture was not used."
OnFrame = Callable[[float, Float[np.ndarray, "52"], Float[np.ndarray, "5 3"]], None]


@dataclass(frozen=True)
class TrackOptions:
    """Which performer and which part of a clip."""

    performer: int | None = None
    """1 is the leftmost; by default the most prominent one."""
    start: float = 0.0
    end: float | None = None
    """Seconds."""
    resume: Path | None = None
    """A folder that keeps what is found, so that a stopped tracking goes on from there."""


@dataclass(frozen=True)
class Tracked:
    """A performance, and what a person should know of it."""

    motion: Motion
    notes: tuple[str, ...]


def track(
    video: Path,
    *,
    avatar: Avatar | None = None,
    options: TrackOptions = TrackOptions(),
    progress: Progress | None = None,
    on_frame: OnFrame | None = None,
) -> Tracked:
    """Fit a head to every frame of a clip: pose, the 52 ARKit controls, gaze and blinks.

    With `avatar` its identity is kept. `on_frame` receives provisional frames as they are done: the time, the controls
    in `ARKIT_NAMES`' order, and the joints' rotations. Errors: InputError `clip.*`, `face.*`.
    """
    progress = progress or SilentProgress()
    progress.update("read", 0.0)
    known = known_head(avatar) if avatar else None
    clip = open_clip(video)
    sightings = follow_performer(
        clip,
        performer=options.performer,
        start=options.start,
        end=options.end,
        progress=progress,
        spool=options.resume,
    )

    def preview(times: Float[np.ndarray, "T"], frames: Frames) -> None:
        staged = stage(frames, known.joints if known else np.zeros((5, 3)))
        for k, time in enumerate(times):
            pose = np.zeros((5, 3), np.float32)
            pose[0], pose[1] = staged.rotation[k], staged.neck_pose[k]
            on_frame(float(time), frames.controls[k].astype(np.float32), pose)

    fit = track_sightings(
        sightings, load_open_head(), known, progress=progress, on_frames=preview if on_frame else None
    )
    patch = _head_patch(avatar) if avatar else None
    bodies, pictured = _watch(clip, options, sightings, fit, avatar, patch, progress)
    notes = tuple(sightings.notes)
    if pictured.same_person:
        fit = with_pictures(sightings, fit, pictured)
    elif patch:
        notes += (OTHER_COLORS,)
    return Tracked(to_motion(sightings, fit, bodies), notes)


def _head_patch(avatar: Avatar) -> HeadPatch:
    # Drawing needs torch, whose import takes more than a second; tracking without an avatar does without.
    from likeness.avatar.head_patch import head_patch

    return head_patch(avatar)


def known_head(avatar: Avatar) -> KnownHead:
    """Return the avatar's head as tracking needs it. Errors: InputError `head.unknown`."""
    rig, assets = avatar.rig, load_open_head()
    if avatar.info.head_model != assets.name:
        landmarks = cached_landmarks(avatar.info.head_model_hash)
        if landmarks is None:
            complaint = "The avatar's FLAME head was never used on this machine, so its landmarks are not known."
            raise InputError("head.unknown", complaint, "Create the avatar here, or track without --avatar.")
        assets = replace(assets, faces=rig.faces[: rig.head_triangles], **landmarks)
    return KnownHead(
        assets=assets,
        v_neutral=rig.v_neutral[: rig.head_vertices],
        shapes=arkit_shapes(rig.shapedirs[: rig.head_vertices], rig.control_names),
        joints=rig.joints,
        of_performer=True,
        focal=float(avatar.view.K[0, 0]),
        size=(avatar.view.width, avatar.view.height),
    )


def _watch(
    clip: Clip,
    options: TrackOptions,
    sightings: Sightings,
    fit: SequenceFit,
    avatar: Avatar | None,
    patch: HeadPatch | None,
    progress: Progress,
) -> tuple[Float[np.ndarray, "T 3 3"] | None, PoseEvidence]:
    """Look at all pictures once more: how the body is turned (as `follow_body` says), and what an avatar's colours say.

    The body is None in a picture alone.
    """
    pictured, count = no_evidence(fit.frames), len(sightings.times)

    def pictures() -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        shown = clip.frames(options.start, options.end)
        for t, frame in zip(range(count), shown, strict=False):
            progress.update("pictures", t / count)
            if patch and sightings.seen[t]:
                compare(frame.rgb, patch, fit.frames, t, fit.head, pictured)
            yield frame.rgb

    neck = fit.known.joints[1].astype(np.float64)
    bodies, chest = None, None
    if count > 1:
        reference = reference_frame(fit.frames.rotations, sightings.seen, avatar and avatar.view.T_camera_head[:3, :3])
        chest = _chest(clip, sightings, fit, reference, neck)
        bodies = np.tile(fit.frames.rotations[reference], (count, 1, 1))
    if chest:
        bodies = follow_body(pictures(), chest, fit.frames, np.asarray(sightings.seen), neck, fit.head)
    elif patch:
        deque(pictures(), maxlen=0)
    progress.update("pictures", 1.0)
    return bodies, pictured


def _chest(
    clip: Clip, sightings: Sightings, fit: SequenceFit, reference: int, neck: Float[np.ndarray, "3"]
) -> BodyPatch | None:
    """Take the body's patch from the reference frame; None where no chest is seen.

    The body looks where the head does in the frame whose head is turned as in the avatar's photograph, in which the
    avatar's own body was at rest; without such a frame, in the one that is most like the clip's usual head.
    """
    frame = next(clip.frames(max(sightings.times[reference] - 1e-4, 0.0)), None)
    if frame is None:
        return None
    rotation, translation = fit.frames.rotations[reference], fit.frames.translations[reference]
    landmarks = np.asarray(sightings.landmarks[reference], np.float64)
    return body_patch(frame.rgb, landmarks, rotation, rotation @ neck + translation, fit.head)


def to_motion(sightings: Sightings, fit: SequenceFit, bodies: Float[np.ndarray, "T 3 3"] | None = None) -> Motion:
    """Return the performance in the form that files hold."""
    count, (width, height) = len(sightings.times), sightings.size
    staged = stage(fit.frames, fit.known.joints, bodies)
    focal = fit.head.focal
    return Motion(
        times=np.asarray(sightings.times, np.float64),
        expr=fit.frames.controls.astype(np.float32),
        rotation=staged.rotation.astype(np.float32),
        neck_pose=staged.neck_pose.astype(np.float32),
        jaw_pose=np.zeros((count, 3), np.float32),
        eyes_pose=np.zeros((count, 6), np.float32),
        translation=staged.translation.astype(np.float32),
        observed=np.asarray(sightings.seen, np.uint8),
        fps=sightings.fps,
        head_model="open",
        head_model_hash="",
        expr_names=ARKIT_NAMES,
        K=np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]),
        T_camera_world=staged.T_camera_world,
        image_size=(width, height),
    )
