"""Progress on standard error: a bar where a person watches, a line per stage where a log does."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

BAR_WIDTH = 24


class TerminalProgress:
    """Draws one bar per stage; use it in a `with` block, which ends the bar's line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._draws_bar = self._stream.isatty()
        self._stage = ""
        self._started = time.monotonic()

    def __enter__(self) -> TerminalProgress:
        """Begin without drawing anything yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the bar's line, however the work ended."""
        self._end_line()

    def update(self, stage: str, fraction: float) -> None:
        """Show that `stage` is done to `fraction` (0..1)."""
        if stage != self._stage:
            self._end_line()
            self._stage, self._started = stage, time.monotonic()
            if not self._draws_bar:
                print(stage, file=self._stream, flush=True)
        if self._draws_bar:
            self._draw(min(max(fraction, 0.0), 1.0))

    def _draw(self, fraction: float) -> None:
        filled = round(fraction * BAR_WIDTH)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        seconds = time.monotonic() - self._started
        line = f"{self._stage[:30]:<30} {bar} {fraction:4.0%} {seconds:5.1f} s"
        columns = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:columns]}\x1b[K", end="", file=self._stream, flush=True)

    def _end_line(self) -> None:
        if self._draws_bar and self._stage:
            print(file=self._stream, flush=True)
        self._stage = ""
