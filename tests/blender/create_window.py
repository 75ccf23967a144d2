"""Create in a real window: progress, Esc, create, undo, redo, with pictures of the screen; run inside Blender.

    blender --python tests/blender/create_window.py -- FOLDER PHOTO [PICTURES]

FOLDER gets report.json; with PICTURES also what the screen shows, every two seconds. LIKENESS_ENGINE names the engine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine"), str(REPOSITORY / "tests" / "addon")]

import bpy  # noqa: E402
from scene_dump import dump  # noqa: E402

from addon import session  # noqa: E402

FOLDER, PHOTO = (Path(argument).resolve() for argument in sys.argv[sys.argv.index("--") + 1 :][:2])
TAKES_PICTURES = "PICTURES" in sys.argv
PATIENCE = 120.0
TICK = 0.01
report: dict[str, object] = {"version": list(bpy.app.version)}
gaps: list[float] = []
"""Seconds between two turns of the main thread, while an avatar was on its way."""


def picture(name: str) -> None:
    """Keep what the screen shows."""
    if TAKES_PICTURES:
        subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def press(key: str) -> None:
    """Press a key as a person does; the pointer is over the 3D view."""
    subprocess.run(["xdotool", "mousemove", "600", "500", "key", key], check=True)


def view() -> object:
    """Return the context of the 3D view, as for a person whose pointer is over it."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def show_sidebar() -> None:
    """Open the sidebar at our tab."""
    with view() as _:
        area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    for region in area.regions:
        if region.type == "UI" and hasattr(region, "active_panel_category"):
            try:
                region.active_panel_category = "Likeness"
            except (TypeError, AttributeError):  # read-only before 4.3, and only once the tab was drawn
                report["tab"] = "could not be chosen"


def invoke() -> set[str]:
    """Press Create."""
    with view():
        return bpy.ops.likeness.create_avatar("INVOKE_DEFAULT")


def until_idle(name: str) -> Iterator[float]:
    """Wait until the work has ended, with pictures; measure how long the main thread was away from here."""
    begun = last = time.monotonic()
    shot = 0
    while session.work is not None and time.monotonic() - begun < PATIENCE:
        if TAKES_PICTURES and time.monotonic() - begun > 2 * shot:
            picture(f"{name}-{shot:02d}")
            shot += 1
            last = time.monotonic()
        yield TICK
        now = time.monotonic()
        gaps.append(now - last)
        last = now
    report[f"{name}_seconds"] = time.monotonic() - begun


def steps() -> Iterator[float]:
    """Do what a person would."""
    settings = bpy.context.window_manager.likeness
    settings.quality = "draft"
    show_sidebar()
    yield 1.0
    show_sidebar()
    yield 1.0
    picture("a-empty")
    bpy.context.window_manager.likeness.photo = str(PHOTO)
    yield 1.5
    picture("b-chosen")
    before = dump()
    report["invoked"] = sorted(invoke())
    yield 1.5
    press("Escape")
    begun = time.monotonic()
    while session.work is not None and time.monotonic() - begun < 10:
        yield TICK
    report["cancel_seconds"] = time.monotonic() - begun
    report["cancelled_clean"] = dump() == before
    yield 0.5
    picture("c-cancelled")
    invoke()
    yield from until_idle("d-create")
    yield 1.0
    picture("e-made")
    after = dump()
    report["active"] = after["active"]
    report["error"] = str(session.last_error or "")
    press("ctrl+z")
    yield 1.0
    report["undone"] = dump() == before
    picture("f-undone")
    press("ctrl+shift+z")
    yield 1.0
    report["redone"] = dump() == after
    picture("g-redone")
    yield from disturbances()


def disturbances() -> Iterator[float]:
    """Undo, then load another file, while an avatar is on its way."""
    invoke()
    yield 0.5
    press("ctrl+z")
    yield from until_idle("h-undo")
    report["after_undo"] = sorted(item.name for item in bpy.data.objects)
    yield 0.3
    invoke()
    yield 0.5
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    report["after_load"] = session.work is None and not bpy.data.objects
    report["photo_after_load"] = bpy.context.window_manager.likeness.photo
    bpy.context.window_manager.likeness.photo = str(PHOTO)
    invoke()
    yield from until_idle("i-again")
    yield 0.5
    report["after_load_again"] = [item.name for item in bpy.data.objects]
    report["main_thread_away"] = sorted(gaps)[-5:]


def advance(run: Iterator[float]) -> float | None:
    """Take the next step; at the end write the report and leave."""
    try:
        return next(run)
    except StopIteration:
        report["done"] = True
    except Exception:
        report["failure"] = traceback.format_exc()
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1))
    session.stop()
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Register what Create needs and begin once the window is there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    bpy.context.preferences.view.show_splash = False
    addon = import_module("addon")
    addon.register()
    run = steps()
    bpy.app.timers.register(lambda: advance(run), first_interval=2.0, persistent=True)


main()
