"""The client with the real engine: creates from a photograph, and is killed in the middle of everything."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import skimage
from addon.client import EngineClient, EngineState, line

from likeness.contract.avatar_file import avatar_from_bytes
from likeness.contract.messages import CreateAvatar

PHOTOGRAPH = Path(skimage.__file__).parent / "data" / "astronaut.png"
STAGES = ("read", "matte", "fit", "lift", "refine")
PATIENCE = 120.0
LONGEST_CALL = 0.25
LONGEST_GAP = 1.0
"""Seconds: a busy machine may take a thread's core away for this long; measured are 0.4 ms and, with or without an
engine at work on two cores, 60 ms."""


class Caller:
    """Stands for Blender's main thread: calls the client, waits by looking, and notes how long any call took."""

    def __init__(self) -> None:
        self.client = EngineClient([sys.executable, "-m", "likeness.cli", "serve"])
        self.longest = 0.0
        self.gap = 0.0
        """The longest that this thread was held between two looks, beyond its own sleep."""

    def timed(self, call, *arguments):
        began = time.perf_counter()
        result = call(*arguments)
        self.longest = max(self.longest, time.perf_counter() - began)
        return result

    def create(self):
        request = CreateAvatar(0, PHOTOGRAPH.read_bytes(), PHOTOGRAPH.name, "draft", "open", None, "cpu", 0)
        return self.timed(self.client.submit, request)

    def until(self, condition) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.client.status
            began = time.perf_counter()
            time.sleep(0.002)
            self.gap = max(self.gap, time.perf_counter() - began - 0.002)

    def kill(self) -> None:
        """Kill the engine as a full memory would, and see that the caller hears of it once, and readably."""
        self.until(lambda: self.client._line._process is not None)
        os.kill(self.client._line._process.pid, signal.SIGKILL)
        self.until(lambda: self.client.status.state is EngineState.FAILED)
        error = self.client.status.error
        assert error.code == "engine.died" and "SIGKILL" in error.message
        assert str(error).isprintable() and error.message.endswith(".") and error.remedy.endswith(".")


@pytest.fixture
def caller():
    caller = Caller()
    yield caller
    caller.timed(caller.client.close)
    assert caller.longest < LONGEST_CALL


def test_killed_at_every_stage_it_starts_again_and_creates(caller, monkeypatch):
    moments = {
        "start": lambda job: True,
        "welcome": lambda job: caller.client.status.software,
        **{stage: lambda job, stage=stage: job.stage == stage for stage in STAGES},
    }
    for moment, arrived in moments.items():
        caller.timed(caller.client.start)
        job = caller.create()
        caller.until(lambda job=job, arrived=arrived: arrived(job))
        assert not job.done, moment
        caller.kill()
        assert job.error is caller.client.status.error and job.result is None, moment

    half_read, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(line._Incoming, "read1", stop_within("AvatarCreated", half_read, go_on))
    caller.timed(caller.client.start)
    job = caller.create()
    caller.until(half_read.is_set)
    os.kill(caller.client._line._process.pid, signal.SIGKILL)
    go_on.set()
    caller.until(lambda: job.done)
    assert job.error.code == "engine.died" and "SIGKILL" in job.error.message

    monkeypatch.undo()
    caller.timed(caller.client.start)
    job = caller.create()
    caller.until(lambda: job.done)
    assert job.error is None
    avatar = avatar_from_bytes(job.result.avatar, Path("astronaut.likeness"))
    assert len(avatar.gaussians.triangle) > 20_000 and [text for text in job.result.warnings if "pixels wide" in text]
    cancelled = caller.create()
    caller.until(lambda: cancelled.stage)
    caller.timed(caller.client.cancel, cancelled)
    assert cancelled.done and cancelled.cancelled and caller.client.status.state is EngineState.READY
    assert caller.gap < LONGEST_GAP


def stop_within(name: str, half_read: threading.Event, go_on: threading.Event):
    """Return a read1 that waits once the beginning of a message has been read."""
    original = line._Incoming.read1

    def read1(self, count):
        data = original(self, count)
        if f'"type": "{name}"'.encode() in data:
            half_read.set()
            go_on.wait(PATIENCE)
        return data

    return read1
