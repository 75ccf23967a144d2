"""Where `likeness render` puts what it draws: a picture, a folder of numbered ones or a video; whole or not at all."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from likeness.cli.shots import Plan, Shot


def write_shots(options: argparse.Namespace, plan: Plan, shots: Iterator[Shot]) -> None:
    """Write every picture as soon as it is drawn. Errors: InputError `output.*`, `sound.*`; MachineError."""
    kind = picture_kind(options)
    if kind == ".mp4":
        _write_video(options, plan, shots)
        return
    pictures = starmap(_encoder(options, plan.background), shots)
    if options.output.suffix:
        _write_picture(options.output, pictures)
    else:
        _write_folder(options.output, pictures, kind, digits=max(4, len(str(plan.count))))


def picture_kind(options: argparse.Namespace) -> str:
    """Return the suffix of each picture, or of the video."""
    return options.output.suffix.lower() or f".{options.format or 'png'}"


def _encoder(options: argparse.Namespace, background: np.ndarray | None) -> Callable[..., bytes]:
    """Return what turns a camera and what it saw into a picture's bytes."""
    if picture_kind(options) == ".exr":
        from likeness.avatar.exr import encode_exr

        return lambda camera, drawn: encode_exr(drawn, camera, options.encoding or "linear", background)
    from likeness.avatar.pictures import encode_png, over, to_rgba, to_straight_uint8

    if background is None:
        return lambda _, drawn: encode_png(to_straight_uint8(to_rgba(drawn)))
    return lambda _, drawn: encode_png(over(to_rgba(drawn), background))


def _write_video(options: argparse.Namespace, plan: Plan, shots: Iterator[Shot]) -> None:
    from likeness.avatar.pictures import over, to_rgba
    from likeness.avatar.video import write_video

    frames = (over(to_rgba(drawn), plan.background) for _, drawn in shots)
    size = (plan.camera.width, plan.camera.height)
    write_video(options.output, frames, size, fps=plan.fps, sound=options.sound, sound_start=plan.start)


def _write_picture(path: Path, pictures: Iterator[bytes]) -> None:
    from likeness.contract.atomic import atomic_write, ensure_writable

    ensure_writable(path)
    picture = next(pictures)
    with atomic_write(path) as temporary:
        temporary.write_bytes(picture)


def _write_folder(path: Path, pictures: Iterator[bytes], kind: str, *, digits: int) -> None:
    from likeness.contract.atomic import atomic_folder

    with atomic_folder(path) as folder:
        for number, picture in enumerate(pictures, 1):
            (folder / f"{number:0{digits}d}{kind}").write_bytes(picture)
