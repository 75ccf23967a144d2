"""An engine for tests of Create: it makes small avatars, or fails as its arguments say; it speaks the real codec."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from whole_avatars import small_avatar_bytes

from likeness.contract.codec import read_message, write_message
from likeness.contract.messages import (
    PROTOCOL_VERSION,
    AvatarCreated,
    Cancel,
    CreateAvatar,
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
STAGES = ("read", "matte", "fit", "lift", "refine")
WARNING = "Took the largest of 3 faces; --face N picks another."
FAILURES = {
    "full": ("output.disk_full", "A disk is full.", "Free some space, for temporary and cached files too."),
    "face": ("face.none", "No face was found in the picture.", "Use a picture in which the face is upright."),
}


def say(message: object) -> None:
    write_message(OUTPUT, message)


def make(request: CreateAvatar, mode: str, stage: str) -> None:
    """Go through the stages; at the named one do what the mode says."""
    for name in STAGES:
        say(JobProgress(request.id, name, 0.5))
        if name == stage and mode == "die":
            os._exit(9)
        if name == stage and mode == "wait":
            return
    if mode in FAILURES:
        say(JobFailed(request.id, *FAILURES[mode]))
    elif mode == "broken":
        say(AvatarCreated(request.id, b"no avatar", ()))
    elif mode == "choices":
        text = f"{request.quality} {request.head} {request.face} {request.filename} {len(request.portrait)}"
        say(JobFailed(request.id, "test", text, "None."))
    else:
        say(AvatarCreated(request.id, small_avatar_bytes(), (WARNING,) if mode == "warn" else ()))


def main(mode: str = "good", stage: str = "", once: str = "") -> None:
    """Serve; with a path in `once`, misbehave only until a file is there, and leave one."""
    if once and Path(once).exists():
        mode = "good"
    elif once:
        Path(once).touch()
    assert isinstance(read_message(INPUT), Hello)
    if mode == "die" and stage == "start":
        os._exit(9)
    say(Welcome(PROTOCOL_VERSION + (mode == "newer"), "9.0.0" if mode == "newer" else "0.1.0", "3.11.7"))
    if mode == "slow":
        time.sleep(1)
    say(Ready("cpu", "Abacus"))
    while (message := read_message(INPUT)) is not None:
        if isinstance(message, Ping):
            say(Pong(message.id))
        elif isinstance(message, Cancel):
            say(JobCancelled(message.id))
        elif isinstance(message, CreateAvatar):
            make(message, mode, stage)


if __name__ == "__main__":
    main(*sys.argv[1:])
