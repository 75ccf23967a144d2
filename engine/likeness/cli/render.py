"""likeness render: pictures and turnarounds of an avatar."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli import arguments
from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from likeness.avatar.animate import DrivenAvatar, Expression
    from likeness.contract.avatar import Avatar
    from likeness.contract.progress import Progress
    from likeness.geometry.cameras import Camera

    Drawing = tuple[Iterator[np.ndarray], int, tuple[int, int]]

DEFAULT_SIZE = (1024, 1024)
VIDEO_BACKGROUND = (43, 44, 48)


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
        "-o", "--output", type=Path, required=True, metavar="OUT", help=".png; with --orbit .mp4 or a folder of .png"
    )
    parser.add_argument("--expression", choices=("portrait", "neutral"), default="neutral", help="default: neutral")
    parser.add_argument(
        "--controls", type=arguments.controls, default={}, metavar="jawOpen=0.7,...", help="set on top of --expression"
    )
    parser.add_argument("--camera", type=arguments.camera, metavar="portrait|YAW,PITCH", help="default: portrait")
    parser.add_argument("--orbit", type=arguments.count, metavar="N", help="N views of one full turn around the head")
    parser.add_argument(
        "--size", type=arguments.size, metavar="WxH", help="default: the photograph's for its camera, else 1024x1024"
    )
    parser.add_argument(
        "--background",
        type=arguments.background,
        metavar="transparent|portrait|#rrggbb|FILE",
        help="default: transparent, in a video dark grey",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Draw what the options ask for and say where it is."""
    _check(options)
    from likeness.contract.avatar_file import read_avatar

    avatar = read_avatar(options.avatar)
    from likeness.geometry.threads import configure_threads

    configure_threads()
    from likeness.avatar.animate import neutral, portrait_expression, prepare_avatar, with_controls

    base = {"portrait": portrait_expression, "neutral": neutral}[options.expression](avatar)
    expression = with_controls(avatar.rig, base, options.controls)
    frames = _frames(options, prepare_avatar(avatar), expression)
    with TerminalProgress() as progress:
        _write(options, frames, progress)
    print(options.output)


def _check(options: argparse.Namespace) -> None:
    """Refuse combinations that mean nothing."""
    kind = options.output.suffix.lower()
    if kind not in (".png", ".mp4", ""):
        raise UsageError("usage", f"{options.output} is not a kind of file to render.", "Name a .png, .mp4 or folder.")
    if kind == ".png" and options.orbit:
        raise UsageError("usage", "An orbit is more than one .png.", "Name a folder or an .mp4.")
    if kind != ".png" and not options.orbit:
        raise UsageError("usage", f"{options.output} is for several frames.", "Add --orbit N or name a .png.")
    if options.background == "portrait" and (options.camera or options.orbit):
        raise UsageError("usage", "The photograph lies behind its own camera only.", "Use --camera portrait.")
    if options.background == "transparent" and kind == ".mp4":
        raise UsageError("usage", "An .mp4 cannot be transparent.", "Name a folder for .png files.")


def _size(options: argparse.Namespace, avatar: Avatar) -> tuple[int, int]:
    if options.output.suffix.lower() == ".mp4":
        width, height = options.size or DEFAULT_SIZE
        return width - width % 2, height - height % 2
    if options.size is None and not (options.camera or options.orbit):
        return avatar.view.width, avatar.view.height
    return options.size or DEFAULT_SIZE


def _cameras(options: argparse.Namespace, avatar: Avatar) -> list[Camera]:
    from likeness.avatar.views import framed, orbit_camera, portrait_camera, turnaround

    size = _size(options, avatar)
    if options.orbit:
        return list(turnaround(avatar, options.camera or (0.0, 0.0), options.orbit, *size))
    if options.camera:
        return [orbit_camera(avatar, *options.camera, *size)]
    return [framed(portrait_camera(avatar), (0, 0, avatar.view.width, avatar.view.height), *size)]


def _frames(options: argparse.Namespace, driven: DrivenAvatar, expression: Expression) -> Drawing:
    """Return the finished frames, uint8 RGB or RGBA, their number and their size."""
    from likeness.avatar.animate import render_avatar
    from likeness.avatar.pictures import over, to_straight_uint8

    cameras = _cameras(options, driven.avatar)
    background = _background(options, driven.avatar, cameras[0])
    drawn = (render_avatar(driven, camera, expression) for camera in cameras)
    frames = (to_straight_uint8(rgba) if background is None else over(rgba, background) for rgba in drawn)
    return frames, len(cameras), (cameras[0].width, cameras[0].height)


def _background(options: argparse.Namespace, avatar: Avatar, camera: Camera) -> np.ndarray | None:
    """Return the opaque background as an array, None for a transparent one."""
    from likeness.avatar.pictures import picture_background, plain_background, portrait_background

    chosen = options.background
    if chosen == "portrait":
        return portrait_background(avatar, camera)
    if isinstance(chosen, Path):
        return picture_background(chosen, camera.width, camera.height)
    if isinstance(chosen, tuple):
        return plain_background(chosen)
    return plain_background(VIDEO_BACKGROUND) if options.output.suffix.lower() == ".mp4" else None


def _write(options: argparse.Namespace, drawing: Drawing, progress: Progress) -> None:
    from likeness.avatar.pictures import encode_png
    from likeness.avatar.video import write_video
    from likeness.contract.atomic import atomic_folder, atomic_write, ensure_writable

    frames, count, size = drawing
    counted = _counted(frames, count, progress)
    kind = options.output.suffix.lower()
    if kind == ".mp4":
        write_video(options.output, counted, size)
    elif kind == ".png":
        ensure_writable(options.output)
        picture = encode_png(next(counted))
        with atomic_write(options.output) as temporary:
            temporary.write_bytes(picture)
    else:
        with atomic_folder(options.output) as folder:
            for number, frame in enumerate(counted, 1):
                (folder / f"{number:04d}.png").write_bytes(encode_png(frame))


def _counted(frames: Iterator[np.ndarray], count: int, progress: Progress) -> Iterator[np.ndarray]:
    for done, frame in enumerate(frames, 1):
        progress.update("rendering", done / count)
        yield frame
