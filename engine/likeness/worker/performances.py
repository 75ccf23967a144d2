"""Performances' files on this machine's disk: what they hold, and the motion that they are for an avatar."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from likeness.contract.errors import InputError, UsageError
from likeness.contract.messages import (
    DescribePerformance,
    FrameTracked,
    PerformanceDescribed,
    PerformanceRetargeted,
    RetargetPerformance,
)
from likeness.contract.motion import motion_to_bytes
from likeness.contract.progress import Progress

if TYPE_CHECKING:
    from likeness.avatar.retarget import RetargetOptions

NEUTRALS = ("auto", "at", "off")
SMOOTHINGS = ("none", "one-euro", "savgol")
PREVIEW_STEP = 1 / 15
"""Least seconds of a video between two frames that are sent for a preview."""
ROUNDING = 1e-3
"""Seconds by which times of a file may be off."""


class Relay(Progress, Protocol):
    """A job's progress, which also takes messages on the way to its answer."""

    id: int

    def send(self, message: object) -> None:
        """Send a message to the client."""


def describe(request: DescribePerformance, progress: Progress) -> PerformanceDescribed:
    """Say what a file holds. Errors: InputError `performance.unseen`, and as `describe` of the file."""
    from likeness.avatar.describe import describe as describe_file

    found = describe_file(_seen(request.path))
    return PerformanceDescribed(
        request.id,
        found.kind,
        float(found.seconds),
        float(found.fps),
        int(found.frames),
        tuple(found.holds),
        bool(found.has_sound),
        tuple(found.notes),
    )


def retarget(request: RetargetPerformance, progress: Relay) -> PerformanceRetargeted:
    """Turn a file into a motion for an avatar; frames of a video are shown on the way.

    Errors: InputError `performance.unseen`; UsageError `usage`; and as `retarget` of the file.
    """
    from likeness.avatar import retarget as verbs

    target = verbs.Target(request.control_names, request.head_model, request.head_model_hash)
    shown = _Preview(request.id, progress)
    done = verbs.retarget(
        _seen(request.path), target, options=_options(request), progress=progress, on_frame=shown.show
    )
    return PerformanceRetargeted(request.id, motion_to_bytes(done.motion), tuple(done.notes))


def _options(request: RetargetPerformance) -> RetargetOptions:
    """Return the request's options. Errors: UsageError `usage`."""
    from likeness.avatar.retarget import RetargetOptions

    for what, value, known in (
        ("neutral", request.neutral, NEUTRALS),
        ("smoothing", request.smoothing, SMOOTHINGS),
    ):
        if value not in known:
            raise UsageError("usage", f"There is no {what} '{value[:40]}'.", f"Choose one of {', '.join(known)}.")
    if len(request.regions) != len(request.gains):
        raise UsageError("usage", "The gains do not fit the regions.", "Give one for each.")
    return RetargetOptions(
        start=request.start,
        end=request.end,
        neutral=request.neutral,
        neutral_at=request.neutral_at,
        gains=dict(zip(request.regions, request.gains, strict=True)),
        mirror=request.mirror,
        smoothing=request.smoothing,
        strength=request.strength,
        head_motion=request.head_motion,
        fps=request.fps,
        source_head=Path(request.source_head) if request.source_head else None,
        performer=request.performer,
    )


class _Preview:
    """Sends provisional frames, but no more than a preview shows: many are found at once, and it plays them."""

    def __init__(self, id: int, relay: Relay) -> None:
        self._id, self._relay = id, relay
        self._next = -inf

    def show(self, seconds: float, controls: np.ndarray, pose: np.ndarray) -> None:
        """Send a frame unless one that is close before it has been sent."""
        if seconds >= self._next:
            self._next = seconds + PREVIEW_STEP - ROUNDING
            frame = (np.asarray(controls, np.float32), np.asarray(pose, np.float32))
            self._relay.send(FrameTracked(self._id, float(seconds), *frame))


def _seen(path: str) -> Path:
    """Return the file's path. Errors: InputError `performance.unseen` where this machine has no such file."""
    found = Path(path)
    if not path or "\0" in path or not found.exists():
        raise InputError(
            "performance.unseen",
            f"The engine sees no file {found.name or path}.",
            "Check the path; an engine on another machine needs the file on its own disk, under the same path.",
        )
    return found
