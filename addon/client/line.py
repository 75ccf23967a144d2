"""One engine's process and the threads around it: one starts it and reads, one writes, one empties its standard error,
one watches that it lives. Nobody but these threads ever waits for the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Protocol

from likeness.contract.codec import CHUNK, Block, encode, read_message
from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error
from likeness.contract.messages import ANSWERS, PROTOCOL_VERSION, Cancel, Hello, JobFailed, Ping, Ready, Welcome

from ..children import OWN_GROUP, kill
from .failures import deaf, death, nonsense, not_found, other_version, own_version, readable, silent

GRACE = 4.0
"""Seconds that an engine has to end in when it is closed, before it is killed; its own grace for a job is 3."""
STRAGGLE = 1.0
"""Seconds to wait for a dead engine's exit code and its last words."""
STDERR_TAIL = 4096


class Listener(Protocol):
    """Whom a line reports to, in the line's own threads."""

    def heard(self, line: Line, message: object) -> None:
        """Take a message."""

    def failed(self, line: Line, error: LikenessError) -> None:
        """Take the reason why the line has ended; not called when it was closed."""


class Line:
    """One process and the threads around it; it reports to its client and is never used again once it has ended."""

    def __init__(self, command: list[str], silence: float, client: Listener) -> None:
        self._command = command
        self._silence = silence
        self._client = client
        self._process: subprocess.Popen | None = None
        self._changed = threading.Condition()
        self._outbox: deque[object] = deque()
        self._welcomed = self._ready = self._is_busy = False
        self._ended = threading.Event()
        """Set by whichever comes first: a failure, or being closed. Nothing is reported after it."""
        self._stderr = b""
        self._stderr_ended = threading.Event()
        self._last_sign = time.monotonic()

    def start(self) -> None:
        """Start the process, in a thread."""
        _in_thread(self._live)

    def send(self, message: object) -> None:
        """Leave a message for the writer."""
        with self._changed:
            self._outbox.append(message)
            self._changed.notify()

    def withdraw(self, id: int) -> None:
        """Take a request back, or have the engine cancel it if it is on its way already."""
        with self._changed:
            waiting = [message for message in self._outbox if type(message) in ANSWERS and message.id == id]
            if waiting:
                self._outbox.remove(waiting[0])
            else:
                self._outbox.append(Cancel(id))
            self._changed.notify()

    def close(self) -> None:
        """Close the engine's standard input, which ends it, and kill it if that takes too long."""
        self._end()
        try:
            _in_thread(self._see_off)
        except RuntimeError:  # the interpreter is at its end and starts no more threads
            self.kill()

    def kill(self) -> None:
        """End the process and its children now."""
        if self._process:
            kill(self._process)

    def _live(self) -> None:
        """Start the process, read until it has ended, and report why."""
        try:
            error = self._spawn() or self._read()
        except Exception as unforeseen:  # a full memory, for one; whoever waits for a job has to hear of it
            error = as_likeness_error(unforeseen)
        self._fail(error)
        if self._process:
            self._process.wait()
        _running.discard(self)

    def _spawn(self) -> LikenessError | None:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        try:
            self._process = subprocess.Popen(self._command, bufsize=0, **pipes, **OWN_GROUP)
        except (OSError, ValueError) as error:
            return not_found(self._command[0], getattr(error, "strerror", None) or str(error))
        _running.add(self)
        self._sign()
        with self._changed:
            self._outbox.appendleft(Hello(PROTOCOL_VERSION, own_version()))
        for work in (self._write, self._drain, self._watch):
            _in_thread(work)
        if self._ended.is_set():  # closed meanwhile
            self.kill()
        return None

    def _read(self) -> LikenessError:
        """Hand over messages until something is wrong, and return what."""
        with self._process.stdout as stdout:
            stream = _Incoming(stdout.fileno(), self._sign)
            try:
                while (message := read_message(stream)) is not None:
                    if wrong := self._receive(message):
                        return wrong
            except LikenessError as error:
                if error.code != "protocol.truncated":
                    return nonsense(self._command, error, self._welcomed)
        return self._died()

    def _receive(self, message: object) -> LikenessError | None:
        if isinstance(message, Welcome):
            if message.protocol != PROTOCOL_VERSION:
                return other_version(message)
            with self._changed:
                self._welcomed = True
                self._changed.notify()
        self._ready |= isinstance(message, Ready)
        self._is_busy = True
        self._client.heard(self, message)
        self._is_busy = False
        self._sign()
        return None

    def _write(self) -> None:
        """Send what is left in the outbox; this thread alone writes and closes the engine's standard input."""
        if hasattr(signal, "pthread_sigmask"):  # Blender, unlike Python, would be ended by a pipe that nobody reads
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
        with self._process.stdin as stdin, contextlib.suppress(OSError):
            while (message := self._next()) is not None:
                for piece in self._pieces(message):
                    self._put(stdin, memoryview(piece))
        if not self._ended.wait(STRAGGLE):  # an engine that has died says so itself
            self._fail(deaf())

    def _put(self, stdin: BinaryIO, rest: memoryview) -> None:
        while rest:
            written = stdin.write(rest[:CHUNK])
            rest = rest[written:]
            if written == CHUNK:  # as much as a pipe holds, so somebody reads; less may just lie there
                self._sign()

    def _next(self) -> object | None:
        """Wait for something to send; before Welcome that is Hello alone. None at the end."""
        with self._changed:
            while not self._ended.is_set():
                if self._outbox and (self._welcomed or isinstance(self._outbox[0], Hello)):
                    return self._outbox.popleft()
                self._changed.wait()
        return None

    def _pieces(self, message: object) -> list[Block]:
        try:
            return encode(message)
        except LikenessError as error:
            self._client.heard(self, JobFailed(message.id, error.code, error.message, error.remedy))
            return []

    def _drain(self) -> None:
        """Keep the end of what the engine says on standard error; were it not read, the engine would stop."""
        with self._process.stderr as stderr:
            while data := stderr.read(CHUNK):
                self._stderr = (self._stderr + data)[-STDERR_TAIL:]
        self._stderr_ended.set()

    def _watch(self) -> None:
        """Ping the engine, and fail when no byte has moved in either direction for too long."""
        pause = self._silence / 4
        before = time.monotonic()
        while not self._ended.wait(pause):
            now = time.monotonic()
            if self._is_busy or now - before > 2 * pause + 1:  # the answer is being used; this machine was asleep
                self._sign()
            before = now
            if now - self._last_sign > self._silence:
                self._fail(silent(self._silence))
            elif self._welcomed:
                self.send(Ping(0))

    def _sign(self) -> None:
        self._last_sign = time.monotonic()

    def _fail(self, error: LikenessError) -> None:
        """End the process and report the error, unless it was closed or has failed before."""
        if self._end():
            self._client.failed(self, error)
        self.kill()

    def _end(self) -> bool:
        """Mark the end, which makes the writer close the engine's standard input; return whether this is the first."""
        with self._changed:
            is_first = not self._ended.is_set()
            self._ended.set()
            self._changed.notify()
        return is_first

    def _see_off(self) -> None:
        if self._process:  # else _spawn sees to it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
            self.kill()

    def _died(self) -> LikenessError:
        """Say how the process ended, with the last line it left on standard error."""
        self._is_busy = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STRAGGLE)
        self._stderr_ended.wait(STRAGGLE)
        lines = [line for line in self._stderr.decode(errors="replace").splitlines() if line.strip()]
        last = readable(lines[-1]).removeprefix("error: ") if lines else ""
        return death(self._process.poll(), last, self._ready)


class _Incoming:
    """The engine's standard output as the codec reads it; tells of every sign of life."""

    def __init__(self, descriptor: int, sign: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._sign = sign
        self._ahead = b""

    def peek(self, count: int) -> bytes:
        """Return what has arrived without taking it; waits for the first byte, empty at the end."""
        if not self._ahead:
            self._ahead = os.read(self._descriptor, CHUNK)
            self._sign()
        return self._ahead

    def read1(self, count: int) -> bytes:
        """Take at most `count` bytes of what has arrived; empty at the end."""
        data = self.peek(count)
        self._ahead = data[count:]
        return data[:count]


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name=f"likeness-engine-{work.__name__.strip('_')}", daemon=True).start()


_running: set[Line] = set()


@atexit.register
def _kill_all() -> None:
    for line in list(_running):
        line.kill()
