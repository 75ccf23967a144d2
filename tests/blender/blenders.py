"""Which real Blenders this machine has, and how to run something in each.

`LIKENESS_BLENDER=/path/to/blender` names one of the machine's own. On Debian as root the program `sandbox` beside this
file makes others in a root of their own (`make blenders`); the tests use those that are made and make none themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SANDBOX = HERE / "sandbox"
NO_BLENDER = "no Blender here: `make blenders` (Debian, as root) or LIKENESS_BLENDER=/path/to/blender"
NO_BPY52 = "no bpy 5.2 with a GPU here: `make blenders` (Debian, as root)"
SCREEN = "-screen 0 1600x1000x24"
GEOMETRY = ("--window-geometry", "0", "0", "1600", "1000")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit code (None: stopped at its time limit) and all that it printed."""

    code: int | None
    log: str

    def tail(self, lines: int = 40) -> str:
        """Return the end of what it printed."""
        return "\n".join(self.log.splitlines()[-lines:])


@dataclass(frozen=True)
class Blender:
    """A Blender to run: the words before its arguments, with a window and without."""

    name: str
    window: tuple[str, ...]
    background: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    sandboxed: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    """What every run finds in its environment."""

    def run(
        self, arguments: Sequence[object], *, window: bool = False, limit: float = 300, folders: Sequence[Path] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:  # fmt: skip
        """Run it in the project's folder; `folders` are those it may also see, `limit` is in seconds."""
        words = [*(self.window if window else self.background), *map(str, arguments)]
        return _run(words, self._surroundings(folders, {**self.variables, **(variables or {})}), limit)

    def _surroundings(self, folders: Sequence[Path], variables: Mapping[str, str]) -> dict[str, str]:
        if not self.sandboxed:
            return {**os.environ, **self.environment, **variables}
        seen = {
            "BIND": ":".join(str(folder) for folder in folders),
            "SANDBOX_ENV": "\n".join(f"{name}={value}" for name, value in variables.items()),
        }
        return {**os.environ, **self.environment, **seen}


def blenders() -> list[Blender]:
    """Return the Blenders that can be run here; none is made."""
    named = os.environ.get("LIKENESS_BLENDER")
    if named:
        return [_of_the_machine(named)]
    return [_sandboxed(suite) for suite in ("trixie", "sid") if is_made(suite)]


def bpy52() -> Blender | None:
    """Return Python 3.13 with bpy 5.2, whose `gpu.init()` works without a screen."""
    if not is_made("trixie"):
        return None
    words = (str(SANDBOX), "bpy52")
    return Blender("bpy 5.2", words, words, {"SUITE": "trixie"}, sandboxed=True)


def is_made(suite: str) -> bool:
    """Say whether the sandbox's root of a Debian suite stands and may be entered."""
    if os.name != "posix" or os.geteuid() != 0:
        return False
    done = subprocess.run([str(SANDBOX), "made"], env={**os.environ, "SUITE": suite}, check=False, timeout=60)
    return done.returncode == 0


def _sandboxed(suite: str) -> Blender:
    words = str(SANDBOX)
    return Blender(suite, (words, "blender"), (words, "background"), {"SUITE": suite}, sandboxed=True)


def _of_the_machine(program: str) -> Blender:
    screen = ("xvfb-run", "-a", "-s", SCREEN) if shutil.which("xvfb-run") else ()
    plain = (program, "--factory-startup")
    return Blender(Path(program).name, (*screen, *plain, *GEOMETRY), (program, "-b", "--factory-startup"))


def _run(words: Sequence[str], surroundings: Mapping[str, str], limit: float) -> Outcome:
    """Run a command in its own process group, so that at the limit its whole family ends with it."""
    process = subprocess.Popen(
        words, cwd=ROOT, env=dict(surroundings), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        log, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        log, _ = process.communicate()
        return Outcome(None, log)
    return Outcome(process.returncode, log)
