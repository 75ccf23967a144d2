"""What can be wrong with an engine's process, in words for a person in Blender."""

from __future__ import annotations

import signal
import tomllib
from functools import lru_cache
from pathlib import Path

from likeness.contract.errors import LikenessError, MachineError
from likeness.contract.messages import PROTOCOL_VERSION, Welcome

NOT_FOUND_CODES = (126, 127)
"""What a shell, also one at the other end of ssh, exits with when there is no such program."""
START_AGAIN = "Start the engine again."
SET_UP = "Set up the engine, or name another one in the preferences."


def readable(text: str) -> str:
    """Return one line of at most 300 printable characters, for a report in Blender."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)[:300]


@lru_cache
def own_version() -> str:
    """Return the add-on's version, as its manifest says it."""
    manifest = Path(__file__).resolve().parents[2] / "blender_manifest.toml"
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]


def not_found(program: str, reason: str) -> LikenessError:
    """The command cannot be run."""
    return MachineError("engine.not_found", f"The engine cannot be started: {readable(program)} ({reason}).", SET_UP)


def other_version(welcome: Welcome) -> LikenessError:
    """The two sides are of different protocol versions."""
    message = (
        f"The engine (Likeness {readable(welcome.software)}) speaks version {welcome.protocol} of the protocol, "
        f"this add-on (Likeness {own_version()}) version {PROTOCOL_VERSION}."
    )
    older = "the add-on" if welcome.protocol > PROTOCOL_VERSION else "the engine"
    return MachineError("engine.version", message, f"Update {older}.")


def silent(seconds: float) -> LikenessError:
    """No sign of life."""
    return MachineError("engine.silent", f"The engine has not answered for {seconds:g} seconds.", START_AGAIN)


def deaf() -> LikenessError:
    """It runs but has closed its standard input."""
    return MachineError("engine.died", "The engine no longer listens.", START_AGAIN)


def stopped() -> LikenessError:
    """Somebody stopped it, or nobody started it."""
    return MachineError("engine.stopped", "The engine is not running.", START_AGAIN)


def nonsense(command: list[str], error: LikenessError, was_welcomed: bool) -> LikenessError:
    """What it sends is no message."""
    if was_welcomed:
        return MachineError("engine.garbled", f"The engine cannot be understood. {error.message}", START_AGAIN)
    line = readable(" ".join(command))
    return MachineError("engine.not_an_engine", f"`{line}` is not an engine. {error.message}", SET_UP)


def death(code: int | None, last_line: str, was_ready: bool) -> LikenessError:
    """Say how an engine ended: `code` as `Popen.returncode`, None where only its output ended."""
    if code in NOT_FOUND_CODES:
        return not_found("there is no such program", last_line or f"exit code {code}")
    how = "closed its output" if code is None else f"exit code {code}"
    if code is not None and code < 0:
        how = f"ended by {_signal_name(-code)}"
    when = "while it worked" if was_ready else "before it was ready"
    reason = f": {last_line}" if last_line else ""
    memory = "If memory ran out, close other programs. " if code == -9 else ""
    return MachineError("engine.died", f"The engine ended {when} ({how}{reason}).", memory + START_AGAIN)


def _signal_name(number: int) -> str:
    """Return a signal's name; most of Linux's real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
