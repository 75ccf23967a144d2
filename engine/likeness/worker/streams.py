"""The engine's end of the line: standard input and output, kept clear of what libraries print."""

from __future__ import annotations

import os
import sys
import threading
from typing import BinaryIO

from likeness.contract.codec import encode


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return standard input and an unbuffered standard output for messages alone.

    Descriptor 0 becomes empty and descriptor 1 standard error, so that neither a library's print (from C too) nor a
    child process gets into the conversation.
    """
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


class Sender:
    """Sends messages from any thread, each whole; once the client has gone, `gone` is set and nothing is sent."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self.gone = threading.Event()

    def send(self, message: object) -> None:
        """Send one message. Errors: MachineError `protocol.*` for a message outside the rules."""
        pieces = encode(message)
        with self._lock:
            try:
                for piece in pieces:
                    self._write(memoryview(piece))
            except OSError:
                self.gone.set()

    def _write(self, rest: memoryview) -> None:
        while rest and not self.gone.is_set():
            rest = rest[self._stream.write(rest) :]
