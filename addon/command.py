"""Which engine: the environment variable, else the preference, else the environment that the extension made itself.

Needs no bpy.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

from likeness.contract.errors import MachineError

VARIABLE = "LIKENESS_ENGINE"
PYTHONS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")
"""Where a virtual environment, or Conda's, keeps its Python."""
AS_ENGINE = ("-I", "-m", "likeness.cli", "serve")
"""Isolated (-I): neither the folder Blender was started in nor its PYTHONPATH may get between the engine's modules."""


def engine_command(preference: str, own_environment: Path | None) -> list[str]:
    """Return the program and arguments that start the engine.

    LIKENESS_ENGINE (for farms) wins over the preference, and that over the extension's own environment. The first two
    are a command line, an environment's folder, a Python, or the `likeness` program. Errors: MachineError `engine.none`
    where nothing is set up, `engine.not_found` where what is named is not there.
    """
    named = {f"the environment variable {VARIABLE}": os.environ.get(VARIABLE, ""), "the preference Engine": preference}
    for place, text in named.items():
        if text.strip():
            return _parse(text.strip(), place)
    python = _python_in(own_environment) if own_environment else None
    if python is None:
        raise MachineError(
            "engine.none", "No engine is set up yet.", "Set up the engine, or name one in the preferences."
        )
    return [str(python), *AS_ENGINE]


def split_command(text: str, *, windows: bool = os.name == "nt") -> list[str]:
    """Split a command line as the system's shell would. Errors: ValueError for a quotation mark without its partner."""
    if not windows:
        return shlex.split(text)
    if text.count('"') % 2:
        raise ValueError("No closing quotation")
    # A backslash is a separator of paths there, so only quotation marks hold words together.
    return [word.replace('"', "") for word in re.findall(r'(?:[^\s"]|"[^"]*")+', text)]


def _parse(text: str, place: str) -> list[str]:
    whole = Path(_unquoted(text)).expanduser()
    if _exists(whole):  # as it is, with all its spaces
        return _from_path(whole, place)
    try:
        program, *arguments = split_command(text)
    except ValueError as error:
        raise _not_found(place, f"cannot be read: {text} ({error})") from error
    if not arguments and _exists(Path(program).expanduser()):
        return _from_path(Path(program).expanduser(), place)
    found = shutil.which(str(Path(program).expanduser()))
    if found is None:
        raise _not_found(place, f"is not there: {program}")
    return [found, *arguments] if arguments else _from_path(Path(found), place)


def _from_path(path: Path, place: str) -> list[str]:
    """Return the command for an environment's folder, its Python, the `likeness` program, or any other program."""
    if path.is_dir():
        python = _python_in(path)
        if python is None:
            raise _not_found(place, f"holds no Python: {path}")
        return [str(python), *AS_ENGINE]
    if re.fullmatch(r"pythonw?[\d.]*(\.exe)?", path.name, re.IGNORECASE):
        return [str(path), *AS_ENGINE]
    return [str(path), "serve"] if path.stem.lower() == "likeness" else [str(path)]


def _python_in(environment: Path) -> Path | None:
    return next((environment / python for python in PYTHONS if _exists(environment / python)), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] in "'\"" else text


def _not_found(place: str, what: str) -> MachineError:
    return MachineError(
        "engine.not_found", f"The engine that {place} names {what}.", f"Correct it in {place}, or empty it."
    )
