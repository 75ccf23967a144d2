"""A live performance in a real window: the question, the head that follows, a take, Esc's and Stop's ways out.

live_window.py AVATAR: packets come from this script, over the loopback.
"""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import bpy
import inside
from mathutils import Vector

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine"), str(REPOSITORY / "tests" / "client")]
AVATAR = Path(inside.arguments()[0])
PORT = 11187
MOVES = (
    ("left", (0, 30, 0), {"jawOpen": 5, "mouthSmile_L": 80, "mouthSmile_R": 80}),
    ("right", (0, -30, 0), {"jawOpen": 60}),
    ("down", (20, 0, 0), {"jawOpen": 0, "eyeBlink_L": 100, "eyeBlink_R": 100}),
)
"""What the phone sees: degrees, hundredths."""
bpy.context.preferences.view.show_splash = False


class Phone(threading.Thread):
    """Sends 60 frames a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.packet = b""
        self.ended = threading.Event()

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self.ended.wait(1 / 60):
                sender.sendto(self.packet, ("127.0.0.1", PORT))


def press(operator: str) -> None:
    """Press a button of the sidebar, the pointer over the 3D view."""
    window, area, region = inside.view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        getattr(bpy.ops.likeness, operator)("INVOKE_DEFAULT", True)


def keys(*words: str) -> None:
    """Move the pointer, press keys."""
    subprocess.run(["xdotool", *words], check=True, timeout=20)


def neck() -> float:
    """Return the angle of the head."""
    mesh = bpy.data.objects["astronaut"]
    return mesh.parent.pose.bones["neck"].matrix_basis.to_quaternion().angle


def jaw() -> float:
    """Return how far the mouth is open."""
    return bpy.data.objects["astronaut"].data.shape_keys.key_blocks["jawOpen"].value


def bare_panels() -> None:
    """Leave the sidebar to the panels of which pictures are taken, and open them."""
    for name in ("performance", "live"):
        module = import_module(f"addon.panels.{name}")
        for cls in module.CLASSES:
            if getattr(cls, "bl_options", None) == {"DEFAULT_CLOSED"}:
                bpy.utils.unregister_class(cls)
                cls.bl_options = set()
                bpy.utils.register_class(cls)
    for name in ("setup", "render", "expression", "avatar"):
        import_module(f"addon.panels.{name}").unregister()


def look_at_the_head() -> None:
    """See the head from the front, and nothing else."""
    window, area, region = inside.view3d()
    for each in ("Cube", "Camera", "Light"):
        bpy.data.objects.remove(bpy.data.objects[each])
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    area.spaces.active.overlay.show_overlays = False


def until(condition: Callable[[], bool], what: str) -> Iterator[float]:
    """Wait for something; on a processor a window is drawn twice a second."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        yield 0.05


def does(head: tuple[float, float, float], controls: dict[str, float]) -> bool:
    """Tell whether the avatar does what the phone sends."""
    turned = abs(math.degrees(neck()) - math.hypot(*head)) < 1.5
    return turned and abs(jaw() - controls["jawOpen"] / 100) < 1e-4


def performed_to_playback(phone: Phone, text_packet: Callable[..., bytes]) -> Iterator[float]:
    """While the timeline plays the avatar's animation, every redraw shows the performance.

    The timer that shows frames rests: a window drawn on a processor is slower, and the timer would hide what is tested.
    """
    look = import_module("addon.receiving")._look
    phone.packet = text_packet(jawOpen=97)
    yield from until(lambda: does((0, 0, 0), {"jawOpen": 97}), "the head does not follow")
    blocks = bpy.data.objects["astronaut"].data.shape_keys.key_blocks
    moved = [(a.co - b.co).length for a, b in zip(blocks["jawOpen"].data, blocks[0].data, strict=True)]
    chin = moved.index(max(moved))
    seen, frames = [], set()

    def place() -> Vector:
        shown = bpy.data.objects["astronaut"].evaluated_get(bpy.context.evaluated_depsgraph_get())
        return shown.data.vertices[chin].co.copy()

    def note() -> None:
        frames.add(bpy.context.scene.frame_current)
        if len(frames) > 2:  # it plays
            seen.append((place() - performed).length)

    performed = place()
    handle = bpy.types.SpaceView3D.draw_handler_add(note, (), "WINDOW", "POST_VIEW")
    bpy.app.timers.unregister(look)
    window, area, region = inside.view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.screen.animation_play()
    yield from until(lambda: len(frames) > 5, "the timeline does not play")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.screen.animation_cancel()
    bpy.app.timers.register(look)
    bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
    assert max(seen) < 1e-5, f"playback shows through: {seen}"


def steps() -> Iterator[float]:
    """Go through it as a person would."""
    import_module("addon").register()
    bare_panels()
    receiving = import_module("addon.receiving")
    from live_packets import text_packet

    bpy.ops.likeness.open_avatar("EXEC_DEFAULT", True, filepath=str(AVATAR))
    settings = bpy.context.window_manager.likeness_live
    settings.app, settings.port = "IFACIALMOCAP", PORT
    area = inside.view3d()[1]
    area.spaces.active.show_region_ui = True
    yield 1.0
    look_at_the_head()
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"
    yield 1.0
    keys("mousemove", "500", "400")
    press("receive")
    yield 1.0
    inside.picture("live_question")
    assert receiving.current is None, "it opened the port before the answer"
    keys("key", "Escape")
    yield 1.0
    assert receiving.current is None, "Esc opened the port"
    press("receive")
    yield 0.5
    keys("key", "Return")
    yield from until(lambda: receiving.current is not None, "the answer opened nothing")
    inside.picture("live_waiting")
    phone = Phone()
    for name, head, controls in MOVES:
        phone.packet = text_packet((*head, 0, 0, -0.4), **controls)
        if not phone.is_alive():
            phone.start()
        yield from until(lambda head=head, controls=controls: does(head, controls), f"the head does not move {name}")
        yield 1.0
        inside.picture(f"live_{name}")
    press("record_take")
    longest, last = 0.0, time.monotonic()
    for step in range(25):
        phone.packet = text_packet((0, 20 * math.sin(step / 8), 0, 0, 0, -0.4), jawOpen=50 + 50 * math.sin(step / 5))
        yield 0.03
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    print(f"longest gap of the main thread: {longest:.2f} s; {receiving.current.receiver.counts}", flush=True)
    inside.picture("live_recording")
    press("finish_take")
    yield 0.5
    action = bpy.data.objects["astronaut"].data.shape_keys.animation_data.action
    assert action.name == "Take 001", action.name
    yield from performed_to_playback(phone, text_packet)
    phone.packet = b"garbage"
    yield from until(lambda: receiving.current.receiver.counts.not_understood > 60, "garbage is not counted")
    yield 1.0
    inside.picture("live_garbage")
    phone.ended.set()
    press("stop_receiving")
    yield 0.5
    assert receiving.current is None
    assert not [each for each in threading.enumerate() if each.name == "likeness-live"]
    bpy.context.scene.frame_set(20)
    yield 0.5
    inside.picture("live_played")
    assert jaw() > 0.1, "the take does not play"


inside.run(steps)
