"""The conversation: reads messages, answers at once what can be answered at once, and leaves jobs to the runner."""

from __future__ import annotations

import faulthandler
import os
import platform
import signal
import threading
from importlib.metadata import version
from typing import BinaryIO, NoReturn

from likeness.contract.codec import read_message
from likeness.contract.errors import MachineError
from likeness.contract.messages import PROTOCOL_VERSION, Cancel, Hello, Ping, Pong, Welcome
from likeness.worker.jobs import JOBS
from likeness.worker.runner import Runner
from likeness.worker.streams import Sender, take_standard_streams

GRACE = 3
"""Seconds that a job has to stop in once the client has gone."""
WAITS_FOR_SIGNALS = hasattr(signal, "sigwait")
"""Not on Windows, where terminating a process does not ask it."""


def serve() -> None:
    """Serve the client on standard input and output until it has gone. Errors: MachineError `protocol.*`."""
    # Ctrl-C in the terminal that started Blender is not meant for the engine.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if WAITS_FOR_SIGNALS:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    incoming, outgoing = take_standard_streams()
    sender = Sender(outgoing)
    runner = Runner(sender)
    if WAITS_FOR_SIGNALS:
        threading.Thread(target=_end_at_sigterm, args=(runner,), name="likeness-sigterm", daemon=True).start()
    try:
        converse(incoming, sender, runner)
    finally:
        _end_within(GRACE)
        runner.stop()


def converse(incoming: BinaryIO, sender: Sender, runner: Runner) -> None:
    """Answer messages until the stream ends. Errors: MachineError `protocol.*`."""
    while (message := read_message(incoming)) is not None:
        if isinstance(message, Hello):
            sender.send(Welcome(PROTOCOL_VERSION, version("likeness"), platform.python_version()))
            runner.start()
        elif isinstance(message, Ping):
            sender.send(Pong(message.id))
        elif isinstance(message, Cancel):
            runner.cancel(message.id)
        elif type(message) in JOBS:
            runner.add(message)
        else:
            name = type(message).__name__
            raise MachineError("protocol.malformed", f"A {name} is for the client.", "Send requests only.")


def _end_at_sigterm(runner: Runner) -> NoReturn:
    """Wait for SIGTERM and end the process. A handler would not do: a signal that comes just before the main thread
    blocks in its read stays unnoticed until the next message.
    """
    signal.sigwait({signal.SIGTERM})
    _end_within(GRACE)
    runner.stop()
    os._exit(0)


def _end_within(seconds: float) -> None:
    """End the process in any case: a watchdog outside Python, so that neither a job nor an exit handler can hold it."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=os.open(os.devnull, os.O_WRONLY))
