"""uv, which makes the environment: found on the PATH, kept in the engine's folder, or fetched there with pip."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from likeness.contract.errors import LikenessError

from . import problems
from .process import Runner
from .state import TOOLS

UV_VERSION = "0.13.8"
OLDEST = (0, 7)
"""The oldest uv that knows every option used here."""
_EXECUTABLE = "uv.exe" if os.name == "nt" else "uv"


def find_uv(folder: Path, runner: Runner, environment: Mapping[str, str]) -> Path | None:
    """Return a uv that runs and is new enough, from the PATH or the engine's folder."""
    places = (shutil.which("uv"), folder / TOOLS / _EXECUTABLE)
    found = (Path(place) for place in places if place and Path(place).is_file())
    return next((uv for uv in found if runs(uv, runner, environment)), None)


def runs(uv: Path, runner: Runner, environment: Mapping[str, str]) -> bool:
    """Tell whether a uv runs on this machine and is new enough."""
    try:
        outcome = runner.run([uv, "--version"], environment)
    except OSError:
        return False
    version = re.search(r"uv (\d+)\.(\d+)", "\n".join(outcome.lines))
    return outcome.code == 0 and version is not None and (int(version[1]), int(version[2])) >= OLDEST


def fetch_wheel(interpreter: str, folder: Path, runner: Runner, environment: Mapping[str, str]) -> list[Path]:
    """Fetch uv's wheel with Blender's pip, or a pip of our own where that has none; return it."""
    python = _python_with_pip(interpreter, folder, runner, environment)
    target = folder / TOOLS
    target.mkdir(exist_ok=True)
    command = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", target]
    outcome = runner.run([*command, f"uv=={UV_VERSION}"], environment)
    if outcome.code:
        raise problems.from_output(outcome.lines, folder)
    return wheels_in(target)


def wheels_in(folder: Path) -> list[Path]:
    """Return the wheels of uv in a folder, which may be for other machines too."""
    return sorted(folder.glob("uv-*.whl"))


def unpack(wheels: list[Path], folder: Path, runner: Runner, environment: Mapping[str, str]) -> Path | None:
    """Unpack the first uv that runs on this machine into the engine's folder, or return None."""
    target = folder / TOOLS / _EXECUTABLE
    target.parent.mkdir(exist_ok=True)
    for program in _programs(wheels):
        temporary = target.with_name(f"new-{_EXECUTABLE}")
        temporary.write_bytes(program)
        temporary.chmod(0o755)
        if runs(temporary, runner, environment):
            os.replace(temporary, target)
            return target
        temporary.unlink()
    return None


def _programs(wheels: list[Path]) -> Iterator[bytes]:
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                members = [name for name in archive.namelist() if name.endswith(f".data/scripts/{_EXECUTABLE}")]
                yield from (archive.read(name) for name in members)
        except zipfile.BadZipFile:
            continue


def _python_with_pip(interpreter: str, folder: Path, runner: Runner, environment: Mapping[str, str]) -> Path:
    """Return an interpreter with pip: Blender's, else that of a small environment which ensurepip gives one."""
    if runner.run([interpreter, "-m", "pip", "--version"], environment).code == 0:
        return Path(interpreter)
    place = folder / TOOLS / "pip"
    if runner.run([interpreter, "-m", "venv", "--clear", place], environment).code:
        raise _without_pip(folder)
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _without_pip(folder: Path) -> LikenessError:
    shutil.rmtree(folder / TOOLS / "pip", ignore_errors=True)
    return problems.no_pip()
