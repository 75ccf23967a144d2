"""The `likeness` command: parses, runs one subcommand, and ends every failure in one readable line.

Nothing heavy is imported here; a command imports what it needs when it runs, after the threads are configured.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from likeness.cli import create, doctor, export, info, render, retarget, serve, sheet, track
from likeness.contract.errors import LikenessError, UsageError
from likeness.contract.failures import as_likeness_error
from likeness.contract.progress import Cancelled
from likeness.geometry.threads import configure_threads

COMMANDS = (create, track, retarget, render, sheet, export, info, doctor, serve)
STOPPED = 130
"""What a shell reports for a program that Ctrl-C ended (128 + SIGINT)."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are UsageErrors."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        # argparse takes `-30,10` for an option unless it counts as a negative number.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        """Raise the complaint instead of leaving the process."""
        raise UsageError("usage", f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"See `{self.prog} --help`.")


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="likeness", description="Turn one portrait photograph into an animatable 3D Gaussian head.")
    parser.add_argument("--version", action="version", version=f"likeness {version('likeness')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 usage, 3 input, 4 machine, 130 stopped."""

    def work() -> None:
        parsed = build_parser().parse_args(arguments)
        parsed.run(parsed)

    return guarded(work)


def guarded(work: Callable[[], None]) -> int:
    """Do the work and return the exit code, with every failure told in one line on standard error."""
    configure_threads()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # File names need not be valid text; they are printed as they are.
    sys.stdout.reconfigure(errors="surrogateescape")
    try:
        work()
        sys.stdout.flush()
    except (KeyboardInterrupt, Cancelled):
        print("stopped, nothing was written", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader of our output has gone (`likeness info ... | head`); keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        return _report(as_likeness_error(error))
    return 0


def _report(error: LikenessError) -> int:
    if os.environ.get("LIKENESS_DEBUG") == "1":
        traceback.print_exception(error)
    line = f"error: {error.code}: {error.message} {error.remedy}"
    print(" ".join(line.splitlines()), file=sys.stderr)
    return error.exit_code
