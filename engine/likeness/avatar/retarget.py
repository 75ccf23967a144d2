"""Retarget: a performance from elsewhere in, a motion that drives one avatar out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar
from likeness.contract.errors import InputError, UsageError
from likeness.contract.motion import Motion
from likeness.contract.progress import Progress, SilentProgress
from likeness.head.assets import HeadAssets
from likeness.head.flame import load_flame
from likeness.motion import edit, neutral
from likeness.motion.flame_controls import to_arkit, to_flame
from likeness.motion.reading import Reading, listed
from likeness.motion.regions import REGIONS
from likeness.motion.smoothing import smoothed
from likeness.motion.sources import is_recording, read_recording
from likeness.tracking.flame import complete_flame

if TYPE_CHECKING:
    from likeness.avatar.track import OnFrame

FLAME_FILE = "Name the FLAME model they were made with: --source-head FILE."


@dataclass(frozen=True)
class Target:
    """What a motion has to know of the avatar it is for."""

    control_names: tuple[str, ...]
    head_model: str
    head_model_hash: str


@dataclass(frozen=True)
class RetargetOptions:
    """How a performance is taken over."""

    start: float = 0.0
    """Seconds of the source."""
    end: float | None = None
    neutral: Literal["auto", "at", "off"] = "auto"
    neutral_at: float = 0.0
    """Seconds of the source, for `at`."""
    gains: Mapping[str, float] = field(default_factory=dict)
    """By region; those that are not named have 1."""
    mirror: bool = False
    smoothing: Literal["none", "one-euro", "savgol"] = "none"
    strength: float = 0.5
    """0..1."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """By region, where it is not `strength`."""
    head_motion: bool = True
    fps: float | None = None
    """Of files that do not say their rate."""
    source_head: Path | None = None
    """The FLAME model's file to which coefficients belong."""
    as_flame: bool = False
    """Write FLAME's coefficients instead of ARKit's controls."""
    performer: int | None = None
    """Of a video: 1 is the leftmost; None takes the only one."""


@dataclass(frozen=True)
class Retargeted:
    """A motion for the avatar, and what was left out or poor as plain sentences."""

    motion: Motion
    notes: tuple[str, ...]


def target_of(avatar: Avatar) -> Target:
    """Return an avatar as a target."""
    return Target(avatar.rig.control_names, avatar.info.head_model, avatar.info.head_model_hash)


def retarget(
    source: Path,
    target: Target,
    *,
    options: RetargetOptions | None = None,
    progress: Progress | None = None,
    on_frame: OnFrame | None = None,
) -> Retargeted:
    """Turn a recording or a video into a motion whose channels the target has; its times begin at the range's start.

    `on_frame` gets a video's frames while they are tracked. Errors: InputError `motion.*`, `clip.*`, `head.*`;
    UsageError `motion.range`, `motion.not_neutral`, `motion.region`.
    """
    options = options or RetargetOptions()
    progress = progress or SilentProgress()
    check_regions((*options.gains, *options.strengths))
    if options.as_flame and target.head_model == "open":
        raise UsageError("motion.not_flame", "The avatar is not on a FLAME head.", "Leave out --as flame.")
    progress.update("read", 0.0)
    reading = _read(source, target, options, progress, on_frame)
    motion, notes = _on_target(reading, target, options, progress)
    motion, told = _edited(motion, options)
    if options.as_flame and motion.head_model == "open":
        motion = to_flame(motion, _own_flame(target, options))
    else:
        motion, left_out = _for_channels(motion, target)
        told += left_out
    progress.update("retarget", 1.0)
    return Retargeted(motion, (*reading.notes, *notes, *told))


def check_regions(names: tuple[str, ...]) -> None:
    """Raise UsageError `motion.region` unless all are regions of the face."""
    unknown = [name for name in names if name not in REGIONS]
    if unknown:
        raise UsageError("motion.region", f"{unknown[0]} is no region.", f"There are {listed(REGIONS, 20)}.")


def _read(
    source: Path, target: Target, options: RetargetOptions, progress: Progress, on_frame: OnFrame | None
) -> Reading:
    if is_recording(source):
        return read_recording(source, options.fps)
    from likeness.avatar.track import TrackOptions, track

    _check_video(source, target, options)
    start, end = options.start, options.end
    if options.neutral == "at":
        start, end = min(start, options.neutral_at), None if end is None else max(end, options.neutral_at + 1)
    chosen = TrackOptions(performer=options.performer, start=start, end=end)
    tracked = track(source, options=chosen, progress=progress, on_frame=on_frame)
    return Reading("Video", tracked.motion, (), tracked.notes)


