"""The engine at work on a performance's file, for the operator that waits for it; the work's thread runs this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

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
from .work import Work

STAGES = {
    "read": ("Reading the file", 0.0, 0.0),
    "following the face": ("Following the face", 0.0, 0.6),
    "identity": ("Fitting the head", 0.6, 0.65),
    "frames": ("Fitting every frame", 0.65, 1.0),
    "retarget": ("Retargeting", 1.0, 1.0),
}
"""What the engine's stages are called here, and the part of a video's whole that each takes."""
PAUSE = 0.05
T = TypeVar("T")


@dataclass(frozen=True)
class Received:
    """What the engine made of a file."""

    described: PerformanceDescribed
    motion: Motion
    notes: tuple[str, ...]


class Receiving(Work[Received]):
    """The engine at work on a file, with the newest frame that it has found."""

    frame: FrameTracked | None = None


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
        work.frame = job.frame
        if client.status.state == EngineState.STARTING:
            work.stage = "Starting the engine"
        else:
            work.stage, start, end = STAGES.get(job.stage or "read", (job.stage.capitalize(), 0.0, 1.0))
            work.fraction = start + (end - start) * job.fraction
    if job.error:
        raise in_blenders_words(job.error)
    return job.result


def in_blenders_words(error: LikenessError) -> LikenessError:
    """Return an engine's error without the command line's options in it."""
    words = {": --source-head FILE": " as FLAME File", "Add --source-head FILE": "Choose it as FLAME File"}
    remedy = error.remedy
    for option, name in words.items():
        remedy = remedy.replace(option, name)
    return type(error)(error.code, error.message, remedy)
