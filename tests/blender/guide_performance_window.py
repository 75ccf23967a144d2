"""Takes the pictures of the guide's chapter on performances in a real window; run by guide_pictures.py.

    blender --python guide_performance_window.py -- AVATAR TAKE FILM

The extension is installed; LIKENESS_ENGINE names the engine. TAKE is a Live Link Face .csv, FILM a video of a face.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from math import degrees
from pathlib import Path

import addon_utils
import bpy
import inside

sys.path.append(str(Path(__file__).resolve().parents[1] / "client"))
from live_packets import text_packet

MODULE = "bl_ext.user_default.likeness"
PATIENCE = 300.0
AVATAR, *FILES = map(Path, inside.arguments())
TAKE, FILM = (f"//{file.name}" for file in FILES)
"""Beside the .blend: pictures show no folder of this machine."""
PANELS = (
    ("avatar", "LikenessPanel"), ("avatar", "AvatarPanel"), ("expression", "ExpressionPanel"),
    ("performance", "PerformancePanel"), ("live", "LivePanel"), ("render", "RenderPanel"),
)  # fmt: skip
"""Those that are opened and closed; a panel's own come after it."""
SMILES = 92
"""Frame of the take, at 24 a second."""
ROOM = 190
"""What the NLA needs besides, pixels."""

bpy.context.preferences.view.show_splash = False


def steps() -> Iterator[float]:
    """Walk through import, tracking, correcting, live."""
    addon_utils.enable(MODULE, default_set=True)
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    with _view():
        bpy.ops.likeness.open_avatar(filepath=str(AVATAR))
    bpy.ops.wm.save_as_mainfile(filepath=str(FILES[0].with_name("captured.blend")))
    bpy.context.scene.frame_end = 217
    yield from _open_panels("PerformancePanel")
    yield from _import()
    yield from _track()
    yield from _correct()
    yield from _live()


def _import() -> Iterator[float]:
    panel = bpy.context.window_manager.likeness_performance
    panel.filepath = TAKE
    yield from _until(lambda: _module("performances").look(TAKE) is not None)
    yield from _press_import()
    _timeline().spaces.active.ui_mode = "DOPESHEET"
    bpy.context.scene.frame_set(SMILES)
    yield 1.0
    inside.picture("performance")


def _track() -> Iterator[float]:
    """Import a film; take the picture when the avatar does what the person in it does."""
    bpy.context.scene.frame_set(1)
    panel = bpy.context.window_manager.likeness_performance
    panel.filepath = FILM
    yield from _until(lambda: _module("performances").look(FILM) is not None)
    _start_import()
    controls = bpy.context.object.data.shape_keys.key_blocks
    yield from _until(lambda: controls["mouthSmileLeft"].value > 0.4 or controls["browInnerUp"].value > 0.6)
    inside.picture("tracking")
    yield from _until(_idle)


def _correct() -> Iterator[float]:
    """Lay the brows of one second of the take over what was filmed, as an additive layer, and show the NLA."""
    scene, panel = bpy.context.scene, bpy.context.window_manager.likeness_performance
    scene.frame_set(60)
    panel.filepath, panel.start, panel.end = TAKE, 4.5, 6.1
    panel.how, panel.layer, panel.head_motion = "STRIP", "ADD", False
    yield from _press_import()
    timeline = _timeline()
    timeline.type = "NLA_EDITOR"
    timeline.spaces.active.show_region_ui = False
    yield from _raise_edge(timeline, ROOM)
    scene.frame_set(78)
    yield 1.0
    with bpy.context.temp_override(area=timeline, region=_region(timeline, "CHANNELS")):
        bpy.ops.anim.channels_expand(all=True)
    with bpy.context.temp_override(area=timeline, region=_region(timeline)):
        bpy.ops.nla.view_all()
    _look_at_the_face()
    yield 1.0
    inside.picture("layers")


