"""One child process after the other, each line of which is kept, and which any thread can end at once."""

from __future__ import annotations

import io
import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..children import OWN_GROUP, kill
from . import problems

_PASSWORD = re.compile(r"//[^/@\s]+@")
"""In the address of a studio's mirror or proxy; neither the log, which people send around, nor a panel may show it."""
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON", "UV_SYSTEM_PYTHON")
"""What another program's Python wants of its children, and ours must not hear."""


@dataclass(frozen=True)
class Outcome:
    """How a child process ended, and what it said."""

    code: int
    lines: list[str]


class Runner:
    """Runs children in the caller's thread."""

    def __init__(self, folder: Path, on_line: Callable[[str], None]) -> None:
        self._folder = folder
        self._log: TextIO = io.StringIO()
        self._on_line = on_line
        self._lock = threading.Lock()
        self._cancelled = False
        self._child: subprocess.Popen | None = None

    def write_to(self, log: TextIO) -> None:
        """Keep what is said in a file from now on."""
        self._log = log

    def run(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> Outcome:
        """Run a command to its end. Raises setup.cancelled."""
        words = [str(word) for word in command]
        self._log.write(f"\n$ {subprocess.list2cmdline(words)}\n")
        with self._start(words, environment) as child:
            lines = [self._keep(line) for line in child.stdout]
        self.check()
        return Outcome(child.returncode, lines)

    def check(self) -> None:
        """Raise setup.cancelled if that was asked for."""
        if self._cancelled:
            raise problems.cancelled()

    def cancel(self) -> None:
        """End the child that runs, with all of its children, and start no other."""
        with self._lock:
            self._cancelled = True
            if self._child:
                kill(self._child)

    def _start(self, words: list[str], environment: Mapping[str, str]) -> subprocess.Popen:
        with self._lock:
            self.check()
            self._child = subprocess.Popen(
                words,
                cwd=self._folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                **OWN_GROUP,
            )
            return self._child

    def _keep(self, line: str) -> str:
        line = line.rstrip()
        shown = _PASSWORD.sub("//***@", line)
        self._log.write(f"{shown}\n")
        self._log.flush()
        self._on_line(shown)
        return line


def clean_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment for a child, without what would lead it astray and with what is given."""
    inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**inherited, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **own}
