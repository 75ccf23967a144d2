"""An engine for tests of performances: it answers with one made up, or as its first argument says; the real codec."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from performance_parts import performance

from likeness.contract.codec import read_message, write_message
from likeness.contract.messages import (
    PROTOCOL_VERSION,
    Cancel,
    DescribePerformance,
    FrameTracked,
    Hello,
    JobCancelled,
    JobFailed,
    JobProgress,
    PerformanceDescribed,
    PerformanceRetargeted,
    Ping,
    Pong,
    Ready,
    RetargetPerformance,
    Welcome,
)
from likeness.contract.motion import motion_to_bytes

INPUT, OUTPUT = sys.stdin.buffer, sys.stdout.buffer
NOTE = "The tongue was left out."
BORING = ("id", "path", "control_names", "head_model", "head_model_hash")
UNSEEN = ("performance.unseen", "The engine sees no file take.csv.", "Check the path.")


def say(message: object) -> None:
    write_message(OUTPUT, message)


def describe(request: DescribePerformance, mode: str) -> None:
    if mode == "unseen":
        say(JobFailed(request.id, *UNSEEN))
        return
    seconds = 2.0 + (mode == "sound")
    say(PerformanceDescribed(request.id, "Made up", seconds, 60.0, 121, ("52 controls", "head"), mode == "sound", ()))


def retarget(request: RetargetPerformance, mode: str) -> None:
    say(JobProgress(request.id, "track", 0.25))
    if mode in ("frames", "wait"):
        controls, pose = np.full(52, 0.5, np.float32), np.full((5, 3), 0.25, np.float32)
        say(FrameTracked(request.id, 0.1, controls, pose))
    if mode == "wait":
        return
    if mode == "frames":
        time.sleep(0.5)
    if mode == "die":
        os._exit(9)
    if mode == "choices":
        told = " ".join(f"{name}={value}" for name, value in vars(request).items() if name not in BORING)
        say(JobFailed(request.id, "test", told[:290], "None."))
    elif mode == "broken":
        say(PerformanceRetargeted(request.id, b"no motion", ()))
    else:
        say(PerformanceRetargeted(request.id, motion_to_bytes(performance(names=request.control_names)), (NOTE,)))


def main(mode: str = "good") -> None:
    """Serve."""
    assert isinstance(read_message(INPUT), Hello)
    say(Welcome(PROTOCOL_VERSION, "0.1.0", "3.11.7"))
    say(Ready("cpu", "Abacus"))
    while (message := read_message(INPUT)) is not None:
        if isinstance(message, Ping):
            say(Pong(message.id))
        elif isinstance(message, Cancel):
            say(JobCancelled(message.id))
        elif isinstance(message, DescribePerformance):
            describe(message, mode)
        elif isinstance(message, RetargetPerformance):
            retarget(message, mode)


if __name__ == "__main__":
    main(*sys.argv[1:])
