"""The engine at work on a performance's file, for the operator that waits for it; the work's thread runs this."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import bpy
import numpy as np
from bpy.types import Object

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import LikenessError
from likeness.contract.messages import (
    DescribePerformance,
    FrameTracked,
    PerformanceDescribed,
    PerformanceRetargeted,
    RetargetPerformance,
)
from likeness.contract.motion import Motion, motion_from_bytes

from ..client import EngineClient, EngineState, Job
from ..performance_properties import REGIONS, PerformanceOptions
from ..scene import find
from ..scene.preview import Preview
from .work import Work

STAGES = {
    "read": ("Reading the file", 0.0, 0.0),
    "following the face": ("Following the face", 0.0, 0.6),
    "identity": ("Fitting the head", 0.6, 0.65),
    "frames": ("Fitting every frame", 0.65, 0.85),
    "pictures": ("Comparing the pictures", 0.85, 1.0),
    "retarget": ("Retargeting", 1.0, 1.0),
}
"""What the engine's stages are called here, and the part of a video's whole that each takes."""
PAUSE = 0.05
GAP = 1.0
"""Seconds without a frame after which playback goes on at once: frames were left out."""
T = TypeVar("T")


@dataclass(frozen=True)
class Received:
    """What the engine made of a file."""

    described: PerformanceDescribed
    motion: Motion
    notes: tuple[str, ...]


class Receiving(Work[Received]):
    """The engine at work on a file, with the frames that it has found and that nobody has taken yet."""

    def __init__(self, do: Callable[[Receiving], Received], preview: Preview) -> None:
        """Start; `preview` is to show the frames."""
        self.frames: deque[FrameTracked] = deque()
        self.preview = preview
        super().__init__(do)


class Playback:
    """Frames at the video's own speed: the engine finds many at once, then none for a while."""

    def __init__(self) -> None:
        self._began: float | None = None
        """When the video's second 0 would have been shown; None while there is nothing to show."""

    def take(self, frames: deque[FrameTracked], now: float) -> FrameTracked | None:
        """Take the frames that are due at a time (seconds), and return the last of them; None if none is."""
        if frames and (self._began is None or frames[0].seconds > now - self._began + GAP):
            self._began = now - frames[0].seconds
        due = None
        while frames and frames[0].seconds <= now - self._began:
            due = frames.popleft()
        if not frames:
            self._began = None
        return due


def request_for(options: PerformanceOptions, mesh: Object) -> RetargetPerformance:
    """Ask for the motion. A gain that is not 1 is sent, the others are the engine's."""
    gains = {region: getattr(options, f"gain_{region}") for region in REGIONS}
    gains = {region: gain for region, gain in gains.items() if gain != 1}
    return RetargetPerformance(
        id=0,
        path=bpy.path.abspath(options.filepath),
        control_names=tuple(key.name for key in find.controls(mesh)),
        head_model=mesh.likeness.head_model,
        head_model_hash=mesh.likeness.head_model_hash,
        start=options.start,
        end=options.end or None,
        fps=options.fps or None,
        source_head=bpy.path.abspath(options.source_head) if options.source_head else None,
        neutral=options.neutral,
        neutral_at=options.neutral_at,
        smoothing=options.smoothing,
        strength=options.strength,
        mirror=options.mirror,
        head_motion=options.head_motion,
        regions=tuple(gains),
        gains=tuple(gains.values()),
        performer=options.performer or None,
    )


def receive(work: Receiving, client: EngineClient, request: RetargetPerformance) -> Received:
    """Have the engine describe and retarget a file; runs in the work's thread."""
    described = _wait(work, client, client.submit(DescribePerformance(0, request.path)))
    motion, notes = _wait(work, client, client.submit(request, _read))
    return Received(described, motion, notes)


def _read(answer: PerformanceRetargeted) -> tuple[Motion, tuple[str, ...]]:
    return motion_from_bytes(answer.motion, "The engine's answer"), answer.notes


def _wait(work: Receiving, client: EngineClient, job: Job[T]) -> T:
    """Return a job's result, taking over its progress and frames; a cancelled work cancels it."""
    while not job.wait(PAUSE):
        if work.cancelled:
            client.cancel(job)
        work.frames = job.frames
        if client.status.state == EngineState.STARTING:
            work.stage = "Starting the engine"
        else:
            work.stage, start, end = STAGES.get(job.stage or "read", (job.stage.capitalize(), 0.0, 1.0))
            work.fraction = start + (end - start) * job.fraction
    if job.error:
        raise in_blenders_words(job.error)
    return job.result


def motion_of(frame: FrameTracked) -> Motion:
    """Return a frame as a performance."""
    pose = frame.pose.astype(np.float32)
    return Motion(
        times=np.zeros(1),
        expr=frame.controls[None].astype(np.float32),
        rotation=pose[None, 0],
        neck_pose=pose[None, 1],
        jaw_pose=pose[None, 2],
        eyes_pose=pose[3:].reshape(1, 6),
        translation=np.zeros((1, 3), np.float32),
        observed=np.ones(1, np.uint8),
        fps=1.0,
        head_model="open",
        head_model_hash="",
        expr_names=ARKIT_NAMES,
    )


def in_blenders_words(error: LikenessError) -> LikenessError:
    """Return an engine's error without the command line's options in it."""
    words = {": --source-head FILE": " as FLAME File", "Add --source-head FILE": "Choose it as FLAME File"}
    remedy = error.remedy
    for option, name in words.items():
        remedy = remedy.replace(option, name)
    return type(error)(error.code, error.message, remedy)
