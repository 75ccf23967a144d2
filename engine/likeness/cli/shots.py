"""What `likeness render` draws: from which cameras, what the head does there, and what lies behind it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.contract.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from likeness.avatar.animate import Expression
    from likeness.avatar.playback import Playback
    from likeness.contract.avatar import Avatar
    from likeness.contract.progress import Progress
    from likeness.geometry.cameras import Camera
    from likeness.rendering.api import Rendering

    Shot = tuple[Camera, Rendering[np.ndarray]]

DEFAULT_SIZE = (1024, 1024)
VIDEO_BACKGROUND = (43, 44, 48)
ORBIT_FPS = 25.0


@dataclass(frozen=True)
class Plan:
    """Everything that will be drawn, nothing of it drawn yet."""

    count: int
    fps: float
    start: float
    """Seconds of the performance's source at the first picture."""
    camera: Camera
    """The first picture's."""
    moments: Iterator[tuple[Camera, Expression]]
    background: np.ndarray | None
    """Opaque; None for a transparent one."""
    warnings: tuple[str, ...] = ()


def make_plan(options: argparse.Namespace, avatar: Avatar) -> Plan:
    """Plan one picture, an orbit or a performance. Errors: InputError `motion.*`, `picture.*`; UsageError."""
    from likeness.avatar.animate import neutral, portrait_expression, with_controls

    if options.motion:
        return _performance(options, avatar)
    base = portrait_expression(avatar) if options.expression == "portrait" else neutral(avatar)
    expression = with_controls(avatar.rig, base, options.controls)
    cameras = _cameras(options, avatar)
    background = _background(options, avatar, cameras[0], expression)
    return Plan(len(cameras), ORBIT_FPS, 0.0, cameras[0], zip(cameras, repeat(expression)), background)


def draw(plan: Plan, avatar: Avatar, progress: Progress) -> Iterator[Shot]:
    """Draw the plan's pictures one by one, as they are asked for."""
    from likeness.avatar.animate import draw_avatar, prepare_avatar

    driven = prepare_avatar(avatar)
    for done, (camera, expression) in enumerate(plan.moments, 1):
        drawn = draw_avatar(driven, camera, expression)
        progress.update("rendering", done / plan.count)
        yield camera, drawn


def _performance(options: argparse.Namespace, avatar: Avatar) -> Plan:
    from likeness.avatar.animate import with_controls
    from likeness.avatar.playback import from_its_first_frame, motion_camera, play
    from likeness.contract.motion import read_motion
    from likeness.contract.motion_sampling import even_times

    motion = read_motion(options.motion)
    if options.camera == "motion":
        camera = _sized(options, motion_camera(motion))
    else:
        camera = _cameras(options, avatar)[0]
        motion = motion if motion.K is None else from_its_first_frame(motion)
    playback, fps = play(motion, avatar), options.fps or motion.fps
    times = even_times(motion, fps)
    _check_count(options, len(times))
    expressions = (with_controls(avatar.rig, each, options.controls) for each in playback.expressions(times))
    background = _background(options, avatar, camera, None)
    moments = zip(repeat(camera), expressions)
    return Plan(len(times), fps, float(times[0]), camera, moments, background, _warnings(playback))


def _check_count(options: argparse.Namespace, count: int) -> None:
    if count > 1 and options.output.suffix.lower() in (".png", ".exr"):
        raise UsageError("usage", f"The performance has {count} pictures.", "Name a folder or an .mp4.")


def _warnings(playback: Playback) -> tuple[str, ...]:
    missing = playback.missing
    if not missing:
        return ()
    named = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    return (f"This avatar lacks {named}; what the performance does there is left out.",)


def _cameras(options: argparse.Namespace, avatar: Avatar) -> list[Camera]:
    from likeness.avatar.views import orbit_camera, portrait_camera, turnaround

    if options.orbit or options.camera:
        size = _even(options, *(options.size or DEFAULT_SIZE))
        if options.orbit:
            return list(turnaround(avatar, options.camera or (0.0, 0.0), options.orbit, *size))
        return [orbit_camera(avatar, *options.camera, *size)]
    return [_sized(options, portrait_camera(avatar))]


def _sized(options: argparse.Namespace, camera: Camera) -> Camera:
    """Return the camera with its whole picture in --size; a video's odd last row or column is cut off."""
    from likeness.avatar.views import framed

    size = options.size or (camera.width, camera.height)
    camera = framed(camera, (0, 0, camera.width, camera.height), *size)
    width, height = _even(options, *size)
    return replace(camera, width=width, height=height)


def _even(options: argparse.Namespace, width: int, height: int) -> tuple[int, int]:
    """H.264's colours need even sides."""
    if options.output.suffix.lower() == ".mp4":
        return width - width % 2, height - height % 2
    return width, height


def _background(
    options: argparse.Namespace, avatar: Avatar, camera: Camera, expression: Expression | None
) -> np.ndarray | None:
    """Return the opaque background as an array, None for a transparent one; the expression is None where it moves."""
    from likeness.avatar.pictures import picture_background, plain_background, portrait_background

    chosen = options.background
    if chosen == "portrait":
        from likeness.avatar.plate import photograph_behind, plate_behind

        behind = plate_behind(avatar) if expression is None else photograph_behind(avatar, expression)
        return portrait_background(avatar.view, behind, camera)
    if isinstance(chosen, Path):
        return picture_background(chosen, camera.width, camera.height)
    if isinstance(chosen, tuple):
        return plain_background(chosen)
    return plain_background(VIDEO_BACKGROUND) if options.output.suffix.lower() == ".mp4" else None
