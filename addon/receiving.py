"""The live performance that this Blender receives: one receiver, the avatar that it moves, and the pose before.

Showing it makes neither keys nor undo steps. When it ends, by whatever way, the pose before is put back: what is to
stay is recorded as a take, and a take outlives what it was recorded by. Saved files hold the pose before as well.
Everything here is for the main thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import bpy
from bpy.app.handlers import persistent
from bpy.types import Object

from .live.packets import LivePacket
from .live.receiver import Received, Receiver, own_address
from .live.shaping import Shaping, packet_to_motion
from .live.take import Take
from .scene.preview import Preview
from .viewports import redraw_sidebars

INTERVAL = 1 / 60
"""Seconds between looks at what has arrived."""
TOLD_AFTER = 0.5
"""Seconds between looks at the counts that the panel shows."""


@dataclass
class Reception:
    """What is under way."""

    receiver: Receiver
    preview: Preview
    """What the avatar shows, and its pose before."""
    settings: tuple[bool, bool]
    """Mirror and head motion, as shown last."""
    own_address: str
    """This computer's, for the app."""
    rest: LivePacket | None = None
    shown: Received | None = None
    take_frame: float = 1.0
    """Frame of the scene where the take begins."""
    rate: float = 0.0
    """Frames a second that arrive."""
    counted: tuple[float, int] = (0.0, 0)
    """When the rate was looked at, and the frames until then."""


@dataclass(frozen=True)
class Recorded:
    """A take with what is done to its frames, and the frame of the scene where it begins."""

    take: Take
    shaping: Shaping
    frame: float


KEPT = "The take that was being recorded is kept: Finish Take lays it on the active avatar."

current: Reception | None = None
ended: str = ""
"""Why it ended by itself, until it begins again."""
unlaid: Recorded | None = None
"""The take of a performance that ended by itself while it was being recorded."""


def start(mesh: Object, address: str, port: int, phone: str) -> None:
    """Open the port and let an avatar follow what arrives. Errors: as `Receiver`."""
    global current, ended
    stop()
    receiver, ended = Receiver(address, port, phone), ""
    mirror, head = _settings()
    preview = Preview(mesh, head_motion=head)
    current = Reception(receiver, preview, (mirror, head), own_address(), counted=(time.monotonic(), 0))
    if not bpy.app.background:
        bpy.app.timers.register(_look, first_interval=INTERVAL)


def stop(reason: str = "") -> None:
    """Close the port and put the pose before back; a take that is being recorded is kept as `unlaid`."""
    global current, ended, unlaid
    if current is None:
        return
    past, current, ended = current, None, reason
    past.receiver.stop()
    take = past.receiver.end_take()
    if len(take):
        unlaid = Recorded(take, Shaping(past.rest, past.settings[0]), past.take_frame)
        ended = f"{reason} {KEPT}".lstrip()
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    redraw_sidebars()
    past.preview.put_back()


def look() -> None:
    """Show what has arrived since the last look."""
    if current is None or bpy.app.is_job_running("RENDER"):  # a render reads what would be written here
        return
    mesh = current.preview.mesh
    if mesh is None:
        stop("The avatar is gone, so receiving has ended.")
        return
    if not current.receiver.listening:
        stop("Receiving has ended unexpectedly: start it again.")
        return
    _count()
    if current.settings != _settings():
        put_back()
        current.settings = _settings()
        current.preview = Preview(mesh, head_motion=current.settings[1])
    latest = current.receiver.latest
    if latest is not None and latest is not current.shown:
        current.shown = latest
        if latest.packet.seen:
            current.preview.show(packet_to_motion(latest.packet, shaping()))


def shaping() -> Shaping:
    """Return what is done to every frame, by the panel's settings."""
    return Shaping(current.rest, _settings()[0])


def set_rest(rest: LivePacket | None) -> None:
    """Take a frame as the performer's rest; None takes the app's zero."""
    current.rest, current.shown = rest, None


def record(frame: float) -> None:
    """Begin a take that is to lie at a frame of the scene."""
    current.take_frame = frame
    current.receiver.record()


def end_take() -> Recorded:
    """End the take, or hand out the one that is not laid yet; the avatar has the pose before until the next look."""
    global unlaid, ended
    if current is not None and current.receiver.take is not None:
        put_back()
        return Recorded(current.receiver.end_take(), shaping(), current.take_frame)
    recorded, unlaid, ended = unlaid, None, ""
    return recorded


def keep(recorded: Recorded) -> None:
    """Have a take back that could not be laid: it goes on, or waits for another avatar."""
    global unlaid
    if current is None:
        unlaid = recorded
    else:
        current.receiver.record(recorded.take)


def put_back() -> None:
    """Put the pose before back until the next look."""
    global current
    past, current = current, None  # lest what Blender tells of the frame meanwhile shows the performance again
    try:
        past.preview.put_back()
    finally:
        current = past
    current.shown = None


def _settings() -> tuple[bool, bool]:
    settings = bpy.context.window_manager.likeness_live
    return settings.mirror, settings.head


def _count() -> None:
    """Work out the rate and have the panel drawn."""
    now, taken = time.monotonic(), current.receiver.counts.taken
    since, before = current.counted
    if now - since >= TOLD_AFTER:
        current.rate, current.counted = (taken - before) / (now - since), (now, taken)
        redraw_sidebars()


def _look() -> float | None:
    try:
        look()
    except Exception:  # whatever it is, no port stays open that nobody looks at any more
        stop("Receiving has ended with an error, which is in the console.")
        raise
    return INTERVAL if current is not None else None


@persistent
def _file_begins(*_: object) -> None:
    """Another file is loaded: its objects are others."""
    stop()


@persistent
def _save_begins(*_: object) -> None:
    """A file is saved: it holds the pose before; the next look shows the performance again."""
    if current is not None:
        put_back()


@persistent
def _frame_changed(*_: object) -> None:
    """Playback has set the avatar to its animation: what is performed to it shows on top."""
    screen = bpy.context.screen
    if current is not None and screen is not None and screen.is_animation_playing:
        current.shown = None
        look()


HANDLERS = (("load_pre", _file_begins), ("save_pre", _save_begins), ("frame_change_post", _frame_changed))


def register() -> None:
    """Watch over files."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """End receiving, and watch no more."""
    global ended, unlaid
    stop()
    ended, unlaid = "", None
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