def _check_video(source: Path, target: Target, options: RetargetOptions) -> None:
    """Refuse before minutes of tracking what would be refused after them."""
    from likeness.portrait.clip import open_clip

    if options.neutral == "at" and 0 < (seconds := open_clip(source).info.seconds) < options.neutral_at:
        message = f"There is no frame at {options.neutral_at:g} s to take as the rest."
        raise UsageError("motion.range", message, f"Name a time from 0 to {seconds:.2f} s.")
    if options.as_flame:
        _own_flame(target, options)


def _on_target(
    reading: Reading, target: Target, options: RetargetOptions, progress: Progress
) -> tuple[Motion, list[str]]:
    """Return the motion in channels that the target's head understands, and notes.

    Errors: InputError `motion.other_head`, `motion.needs_head`.
    """
    motion = reading.motion
    if motion.head_model == "open":
        return motion, []
    belongs = motion.head_model_hash
    if options.source_head is not None:
        head = _flame(options.source_head)
        if belongs and belongs != head.content_hash:
            message = f"{options.source_head.name} is not the FLAME model of these coefficients."
            raise InputError("motion.other_head", message, FLAME_FILE)
        if head.content_hash != target.head_model_hash:
            return to_arkit(motion, head, progress), ["FLAME's coefficients, jaw and eyes became ARKit's controls."]
        return motion, []
    if target.head_model == "open":
        message = "The file holds FLAME coefficients, which an avatar on Open Head does not have."
        raise InputError("motion.needs_head", message, FLAME_FILE)
    if belongs and belongs != target.head_model_hash:
        message = "The file's coefficients belong to another FLAME model than the avatar's."
        raise InputError("motion.other_head", message, FLAME_FILE)
    if belongs:
        return motion, []
    return motion, [f"The file does not say its FLAME model and was taken as made with the avatar's, "
                    f"{target.head_model}."]  # fmt: skip


def _edited(motion: Motion, options: RetargetOptions) -> tuple[Motion, list[str]]:
    """Calibrate, smooth, scale, mirror and cut, in this order; what is off changes nothing."""
    notes: list[str] = []
    if options.neutral != "off":
        at = options.neutral == "at"
        rest = neutral.rest_at(motion, options.neutral_at) if at else neutral.find_rest(motion)
        motion = neutral.relative(motion, rest)
        notes += rest.notes
    if options.smoothing != "none":
        motion = smoothed(motion, options.smoothing, options.strength, options.strengths)
    if any(gain != 1 for gain in options.gains.values()):
        motion = edit.scaled(motion, options.gains)
    if edit.has_coefficients(motion) and (options.gains or options.mirror):
        notes.append("FLAME's coefficients have neither regions nor sides: gains and mirror left them alone.")
    if options.mirror:
        motion = edit.mirrored(motion)
    if not options.head_motion:
        moved = any(getattr(motion, name).any() for name in ("rotation", "neck_pose", "translation"))
        motion = edit.without_head(motion)
        notes += ["The head's motion was left out."] if moved else []
    motion = edit.cut(motion, options.start, options.end)
    return _clamped(motion, notes)


def _clamped(motion: Motion, notes: list[str]) -> tuple[Motion, list[str]]:
    """Keep ARKit's controls within 0..1, where they are defined."""
    controls = np.isin(motion.expr_names, ARKIT_NAMES)
    within = np.where(controls, np.clip(motion.expr, 0, 1), motion.expr)
    outside = int((np.abs(within - motion.expr) > 1e-3).sum())
    if outside:
        notes.append(f"{outside} values of controls lay outside 0..1 and were brought to its ends.")
    return replace(motion, expr=within), notes


def _for_channels(motion: Motion, target: Target) -> tuple[Motion, list[str]]:
    """Leave out the channels that the avatar lacks; say so where they moved. FLAME's are the target model's now."""
    has = np.isin(motion.expr_names, target.control_names)
    lost = [
        name for name, there, moves in zip(motion.expr_names, has, motion.expr.any(0), strict=True) if moves > there
    ]
    names = tuple(name for name, there in zip(motion.expr_names, has, strict=True) if there)
    motion = replace(motion, expr=motion.expr[:, has], expr_names=names)
    if motion.head_model != "open":
        motion = replace(motion, head_model=target.head_model, head_model_hash=target.head_model_hash)
    return motion, [f"Channels that the avatar lacks were left out: {listed(lost)}."] if lost else []


def _own_flame(target: Target, options: RetargetOptions) -> HeadAssets:
    """Return the target's FLAME head from the named file.

    Errors: UsageError `motion.needs_head`, InputError `motion.other_head`.
    """
    if options.source_head is None:
        raise UsageError("motion.needs_head", "--as flame needs the avatar's FLAME model.", "Add --source-head FILE.")
    head = _flame(options.source_head)
    if head.content_hash != target.head_model_hash:
        message = f"{options.source_head.name} is not the FLAME model of the avatar."
        raise InputError("motion.other_head", message, "Name the file from which it was created.")
    return head


def _flame(path: Path) -> HeadAssets:
    return complete_flame(load_flame(path))
