"""Errors that reach a person: what happened, and what to do about it.

Every failure that a user can cause or cure is raised as one of these. The command line prints it as
`error: CODE: what happened. What to do.` and leaves with its exit code; the add-on shows the same words.
"""

from __future__ import annotations


class LikenessError(Exception):
    """A failure with a stable code, a message and a remedy, both one plain sentence ending in a full stop."""

    exit_code = 4

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{code}: {message} {remedy}")
        self.code = code
        self.message = message
        self.remedy = remedy


class UsageError(LikenessError):
    """The command or the call was put together wrongly."""

    exit_code = 2


class InputError(LikenessError):
    """The input cannot be used as it is (a picture without a face, a truncated file)."""

    exit_code = 3


class MachineError(LikenessError):
    """The machine cannot do it (no CUDA device, a full disk, a missing program)."""

    exit_code = 4
