"""One Blender at a time in an engine's folder; the operating system frees the lock of a process that has died."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from . import problems
from .state import LOCK

if os.name == "nt":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder. Errors: setup.busy; OSError where the folder cannot be written."""
    with (folder / LOCK).open("ab") as file:
        try:
            _take(file)
        except (BlockingIOError, PermissionError) as error:
            raise problems.busy() from error
        yield
