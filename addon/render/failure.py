"""How a frame is made to fail. Blender lets no handler end a render, so the render is made impossible instead."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial

import bpy
from bpy.types import Scene

from likeness.contract.errors import LikenessError

from .. import main_thread, session
from .marks import change


def forbid_camera(scene: Scene) -> list[Callable[[], None]]:
    """Before a frame: take the cameras away, after which Blender renders no more; return what gives them back."""
    undo: list[Callable[[], None]] = []  # of markers, which cannot note anything
    change(scene, "camera", None)
    for marker in scene.timeline_markers:
        if marker.camera is not None:
            undo.append(partial(setattr, marker, "camera", marker.camera))
            marker.camera = None
    return undo


def forbid_writing(scene: Scene) -> list[Callable[[], None]]:
    """While a frame is prepared: leave it no place to be written, which ends the render; return the way back.

    Of an animation Blender reads the path for each frame anew, of a still it has read it already.
    """
    undo: list[Callable[[], None]] = []
    with contextlib.suppress(OSError):  # then Blender cannot write there either
        occupy(_still_path(scene), undo)
    descriptor, blocker = tempfile.mkstemp(prefix="likeness-")
    os.close(descriptor)
    undo.append(partial(os.remove, blocker))
    change(scene.render, "filepath", os.path.join(blocker, "frame", ""))  # below a file, which no system allows
    return undo


def set_aside_movie(scene: Scene, begun: float) -> None:
    """Rename the movie that a failed render has written since `begun`, seconds since the epoch, and say so."""
    path = bpy.path.abspath(scene.render.frame_path(frame=scene.frame_start))
    name, ending = os.path.splitext(path)
    with contextlib.suppress(OSError):  # there may be none
        if os.path.getmtime(path) >= int(begun):
            os.replace(path, f"{name}.failed{ending}")
            print(f"error: render.movie: The movie is not complete: {name}.failed{ending}", file=sys.stderr, flush=True)


def exit_with_failure() -> None:
    """End a Blender without a window, which would leave with 0 although the last frame has failed."""
    if bpy.app.background and bpy.app.binary_path:
        sys.stdout.flush()
        os._exit(1)


def _still_path(scene: Scene) -> str:
    path, render = bpy.path.abspath(scene.render.filepath), scene.render
    ending = render.file_extension if render.use_file_extension else ""
    return path if path.lower().endswith(ending) else path + ending


def occupy(path: str, undo: list[Callable[[], None]]) -> None:
    """Put a folder where a file would be written; a file that is there is put aside meanwhile."""
    if os.path.isfile(path):
        aside = path + ".likeness-kept"
        os.replace(path, aside)
        undo.append(partial(os.replace, aside, path))
    os.makedirs(path)
    undo.append(partial(os.rmdir, path))


def tell(error: LikenessError, place: str) -> None:
    """Say what is wrong: on the console, and where there is a window in the panel and a message."""
    print(f"error: {error.code}: {place}: {error.message} {error.remedy}", file=sys.stderr, flush=True)
    if not bpy.app.background:
        soon = partial(bpy.app.timers.register, partial(_show, error, place), first_interval=0.1)
        main_thread.call(soon)


def _show(error: LikenessError, place: str) -> None:
    session.tell(error=error)

    def draw(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
        for line in (error.message, error.remedy):
            menu.layout.label(text=line)

    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.context.window_manager.popup_menu(draw, title=f"Likeness: {place}", icon="ERROR")
