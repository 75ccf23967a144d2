"""One job at a time, in order, in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable

from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error
from likeness.contract.messages import JobCancelled, JobFailed, JobProgress
from likeness.contract.progress import Cancelled
from likeness.worker import jobs
from likeness.worker.streams import Sender


class Job:
    """A request on its way; the job's own Progress, which relays every report and stops a cancelled job."""

    def __init__(self, request: object, sender: Sender) -> None:
        self.request = request
        self.id: int = request.id
        self._sender = sender
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Let the next report stop the job."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise Cancelled if the job was cancelled, or nobody is left to hear of it."""
        if self._cancelled.is_set() or self._sender.gone.is_set():
            raise Cancelled

    def update(self, stage: str, fraction: float) -> None:
        """Tell the client how far the job is. Errors: Cancelled."""
        self.check()
        self._sender.send(JobProgress(self.id, stage, min(max(float(fraction), 0.0), 1.0)))

    def send(self, message: object) -> None:
        """Send what there is to show on the way. Errors: Cancelled."""
        self.check()
        self._sender.send(message)


class Runner:
    """The thread that loads the engine and then does the jobs; its methods are called from the reading thread."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._open: dict[int, Job] = {}
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="likeness-jobs", daemon=True)

    def start(self) -> None:
        """Begin to load, if that has not begun; jobs wait for it."""
        if not self._thread.ident:
            self._thread.start()

    def add(self, request: object) -> None:
        """Put a job at the end of the queue."""
        job = Job(request, self._sender)
        with self._lock:
            self._open[job.id] = job
        self._queue.put(job)

    def cancel(self, id: int) -> None:
        """Stop a job at its next report, or when its turn comes; one that has ended is left alone."""
        with self._lock:
            job = self._open.get(id)
        if job:
            job.cancel()

    def stop(self) -> None:
        """Cancel everything and wait until the thread has ended."""
        with self._lock:
            for job in self._open.values():
                job.cancel()
        self._queue.put(None)
        if self._thread.ident:
            self._thread.join()

    def _work(self) -> None:
        _or_leave(jobs.load, self._sender.send)
        # What fails here fails again in a job, which tells it.
        with contextlib.suppress(Exception):
            jobs.warm_up()
        while (job := self._queue.get()) is not None:
            answer = _answer(job)
            with self._lock:
                self._open.pop(job.id, None)
            self._tell(job, answer)

    def _tell(self, job: Job, answer: object) -> None:
        """Send the answer, or that it cannot be sent: whoever waits for it has to hear, and the next job to begin."""
        try:
            self._sender.send(answer)
        except LikenessError as error:
            self._sender.send(_failed(job, error))


def _answer(job: Job) -> object:
    """Do the job and return what to say: its result, JobFailed or JobCancelled."""
    try:
        job.check()
        answer = jobs.JOBS[type(job.request)](job.request, job)
        job.check()
    except Cancelled:
        return JobCancelled(job.id)
    # A job may fail in any way (a library may even call sys.exit); the process goes on and the client hears of it.
    except (Exception, SystemExit) as error:
        return _failed(job, as_likeness_error(error))
    return answer


def _failed(job: Job, error: LikenessError) -> JobFailed:
    return JobFailed(job.id, error.code, error.message, error.remedy)


def _or_leave(load: Callable[[], object], then: Callable[[object], None]) -> None:
    """Load; an engine that cannot is of no use, so it ends with the reason as the last line of standard error."""
    try:
        ready = load()
    except (Exception, SystemExit) as error:
        failure: LikenessError = as_likeness_error(error)
        print(f"error: {' '.join(str(failure).split())}", file=sys.stderr, flush=True)
        os._exit(failure.exit_code)
    then(ready)
