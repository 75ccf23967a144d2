"""An engine that misbehaves as its first argument says; it speaks through the real codec."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "engine"))

from likeness.contract.codec import encode, read_message, write_message
from likeness.contract.messages import (
    PROTOCOL_VERSION,
    AvatarCreated,
    Cancel,
    CreateAvatar,
    FrameTracked,
    Hello,
    JobCancelled,
    JobFailed,
    JobProgress,
    Ping,
    Pong,
    Ready,
    Welcome,
)

INPUT, OUTPUT = sys.stdin.buffer, sys.stdout.buffer
STAGES = ("read", "fit", "refine")


def say(message: object) -> None:
    write_message(OUTPUT, message)


def greet(protocol: int = PROTOCOL_VERSION, software: str = "0.1.0") -> None:
    assert isinstance(read_message(INPUT), Hello)
    say(Welcome(protocol, software, "3.11.7"))


def get_ready() -> None:
    greet()
    say(Ready("cpu", "Abacus"))


def obey(answer, *, pongs: bool = True) -> None:
    """Answer pings, and jobs by `answer`, until standard input ends."""
    while (message := read_message(INPUT)) is not None:
        if isinstance(message, Ping) and pongs:
            say(Pong(message.id))
        elif isinstance(message, CreateAvatar):
            answer(message)


def create(request: CreateAvatar) -> None:
    for stage in STAGES:
        say(JobProgress(request.id, stage, 0.5))
    say(AvatarCreated(request.id, request.portrait[::-1], ("It is dim.",)))


def good() -> None:
    get_ready()
    obey(create)


def unused(request: CreateAvatar) -> None:
    """Leave the job unanswered."""


def working() -> None:
    get_ready()
    obey(lambda request: say(JobProgress(request.id, "fit", 0.5)))


def showing() -> None:
    """Send frames on the way to an answer."""
    get_ready()

    def answer(request: CreateAvatar) -> None:
        for seconds in (0.5, 1.5):
            say(FrameTracked(request.id, seconds, np.zeros(52, np.float32), np.zeros((5, 3), np.float32)))
        create(request)

    obey(answer)


def cancelling() -> None:
    get_ready()
    while (message := read_message(INPUT)) is not None:
        if isinstance(message, CreateAvatar):
            say(JobProgress(message.id, "fit", 0.5))
        elif isinstance(message, Cancel):
            say(JobCancelled(message.id))


def failing() -> None:
    get_ready()
    obey(lambda request: say(JobFailed(request.id, "face.none", f"No face\nin {request.filename}.", "Take another.")))


def late() -> None:
    """Be ready only some time after the greeting."""
    greet()
    time.sleep(0.5)
    say(Ready("cpu", "Abacus"))
    obey(create)


def exits() -> None:
    print("starting", file=sys.stderr)
    print("error: machine.broken: torch is missing. Install it.\n", file=sys.stderr)
    sys.exit(4)


def killed() -> None:
    greet()
    os.kill(os.getpid(), signal.SIGKILL)


def dies_in_job() -> None:
    get_ready()

    def die(request: CreateAvatar) -> None:
        say(JobProgress(request.id, "fit", 0.5))
        sys.stderr.write("x" * 100_000 + "\nSegmentation fault\n")
        sys.stderr.flush()
        os._exit(7)

    obey(die)


def half_an_answer() -> None:
    get_ready()

    def die(request: CreateAvatar) -> None:
        OUTPUT.write(b"".join(encode(AvatarCreated(request.id, bytes(100_000), ())))[:50_000])
        OUTPUT.flush()
        os._exit(1)

    obey(die)


def silent() -> None:
    time.sleep(60)


def no_pong() -> None:
    get_ready()
    obey(unused, pongs=False)


def hangs_in_job() -> None:
    get_ready()
    obey(lambda request: time.sleep(60))


def deaf() -> None:
    """Read nothing after the greeting, so that the pipe fills."""
    get_ready()
    time.sleep(60)


def closes_input() -> None:
    greet()
    os.close(0)
    say(Ready("cpu", "Abacus"))
    time.sleep(60)


def closes_output() -> None:
    get_ready()
    os.close(1)
    time.sleep(60)


def newer() -> None:
    greet(PROTOCOL_VERSION + 1, "9.0.0")
    obey(unused)


def older() -> None:
    greet(PROTOCOL_VERSION - 1, "0.0.1")
    obey(unused)


def banner() -> None:
    print("Welcome to render-07, the friendly host.", flush=True)
    time.sleep(60)


def prompt() -> None:
    sys.stdout.write("$ ")
    sys.stdout.flush()
    time.sleep(60)


def garbage_later() -> None:
    get_ready()
    obey(lambda request: (OUTPUT.write(b"Segmentation fault\n"), OUTPUT.flush()))


def floods_stderr() -> None:
    get_ready()

    def answer(request: CreateAvatar) -> None:
        for _ in range(300):
            os.write(2, b"warning " * 8192)
        create(request)

    obey(answer)


def floods_stdout() -> None:
    """Say the same nothing over and over, and read nothing."""
    get_ready()
    pong = b"".join(encode(Pong(0))) * 500
    while True:
        os.write(1, pong)


def stubborn() -> None:
    """Neither end when standard input does nor on SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    get_ready()
    obey(unused)
    time.sleep(60)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
