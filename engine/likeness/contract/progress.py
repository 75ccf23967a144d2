"""How long work tells how far it is, and how it is told to stop."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Receives the stages of a long job, in order.

    A receiver cancels the job by raising `Cancelled` (or KeyboardInterrupt) from `update`.
    """

    def update(self, stage: str, fraction: float) -> None:
        """Report that `stage` (a short human name) is done to `fraction` in 0..1."""


class Cancelled(Exception):
    """The person stopped the job; nothing went wrong."""


class SilentProgress:
    """Ignores every report; the default of the library functions."""

    def update(self, stage: str, fraction: float) -> None:
        """Ignore the report."""