def _live() -> Iterator[float]:
    """Let a phone send; record a take."""
    timeline = next(area for area in bpy.context.screen.areas if area.type == "NLA_EDITOR")
    yield from _raise_edge(timeline, -ROOM)
    timeline.ui_type = "TIMELINE"
    panel, settings = bpy.context.window_manager.likeness_performance, bpy.context.window_manager.likeness_live
    panel.filepath, panel.how, panel.head_motion = "", "ACTION", True
    settings.app = "IFACIALMOCAP"
    _module("performances").tell(())
    _look_at_the_face()
    yield from _open_panels("PerformancePanel", "LivePanel")
    with _view():
        bpy.ops.likeness.receive()  # a script is not asked
    phone = Phone(settings.port)
    phone.start()
    receiving = _module("receiving")
    yield from _until(lambda: receiving.current.receiver.latest is not None)
    with _view():
        bpy.ops.likeness.record_take()
    controls = bpy.context.object.data.shape_keys.key_blocks
    yield 4.0
    yield from _until(lambda: controls["mouthSmileLeft"].value > 0.5)
    inside.picture("live")
    with _view():
        bpy.ops.likeness.finish_take()
        bpy.ops.likeness.stop_receiving()
    phone.ended.set()


class Phone(threading.Thread):
    """Sends a smile and a turned head, 60 frames a second."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.ended = port, threading.Event()

    def run(self) -> None:
        packet = text_packet(
            (degrees(0.05), degrees(0.3), degrees(-0.1), 0, 0, -0.4),
            mouthSmile_L=85, mouthSmile_R=85, cheekSquint_L=40, cheekSquint_R=40, jawOpen=12, browInnerUp=40,
        )  # fmt: skip
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self.ended.wait(1 / 60):
                sender.sendto(packet, ("127.0.0.1", self.port))


def _press_import() -> Iterator[float]:
    _start_import()
    yield from _until(_idle)
    yield 0.5
    error = _module("session").last_error
    assert error is None, error


def _start_import() -> None:
    with _view():
        bpy.ops.likeness.import_performance("INVOKE_DEFAULT")


def _idle() -> bool:
    return _module("session").work is None


def _until(done: Callable[[], bool]) -> Iterator[float]:
    end = time.monotonic() + PATIENCE
    while not done():
        yield 0.1
        if time.monotonic() > end:
            raise TimeoutError("it did not come to pass")


def _open_panels(*names: str) -> Iterator[float]:
    """Show the tab with some panels open and the others closed, as a click on their titles does."""
    closed = [getattr(_module(f"panels.{file}"), panel) for file, panel in PANELS]
    for panel in reversed(closed):
        bpy.utils.unregister_class(panel)
    for panel in closed:
        if panel.__name__ == "LivePanel":
            panel.bl_idname += "_open"  # a sidebar remembers by this name what was closed
        panel.bl_options = set() if panel.__name__ in names else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(panel)
    _, area, _ = inside.view3d()
    area.spaces.active.show_region_ui = True
    inside.draw()
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"
    _look_at_the_face()
    yield 1.0


def _look_at_the_face() -> None:
    """Look at the face as the pictures want it."""
    _, area, _ = inside.view3d()
    view = area.spaces.active.region_3d
    view.view_rotation = _module("operators.maker").FRONT
    view.view_location, view.view_distance = (0.0, 0.0, -0.06), 0.75
    area.spaces.active.lens = 60


def _raise_edge(area: bpy.types.Area, pixels: int) -> Iterator[float]:
    """Drag the upper edge of an area."""
    window = bpy.context.window_manager.windows[0]
    x, y = area.x + 200, window.height - area.y - area.height - 1
    half, end = ("mousemove", x, y - pixels // 2), ("mousemove", x, y - pixels)
    for words in (("mousemove", x, y), ("mousedown", 1), half, end, ("mouseup", 1), ("mousemove", 500, 300)):
        subprocess.run(["xdotool", *map(str, words)], check=True, timeout=20)
        yield 0.7


def _timeline() -> bpy.types.Area:
    return next(area for area in bpy.context.screen.areas if area.type == "DOPESHEET_EDITOR")


def _region(area: bpy.types.Area, kind: str = "WINDOW") -> bpy.types.Region:
    return next(region for region in area.regions if region.type == kind)


def _module(name: str) -> object:
    return import_module(f"{MODULE}.addon.{name}")


def _view() -> AbstractContextManager:
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


inside.run(steps, first=2.0)
