"""likeness retarget: a performance from elsewhere becomes a motion for an avatar."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli import arguments
from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import UsageError

if TYPE_CHECKING:
    from likeness.avatar.retarget import Retargeted


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "retarget",
        help="make a motion for an avatar from a video or a recorded performance",
        description="Make a motion for an avatar from a video, Live Link Face's .csv, ARKit's .json, a FLAME .npz (or "
        "a folder of them), or another motion.",
    )
    parser.add_argument("source", type=Path, metavar="SOURCE")
    parser.add_argument("--avatar", type=Path, required=True, metavar="AVATAR")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MOTION.npz")
    parser.add_argument("--start", type=_seconds, default=0.0, metavar="SECONDS", help="of the source; default: 0")
    parser.add_argument("--end", type=_seconds, metavar="SECONDS", help="default: its end")
    parser.add_argument(
        "--neutral", type=_neutral, default="auto", metavar="auto|SECONDS|off", help="the performer's face at rest"
    )
    parser.add_argument("--gain", type=_gains, default={}, metavar="mouth=1.2,brows=0.8", help="more or less by region")
    parser.add_argument("--mirror", action="store_true", help="left and right change places")
    parser.add_argument("--smooth", choices=("none", "one-euro", "savgol"), default="none", help="default: none")
    parser.add_argument(
        "--strength", type=_strength, metavar="0.5[,eyes=0.1,...]", help="of --smooth, by region too; default: 0.5"
    )
    parser.add_argument("--no-head", dest="head_motion", action="store_false", help="the head holds still")
    parser.add_argument("--performer", type=arguments.count, metavar="N", help="in a video; 1 is the leftmost")
    parser.add_argument("--fps", type=_rate, metavar="N", help="of files that do not say their rate")
    parser.add_argument("--source-head", type=Path, metavar="FILE", help="the FLAME model of FLAME coefficients")
    parser.add_argument(
        "--as", dest="form", choices=("arkit", "flame"), default="arkit", help="what to write for a FLAME avatar"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Retarget the source, write the motion, and say where it is; notes go to standard error."""
    from likeness.contract.atomic import ensure_writable
    from likeness.contract.motion import write_motion

    if options.output.suffix.lower() != ".npz":
        raise UsageError("usage", f"{options.output} does not end in .npz.", "Name the motion OUT.npz.")
    if options.end is not None and options.end <= options.start:
        raise UsageError("usage", "The range ends before it starts.", "Give --end a later time than --start.")
    if options.strength is not None and options.smooth == "none":
        raise UsageError("usage", "--strength does nothing by itself.", "Add --smooth one-euro or --smooth savgol.")
    if options.output.exists() and options.source.exists() and options.output.samefile(options.source):
        raise UsageError("usage", f"{options.output} is the source itself.", "Name another file with -o.")
    ensure_writable(options.output)
    done = _retarget(options)
    write_motion(options.output, done.motion)
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.json:
        told = {"motion": str(options.output), "frames": len(done.motion.times), "fps": done.motion.fps}
        print(json.dumps(told | {"seconds": float(done.motion.times[-1]), "notes": done.notes}))
    else:
        print(options.output)


def _retarget(options: argparse.Namespace) -> Retargeted:
    from likeness.contract.avatar_file import read_avatar

    avatar = read_avatar(options.avatar)
    from likeness.avatar.retarget import RetargetOptions, retarget, target_of

    strength, strengths = options.strength or (0.5, {})
    at = isinstance(options.neutral, float)
    chosen = RetargetOptions(
        start=options.start,
        end=options.end,
        neutral="at" if at else options.neutral,
        neutral_at=options.neutral if at else 0.0,
        gains=options.gain,
        mirror=options.mirror,
        smoothing=options.smooth,
        strength=strength,
        strengths=strengths,
        head_motion=options.head_motion,
        fps=options.fps,
        source_head=options.source_head,
        as_flame=options.form == "flame",
        performer=options.performer,
    )
    with TerminalProgress() as progress:
        return retarget(options.source, target_of(avatar), options=chosen, progress=progress)


def _seconds(text: str) -> float:
    return _within(text, 0, 1e6, "seconds from 0 on")


def _rate(text: str) -> float:
    return _within(text, 1, 1000, "a rate from 1 to 1000 frames a second")


def _neutral(text: str) -> str | float:
    return text if text in ("auto", "off") else _within(text, 0, 1e6, "auto, off or a time in seconds")


def _gains(text: str) -> dict[str, float]:
    return _regions(arguments.controls(text), 4.0)


def _strength(text: str) -> tuple[float, dict[str, float]]:
    """Parse `0.5`, `0.5,eyes=0.1` or `eyes=0.1`."""
    first, _, rest = text.partition(",")
    if "=" in first:
        return 0.5, _regions(arguments.controls(text), 1.0)
    return _within(first, 0, 1, "a strength from 0 to 1"), _regions(arguments.controls(rest), 1.0) if rest else {}


def _regions(values: dict[str, float], most: float) -> dict[str, float]:
    from likeness.motion.regions import REGIONS

    for name, value in values.items():
        if name not in REGIONS:
            raise argparse.ArgumentTypeError(f"'{name}' is no region; there are {', '.join(REGIONS)}")
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{name} goes from 0 to {most:g}")
    return values


def _within(text: str, low: float, high: float, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}")
    return value
