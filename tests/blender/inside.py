"""Helps scripts that run inside a real Blender window: steps with time between them, pictures, an end."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

DONE = "likeness: the script came to its end"


def run(steps: Callable[[], Iterator[float | None]], *, first: float = 1.0) -> None:
    """Run a generator from Blender's timer: each `yield SECONDS` lets Blender draw and go on; then quit.

    The window is up `first` seconds after the script was read. A step that fails ends Blender with its traceback.
    """
    walk = steps()
    bpy.app.timers.register(lambda: _step(walk), first_interval=first, persistent=True)


def _step(walk: Iterator[float | None]) -> float | None:
    try:
        pause = next(walk)
    except StopIteration:
        print(DONE, flush=True)
        _leave(0)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    return 0.1 if pause is None else pause


def _leave(code: int) -> None:
    """End the process at once: closing the window regularly can hang on a virtual screen."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def draw(times: int = 2) -> None:
    """Have the window drawn now."""
    for _ in range(times):
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)


def picture(name: str, box: tuple[int, int, int, int] | None = None) -> Path:
    """Take a picture of the screen, or of a box (left, top, width, height) of it.

    Blender's own screenshot comes out black on a virtual screen.
    """
    path = Path(os.environ["LIKENESS_PICTURES"]) / f"{name}.png"
    crop = ["-crop", "{2}x{3}+{0}+{1}".format(*box), "+repage"] if box else []
    draw()
    subprocess.run(["import", "-window", "root", *crop, str(path)], check=True, timeout=60)
    return path


def arguments() -> list[str]:
    """Return what stands after `--` on Blender's command line."""
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def view3d() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """Return the window, the first 3D view in it and that view's main region."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")
