"""Engine clients and jobs: what the rest of the add-on deals with."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error
from likeness.contract.messages import ANSWERS, FrameTracked, JobCancelled, JobFailed, JobProgress, Ready, Welcome

from .failures import readable, stopped
from .line import Line

T = TypeVar("T")
MOST_FRAMES = 600
RESULTS = tuple(ANSWERS.values())
LAST = (*RESULTS, JobFailed, JobCancelled)
"""What ends a job."""


class EngineState(StrEnum):
    """Where the engine stands."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True)
class EngineStatus:
    """What a panel shows of the engine; strings are empty until they are known."""

    state: EngineState = EngineState.STOPPED
    software: str = ""
    device: str = ""
    device_name: str = ""
    error: LikenessError | None = None


class Job(Generic[T]):
    """A request on its way. Once `done`, it has a result, an error, or was cancelled."""

    def __init__(self, id: int, then: Callable[[object], T]) -> None:
        self.id = id
        self.stage = ""
        self.fraction = 0.0
        self.frames: deque[FrameTracked] = deque(maxlen=MOST_FRAMES)
        """Frames that came on the way, until somebody takes them; the oldest give way to more."""
        self.result: T | None = None
        self.error: LikenessError | None = None
        self.cancelled = False
        self._then = then
        self._done = threading.Event()
        self._ending = threading.Lock()

    @property
    def done(self) -> bool:
        """Whether the job has ended, in whichever way."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended, at most `timeout` seconds, and say whether it has; for scripts."""
        return self._done.wait(timeout)

    def end(self, *, result: T | None = None, error: LikenessError | None = None, cancelled: bool = False) -> None:
        """End the job, from any thread; the first end counts."""
        with self._ending:
            if not self._done.is_set():
                self.result, self.error, self.cancelled = result, error, cancelled
                self._done.set()

    def work_up(self, answer: object) -> None:
        """Make the result of the engine's answer, in the reader's thread."""
        try:
            self.end(result=self._then(answer))
        # What is done with the answer may fail in any way, and whoever waits has to hear of it.
        except Exception as failure:
            self.end(error=as_likeness_error(failure))


class EngineClient:
    """One engine: started, spoken to, watched, and started again when it has failed."""

    def __init__(self, command: Sequence[str], *, silence: float = 30.0) -> None:
        """Remember the command; an engine that is silent for `silence` seconds counts as hung."""
        self._command = list(command)
        self._silence = silence
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._status = EngineStatus()
        self._line: Line | None = None

    @property
    def status(self) -> EngineStatus:
        """Where the engine stands."""
        return self._status

    def start(self) -> None:
        """Start the engine, unless it is starting or ready; returns at once."""
        with self._lock:
            if self._line:
                return
            self._status = EngineStatus(EngineState.STARTING)
            self._line = Line(self._command, self._silence, self)
            self._line.start()

    def submit(self, request: object, then: Callable[[object], T] = lambda answer: answer) -> Job[T]:
        """Send a request, which gets an id, and return its job at once; `then` makes the result of the answer.

        Requests are the keys of `messages.ANSWERS`. `then` runs in the reader's thread. Without a running engine the
        job has ended, with the engine's error.
        """
        job: Job[T] = Job(next(self._ids), then)
        with self._lock:
            if self._line:
                self._jobs[job.id] = job
                self._line.send(replace(request, id=job.id))
                return job
            error = self._status.error or stopped()
        job.end(error=error)
        return job

    def cancel(self, job: Job) -> None:
        """End the job at once; the engine stops working on it as soon as it can."""
        with self._lock:
            if self._jobs.pop(job.id, None) and self._line:
                self._line.withdraw(job.id)
        job.end(cancelled=True)

    def close(self) -> None:
        """Stop the engine; returns at once, and the process is killed if it does not end in time."""
        with self._lock:
            line, self._line = self._line, None
            self._status = EngineStatus()
            jobs = self._take_jobs()
        if line:
            line.close()
        for job in jobs:
            job.end(error=stopped())

    def _take_jobs(self) -> list[Job]:
        jobs, self._jobs = list(self._jobs.values()), {}
        return jobs

    def heard(self, line: Line, message: object) -> None:
        """Take what an engine said, in the reader's thread; one that is no longer ours is not listened to."""
        with self._lock:
            if line is not self._line:
                return
            if isinstance(message, Welcome):
                self._status = replace(self._status, software=message.software)
            elif isinstance(message, Ready):
                ready = {"device": message.device, "device_name": message.device_name}
                self._status = replace(self._status, state=EngineState.READY, **ready)
            is_last = isinstance(message, LAST)
            id = getattr(message, "id", None)
            job = self._jobs.pop(id, None) if is_last else self._jobs.get(id)
        if job:
            _tell(job, message)

    def failed(self, line: Line, error: LikenessError) -> None:
        """Take an engine's failure: every open job gets it."""
        with self._lock:
            if line is not self._line:
                return
            self._line = None
            self._status = replace(self._status, state=EngineState.FAILED, error=error)
            jobs = self._take_jobs()
        for job in jobs:
            job.end(error=error)


def _tell(job: Job, message: object) -> None:
    if isinstance(message, JobProgress):
        job.stage, job.fraction = message.stage, message.fraction
    elif isinstance(message, FrameTracked):
        job.frames.append(message)
    elif isinstance(message, JobFailed):
        job.end(error=LikenessError(message.code, readable(message.message), readable(message.remedy)))
    elif isinstance(message, JobCancelled):
        job.end(cancelled=True)
    elif isinstance(message, RESULTS):
        job.work_up(message)
