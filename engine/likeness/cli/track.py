"""likeness track: a video becomes a performance."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli import arguments
from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import LikenessError, UsageError

if TYPE_CHECKING:
    from likeness.avatar.track import Tracked


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "track",
        help="follow a performer through a video",
        description="Fit a head to every frame of a video: pose, expression, gaze and blinks. A command that was "
        "stopped goes on where it was when it is given again.",
    )
    parser.add_argument("video", type=Path, metavar="VIDEO", help="what FFmpeg reads; a picture is a clip of one frame")
    parser.add_argument("-o", "--output", type=Path, metavar="MOTION.npz", help="default: VIDEO's name, here")
    parser.add_argument("--avatar", type=Path, metavar="AVATAR", help="keep this avatar's identity")
    parser.add_argument("--performer", type=arguments.count, metavar="N", help="which of several, 1 is the leftmost")
    parser.add_argument("--start", type=arguments.seconds, default=0.0, metavar="SECONDS", help="default: 0")
    parser.add_argument("--end", type=arguments.seconds, metavar="SECONDS", help="default: the video's end")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Track the video, write the performance, and say where it is."""
    from likeness.contract.atomic import ensure_writable
    from likeness.contract.motion import write_motion
    from likeness.motion.sources import SUFFIXES

    if options.video.suffix.lower() in SUFFIXES:
        raise UsageError("usage", f"{options.video.name} is no video.", "Give it to `likeness retarget`.")
    output = options.output or Path(options.video.name).with_suffix(".npz")
    if output.suffix.lower() != ".npz":
        raise UsageError("usage", f"{output} does not end in .npz.", "Name the performance MOTION.npz.")
    if options.end is not None and options.end <= options.start:
        raise UsageError("usage", "--end is not after --start.", "Give both in seconds from the video's beginning.")
    ensure_writable(output)
    spool = output.with_name(output.name + ".tracking")
    started = time.monotonic()
    try:
        tracked = _track(options, spool)
        write_motion(output, tracked.motion)
    except LikenessError:  # what cannot be tracked is no beginning to go on from; what was stopped is
        shutil.rmtree(spool, ignore_errors=True)
        raise
    shutil.rmtree(spool, ignore_errors=True)
    _tell(options, output, tracked, time.monotonic() - started)


def _track(options: argparse.Namespace, spool: Path) -> Tracked:
    from likeness.avatar.track import TrackOptions, track
    from likeness.contract.avatar_file import read_avatar

    avatar = read_avatar(options.avatar) if options.avatar else None
    with TerminalProgress() as progress:
        return track(
            options.video,
            avatar=avatar,
            options=TrackOptions(options.performer, options.start, options.end, spool),
            progress=progress,
        )


def _tell(options: argparse.Namespace, output: Path, tracked: Tracked, seconds: float) -> None:
    for note in tracked.notes:
        print(f"note: {note}", file=sys.stderr)
    if not options.json:
        print(output)
        return
    motion = tracked.motion
    summary = {
        "motion": str(output),
        "frames": len(motion.times),
        "observed": int(motion.observed.sum()),
        "fps": motion.fps,
        "seconds": seconds,
        "notes": list(tracked.notes),
    }
    print(json.dumps(summary))
