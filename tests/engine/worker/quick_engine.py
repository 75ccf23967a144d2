"""The real `likeness serve` with jobs that need no photograph: what a job does is its filename."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import time

from likeness.cli import main
from likeness.contract.errors import InputError
from likeness.contract.messages import AvatarCreated, CreateAvatar, Ready
from likeness.worker import jobs


def load() -> Ready:
    noise("loading")
    if "broken" in sys.argv:
        raise ModuleNotFoundError("No module named 'torch'")
    return Ready("cpu", "Abacus")


def create(request: CreateAvatar, progress) -> AvatarCreated:
    progress.update("begun", -1.0)
    BEHAVIOURS[request.filename](progress)
    warnings = (None,) if request.filename == "unsayable" else ("one", "two")
    return AvatarCreated(request.id, request.portrait, warnings)


def noise(text: str) -> None:
    """Print in every way a library may."""
    print(text)
    sys.stdout.flush()
    ctypes.CDLL(None).puts(text.encode())
    ctypes.CDLL(None).fflush(None)
    os.write(1, text.encode())
    subprocess.run([sys.executable, "-c", f"import sys; print({text!r}, sys.stdin.read())"], check=True, timeout=30)


def slow(progress) -> None:
    for step in range(600):
        time.sleep(0.02)
        progress.update("slow", step / 600)


def stuck(progress) -> None:
    time.sleep(60)


def fail(error: Exception):
    def behave(progress) -> None:
        raise error

    return behave


BEHAVIOURS = {
    "good": lambda progress: progress.update("done", 1.5),
    "unsayable": lambda progress: None,
    "noisy": lambda progress: noise("\x89LKN not a message"),
    "slow": slow,
    "stuck": stuck,
    "input": fail(InputError("face.none", "There is no face.", "Take another.")),
    "memory": fail(MemoryError()),
    "disk": fail(OSError(errno.ENOSPC, "No space left on device")),
    "bug": fail(ZeroDivisionError("odd\nlines")),
    "leaves": fail(SystemExit(3)),
    "nan": lambda progress: progress.update("odd", float("nan")),
}

if __name__ == "__main__":
    jobs.load = load
    jobs.warm_up = lambda: 1 / 0
    jobs.JOBS[CreateAvatar] = create
    sys.exit(main(["serve"]))
