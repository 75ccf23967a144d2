"""likeness render: pictures and turnarounds of an avatar."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli import arguments
from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from likeness.avatar.animate import Expression
    from likeness.contract.avatar import Avatar
    from likeness.contract.progress import Progress
    from likeness.geometry.cameras import Camera
    from likeness.rendering.api import Rendering

    Shot = tuple[Camera, Rendering[np.ndarray]]

PICTURES = (".png", ".exr")
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
        "-o", "--output", type=Path, required=True, metavar="OUT", help=".png or .exr; with --orbit .mp4 or a folder"
    )
    parser.add_argument("--format", choices=("png", "exr"), help="of the pictures in a folder; default: png")
    parser.add_argument(
        "--encoding", choices=("linear", "srgb"), help="of the colours in an .exr; default: linear, Rec.709's primaries"
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
    from likeness.avatar.animate import draw_avatar, neutral, portrait_expression, prepare_avatar, with_controls

    base = {"portrait": portrait_expression, "neutral": neutral}[options.expression](avatar)
    expression = with_controls(avatar.rig, base, options.controls)
    driven, cameras = prepare_avatar(avatar), _cameras(options, avatar)
    background = _background(options, avatar, cameras[0], expression)
    shots = ((camera, draw_avatar(driven, camera, expression)) for camera in cameras)
    with TerminalProgress() as progress:
        _write(options, _counted(shots, len(cameras), progress), background, cameras[0])
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
    if kind not in PICTURES and not options.orbit:
        raise UsageError("usage", f"{options.output} is for several frames.", "Add --orbit N or name a .png or .exr.")
    if options.background == "portrait" and (options.camera or options.orbit):
        raise UsageError("usage", "The photograph lies behind its own camera only.", "Use --camera portrait.")
    if options.background == "transparent" and kind == ".mp4":
        raise UsageError("usage", "An .mp4 cannot be transparent.", "Name a folder for pictures.")
    _check_format(options, kind)


def _check_format(options: argparse.Namespace, kind: str) -> None:
    if options.format and kind:
        raise UsageError("usage", f"The name {options.output} says its format.", "--format is for folders.")
    if options.encoding and _picture_kind(options) != ".exr":
        raise UsageError("usage", "--encoding is for .exr; all else is sRGB.", "Leave it out, or write .exr.")


def _picture_kind(options: argparse.Namespace) -> str:
    """Return the suffix of each picture, or of the video."""
    return options.output.suffix.lower() or f".{options.format or 'png'}"


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


def _background(
    options: argparse.Namespace, avatar: Avatar, camera: Camera, expression: Expression
) -> np.ndarray | None:
    """Return the opaque background as an array, None for a transparent one."""
    from likeness.avatar.pictures import picture_background, plain_background, portrait_background

    chosen = options.background
    if chosen == "portrait":
        from likeness.avatar.plate import photograph_behind

        return portrait_background(avatar.view, photograph_behind(avatar, expression), camera)
    if isinstance(chosen, Path):
        return picture_background(chosen, camera.width, camera.height)
    if isinstance(chosen, tuple):
        return plain_background(chosen)
    return plain_background(VIDEO_BACKGROUND) if options.output.suffix.lower() == ".mp4" else None


def _encoder(options: argparse.Namespace, background: np.ndarray | None) -> Callable[..., bytes]:
    """Return what turns a camera and what it saw into a picture's bytes."""
    if _picture_kind(options) == ".exr":
        from likeness.avatar.exr import encode_exr

        return lambda camera, drawn: encode_exr(drawn, camera, options.encoding or "linear", background)
    from likeness.avatar.pictures import encode_png, over, to_rgba, to_straight_uint8

    if background is None:
        return lambda _, drawn: encode_png(to_straight_uint8(to_rgba(drawn)))
    return lambda _, drawn: encode_png(over(to_rgba(drawn), background))


def _write(options: argparse.Namespace, shots: Iterator[Shot], background: np.ndarray | None, camera: Camera) -> None:
    kind = _picture_kind(options)
    if kind == ".mp4":
        from likeness.avatar.pictures import over, to_rgba
        from likeness.avatar.video import write_video

        frames = (over(to_rgba(drawn), background) for _, drawn in shots)
        write_video(options.output, frames, (camera.width, camera.height))
        return
    pictures = starmap(_encoder(options, background), shots)
    if options.output.suffix:
        _write_picture(options.output, pictures)
    else:
        _write_folder(options.output, pictures, kind)


def _write_picture(path: Path, pictures: Iterator[bytes]) -> None:
    from likeness.contract.atomic import atomic_write, ensure_writable

    ensure_writable(path)
    picture = next(pictures)
    with atomic_write(path) as temporary:
        temporary.write_bytes(picture)


def _write_folder(path: Path, pictures: Iterator[bytes], kind: str) -> None:
    from likeness.contract.atomic import atomic_folder

    with atomic_folder(path) as folder:
        for number, picture in enumerate(pictures, 1):
            (folder / f"{number:04d}{kind}").write_bytes(picture)


def _counted(shots: Iterable[Shot], count: int, progress: Progress) -> Iterator[Shot]:
    for done, shot in enumerate(shots, 1):
        progress.update("rendering", done / count)
        yield shot
