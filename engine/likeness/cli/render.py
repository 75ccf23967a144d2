"""likeness render: pictures, turnarounds and performances of an avatar."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from likeness.cli import arguments
from likeness.cli.output import picture_kind, write_shots
from likeness.cli.shots import draw, make_plan
from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import UsageError

PICTURES = (".png", ".exr")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "render",
        help="draw an avatar as a picture, a folder of pictures or a video",
        description="Draw an avatar. YAW,PITCH say where the face looks: 0,0 at the camera, positive yaw towards the "
        "picture's right, positive pitch down.",
    )
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help=".png or .exr; with --orbit or --motion .mp4 or a folder",
    )
    parser.add_argument("--format", choices=("png", "exr"), help="of the pictures in a folder; default: png")
    parser.add_argument(
        "--encoding", choices=("linear", "srgb"), help="of the colours in an .exr; default: linear, Rec.709's primaries"
    )
    parser.add_argument("--expression", choices=("portrait", "neutral"), help="default: neutral")
    parser.add_argument(
        "--controls",
        type=arguments.controls,
        default={},
        metavar="jawOpen=0.7,...",
        help="set on top of --expression, or of every picture of --motion",
    )
    parser.add_argument(
        "--camera",
        type=arguments.camera,
        metavar="portrait|motion|YAW,PITCH",
        help="motion frames as the tracked video did; default: portrait",
    )
    parser.add_argument("--orbit", type=arguments.count, metavar="N", help="N views of one full turn around the head")
    parser.add_argument(
        "--size",
        type=arguments.size,
        metavar="WxH",
        help="default: the photograph's or the video's for its camera, else 1024x1024",
    )
    parser.add_argument(
        "--background",
        type=arguments.background,
        metavar="transparent|portrait|#rrggbb|FILE",
        help="default: transparent, in a video dark grey",
    )
    arguments.add_gaussians(parser)
    _add_performance(parser)
    parser.set_defaults(run=run)


def _add_performance(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a performance")
    group.add_argument(
        "--motion",
        type=Path,
        metavar="MOTION.npz",
        help="every frame of it, as `likeness track` or `retarget` wrote it",
    )
    group.add_argument("--fps", type=arguments.rate, metavar="N", help="pictures a second; default: the performance's")
    group.add_argument("--sound", type=Path, metavar="FILE", help="the source's sound for an .mp4: a video or a sound")


def run(options: argparse.Namespace) -> None:
    """Draw what the options ask for and say where it is."""
    _check(options)
    _check_performance(options)
    from likeness.contract.avatar_file import read_avatar

    avatar = arguments.at_level(read_avatar(options.avatar), options)
    plan = make_plan(options, avatar)
    with TerminalProgress() as progress:
        write_shots(options, plan, draw(plan, avatar, progress))
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(options.output)


def _check(options: argparse.Namespace) -> None:
    """Refuse combinations that mean nothing."""
    kind = options.output.suffix.lower()
    if kind not in (*PICTURES, ".mp4", ""):
        raise UsageError(
            "usage", f"{options.output} is not a kind of file to render.", "Name a .png, .exr, .mp4 or folder."
        )
    if kind in PICTURES and options.orbit:
        raise UsageError(
            "usage", f"An orbit is more than one {kind}.", "Name a folder, perhaps with --format exr, or an .mp4."
        )
    if kind not in PICTURES and not (options.orbit or options.motion):
        raise UsageError(
            "usage",
            f"{options.output} is for several frames.",
            "Add --orbit N or --motion FILE, or name a .png or .exr.",
        )
    if options.background == "portrait" and (options.camera or options.orbit):
        raise UsageError("usage", "The photograph lies behind its own camera only.", "Use --camera portrait.")
    if options.background == "transparent" and kind == ".mp4":
        raise UsageError("usage", "An .mp4 cannot be transparent.", "Name a folder for pictures.")
    _check_format(options, kind)


def _check_format(options: argparse.Namespace, kind: str) -> None:
    if options.format and kind:
        raise UsageError("usage", f"The name {options.output} says its format.", "--format is for folders.")
    if options.encoding and picture_kind(options) != ".exr":
        raise UsageError("usage", "--encoding is for .exr; all else is sRGB.", "Leave it out, or write .exr.")


def _check_performance(options: argparse.Namespace) -> None:
    if options.motion and options.orbit:
        raise UsageError("usage", "A performance is seen from one camera.", "Leave out --orbit or --motion.")
    if options.motion and options.expression:
        raise UsageError(
            "usage", "The performance says the expression of every frame.", "Set single controls with --controls."
        )
    if not options.motion and (options.camera == "motion" or options.fps or options.sound):
        raise UsageError("usage", "--camera motion, --fps and --sound are for a performance.", "Add --motion FILE.")
    if options.sound and options.output.suffix.lower() != ".mp4":
        raise UsageError("usage", "Only an .mp4 has sound.", "Name an .mp4, or leave out --sound.")
