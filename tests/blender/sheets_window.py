"""Contact Sheet in a real window: progress, Esc, the picture in an Image Editor; and the turnaround's one undo step.

sheets_window.py AVATAR FOLDER: the avatar, and where the sheets go.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import bpy
import inside

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine")]
AVATAR, FOLDER = map(Path, inside.arguments())
SHEET = FOLDER / "astronaut_contact_sheet.png"
bpy.context.preferences.view.show_splash = False


def press(operator: str) -> None:
    """Press a button of the sidebar, the pointer over the 3D view."""
    window, area, region = inside.view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        getattr(bpy.ops.likeness, operator)("INVOKE_DEFAULT", True)  # with an undo step, where it makes one


def work() -> object | None:
    """Return what is under way."""
    return import_module("addon.session").work


def until_idle(seconds: float) -> Iterator[float]:
    """Wait for the work's end."""
    end = time.monotonic() + seconds
    while work() is not None:
        assert time.monotonic() < end, f"{work().stage} does not end"
        yield 0.1


def steps() -> Iterator[float]:
    """Go through it as a person would."""
    import_module("addon").register()
    bpy.ops.likeness.open_avatar("EXEC_DEFAULT", True, filepath=str(AVATAR))
    bpy.context.scene.render.filepath = str(FOLDER / "frame_")
    area = inside.view3d()[1]
    area.spaces.active.show_region_ui = True
    yield 1.0
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"
    yield 1.0
    press("contact_sheet")
    told = set()
    while work() is not None and work().fraction < 0.3:
        told.add(work().stage)
        yield 0.05
    assert "Drawing the sheet" in told | {work().stage}, told
    inside.picture("sheet_progress")
    subprocess.run(["xdotool", "mousemove", "600", "500", "key", "Escape"], check=True, timeout=20)
    yield from until_idle(5)
    assert not list(FOLDER.glob("*contact*")), "Esc left a file"
    editor = next(
        area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "DOPESHEET_EDITOR"
    )
    editor.ui_type = "IMAGE_EDITOR"
    yield 0.5
    press("contact_sheet")
    longest = last = 0.0
    begun = time.monotonic()
    while work() is not None:
        assert time.monotonic() - begun < 120
        last = time.monotonic()
        yield 0.01
        longest = max(longest, time.monotonic() - last)
    print(f"longest gap of the main thread: {longest:.2f} s", flush=True)
    assert SHEET.exists()
    assert editor.spaces.active.image.name == "astronaut Contact Sheet"
    yield 0.5
    inside.picture("sheet_shown")
    press("turnaround")
    yield 0.5
    assert bpy.context.scene.camera.name == "astronaut Orbit Camera"
    inside.picture("turnaround")
    window, area, region = inside.view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.undo()
    yield 0.5
    assert bpy.context.scene.camera is None or "Orbit" not in bpy.context.scene.camera.name
    assert not any("Orbit" in each.name for each in bpy.data.objects)
    assert "astronaut" in bpy.data.objects, "undo took more than one step"


inside.run(steps)
