"""Match Portrait in a real window: progress, Esc, what is seen through the camera, and its one undo step.

plate_window.py AVATAR: an avatar of a person.
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
AVATAR = Path(inside.arguments()[0])


def press() -> None:
    """Press the button, the pointer over the 3D view."""
    window, area, region = inside.view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.likeness.match_portrait("INVOKE_DEFAULT")


def work() -> object | None:
    """Return what is under way."""
    return import_module("addon.session").work


def until_idle(seconds: float) -> Iterator[float]:
    """Wait for the work's end."""
    end = time.monotonic() + seconds
    while work() is not None:
        assert time.monotonic() < end, f"{work().stage} does not end"
        yield 0.05


def state() -> tuple[object, ...]:
    """Return what the button changes."""
    scene = bpy.context.scene
    tree = getattr(scene, "compositing_node_group", None) or getattr(scene, "node_tree", None)
    nodes = sorted(node.name for node in tree.nodes) if tree else []
    names = [sorted(item.name for item in kind) for kind in (bpy.data.objects, bpy.data.images, bpy.data.cameras)]
    size = scene.render.resolution_x, scene.render.resolution_y, scene.render.film_transparent
    return names, nodes, size, scene.view_settings.view_transform, scene.camera and scene.camera.name


def steps() -> Iterator[float]:
    """Go through it as a person would."""
    import_module("addon").register()
    bpy.context.preferences.view.show_splash = False
    bpy.data.objects.remove(bpy.data.objects["Cube"])  # the head would be inside it
    bpy.ops.likeness.open_avatar(filepath=str(AVATAR))
    name = bpy.context.object.name
    bpy.ops.ed.undo_push(message="Open Avatar")
    yield 1.0
    before = state()
    press()
    yield 0.2
    subprocess.run(["xdotool", "mousemove", "600", "500", "key", "Escape"], check=True, timeout=20)
    yield from until_idle(10)
    assert state() == before, "Esc left something"
    press()
    yield from until_idle(120)
    after = state()
    assert after != before and bpy.context.scene.camera.name == f"{name} Portrait Camera", after
    window, area, region = inside.view3d()
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    yield 1.0
    subprocess.run(["xdotool", "mousemove", "600", "500", "key", "Escape"], check=True, timeout=20)  # the splash screen
    yield 1.0
    inside.picture("plate_camera")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.undo()
    yield 0.5
    assert state() == before, (state(), before)
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.redo()
    yield 0.5
    assert state() == after, (state(), after)


inside.run(steps)
