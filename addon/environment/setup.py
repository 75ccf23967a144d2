"""Makes the engine's environment in a thread: step by step, with progress, to be stopped and taken up again."""

from __future__ import annotations

import atexit
import json
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error

from . import problems
from .lock import locked
from .process import Runner
from .removal import delete
from .state import CACHE, JOURNAL, LOG, MARKER, write_json, write_marker
from .steps import Step, Steps, Wish

NEEDED = {"packages": 1_500_000_000, "torch": 1_000_000_000, "engine": 100_000_000}
"""Bytes that a step takes, downloads included; generously."""
NEEDED_FOR_CUDA = 8_000_000_000


@dataclass(frozen=True)
class Progress:
    """How far a setup is: the step's name, the share of all that is done, and the last line that a tool said."""

    step: str = ""
    fraction: float = 0.0
    line: str = ""


class Setup:
    """One attempt at making the environment; nothing here makes its caller wait, but `wait`."""

    def __init__(self, folder: Path, wish: Wish) -> None:
        self.progress = Progress()
        self.error: LikenessError | None = None
        """Why it failed, once it is done."""
        self._folder = folder
        self._wish = wish
        self._runner = Runner(folder, self._heard)
        self._done = threading.Event()
        self._step_done = self._step_share = 0.0
        self._downloads = [0, 0]

    @property
    def done(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self._done.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether it ended because of `cancel`."""
        return self.error is not None and self.error.code == "setup.cancelled"

    def start(self) -> None:
        """Begin, or go on with what an earlier attempt left."""
        atexit.register(self.cancel)
        threading.Thread(target=self._work, name="likeness-setup", daemon=True).start()

    def cancel(self) -> None:
        """End the tool that works now; what is done stays, and another attempt goes on from there."""
        self._runner.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most `timeout` seconds, and say whether it has; for scripts."""
        return self._done.wait(timeout)

    def _work(self) -> None:
        try:
            self._make()
        except OSError as error:
            self.error = problems.from_os_error(error, self._folder)
        # Whatever else goes wrong in this thread, whoever waits has to hear of it.
        except Exception as error:
            self.error = as_likeness_error(error)
        finally:
            atexit.unregister(self.cancel)
            self._done.set()

    def _make(self) -> None:
        if not self._wish.bundle.wheel.is_file():
            raise problems.no_wheel(self._wish.bundle.wheel)
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder), (self._folder / LOG).open("w", encoding="utf-8") as log:
            self._runner.write_to(log)
            steps = Steps(self._folder, self._wish, self._runner)
            self._do(steps)
            write_marker(self._folder, steps.marker)
            delete(self._folder / CACHE)

    def _do(self, steps: Steps) -> None:
        """Do the steps whose stamps do not match, and all after the first of them."""
        todo = steps.all()
        whole = sum(step.weight for step in todo)
        stamps = self._read_journal() if steps.python.exists() else {}
        self._check_space([step for step in todo if step.stamp is None or stamps.get(step.name) != step.stamp])
        for step in todo:
            self._step_share, self._downloads = step.weight / whole, [0, 0]
            self.progress = Progress(step.title, self._step_done)
            if step.stamp is None or stamps.get(step.name) != step.stamp:
                stamps = self._perform(step, stamps)
            self._step_done += self._step_share
        self.progress = Progress("Done", 1.0)

    def _perform(self, step: Step, stamps: dict[str, str]) -> dict[str, str]:
        self._runner.check()
        if step.stamp is None:
            step.do()
            return stamps
        # From here on the environment is half-made, and what later steps made does not count.
        delete(self._folder / MARKER)
        kept = {} if step.name == "python" else {name: stamp for name, stamp in stamps.items() if name != step.name}
        write_json(self._folder / JOURNAL, kept)
        step.do()
        kept = {**kept, step.name: step.stamp}
        write_json(self._folder / JOURNAL, kept)
        return kept

    def _read_journal(self) -> dict[str, str]:
        try:
            journal = json.loads((self._folder / JOURNAL).read_bytes())
        except (OSError, ValueError):
            return {}
        return journal if isinstance(journal, dict) else {}

    def _check_space(self, todo: list[Step]) -> None:
        needed = sum(NEEDED.get(step.name, 0) for step in todo)
        if self._wish.cuda and any(step.name == "torch" for step in todo):
            needed += NEEDED_FOR_CUDA
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise problems.disk_full(self._folder, free, needed)

    def _heard(self, line: str) -> None:
        """Show a tool's line; within a step, what uv has downloaded of what it said it would is how far it is."""
        words = line.split()
        self._downloads[0] += words[:1] == ["Downloading"]
        self._downloads[1] += words[:1] == ["Downloaded"]
        inner = min(1.0, self._downloads[1] / (self._downloads[0] + 1))
        fraction = max(self.progress.fraction, self._step_done + self._step_share * inner)
        self.progress = Progress(self.progress.step, fraction, line.strip() or self.progress.line)
