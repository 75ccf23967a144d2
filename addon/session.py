"""What this Blender has one of: the engine, the work in progress, and what there is to tell about the last one.

The engine is started early and kept warm, across files too. While something is going on a timer redraws the panels;
it ends by itself. Everything here is for the main thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import bpy

from likeness.contract.errors import LikenessError, MachineError
from likeness.contract.messages import AvatarCreated, CreateAvatar

from . import preferences
from .client import EngineClient, EngineState, EngineStatus, Job
from .command import engine_command
from .environment import own_environment
from .viewports import redraw_sidebars

T = TypeVar("T")
INTERVAL = 0.1
"""Seconds between looks at what is going on."""


class Work(Protocol):
    """Something going on that the panels show."""

    stage: str
    fraction: float

    def cancel(self) -> None:
        """Ask it to end; returns at once."""


work: Work | None = None
last_error: LikenessError | None = None
"""Why the last attempt failed, until it is dismissed or another one begins."""
warnings: tuple[str, ...] = ()
"""What was poor about the last photograph, until it is dismissed or another one begins."""

_client: EngineClient | None = None
_command: list[str] = []
_none: LikenessError | None = None
"""Why there is no engine to start."""
_woken_for: str | None = None
"""The preference for which `wake` has started an engine; it does so once, whatever becomes of it."""
_shown: tuple[object, ...] = ()
"""What the panels show, to redraw them only for something new."""


def client() -> EngineClient:
    """Return the engine's client, started; one by another command is replaced.

    Errors: MachineError `engine.none`, `engine.not_found` where there is no engine to start.
    """
    global _client, _command, _none
    folder = preferences.engine_folder()
    try:
        command, _none = engine_command(preference(), folder and own_environment(folder)), None
    except MachineError as error:
        stop()
        _none = error
        raise
    if _client is None or command != _command:
        stop()
        _client, _command = EngineClient(command), command
    _client.start()
    _watch()
    return _client


def status() -> EngineStatus:
    """Return where the engine stands; starts nothing."""
    if _client is not None:
        return _client.status
    return EngineStatus(EngineState.FAILED, error=_none) if _none else EngineStatus()


def submit(request: CreateAvatar, then: Callable[[AvatarCreated], T]) -> Job[T]:
    """Send a request to the engine, starting it if need be; errors as `client`."""
    return client().submit(request, then)


def restart() -> None:
    """Stop the engine and start it again, by today's preferences; a failure is in the status.

    What the last attempt told is dismissed: it is mostly of the engine that is gone.
    """
    dismiss()
    stop()
    try:
        client()
    except LikenessError:
        redraw_sidebars()  # the status says why


def stop() -> None:
    """Stop the engine; returns at once."""
    global _client, _none
    if _client is not None:
        _client.close()
    _client = _none = None


def wake() -> None:
    """Have the engine started soon, once for each setting of the preferences; may be called while drawing."""
    global _woken_for
    if not bpy.app.background and _woken_for != preference():
        _woken_for = preference()
        if bpy.app.timers.is_registered(_start):  # the preference is being typed
            return
        bpy.app.timers.register(_start, first_interval=INTERVAL, persistent=True)


def preference() -> str:
    """Return the preference that names an engine; empty outside an enabled extension."""
    settings = preferences.get_preferences()
    return settings.engine_command if settings else ""


def begin(started: Work) -> None:
    """Show this as the work in progress; what there was to tell of the one before is dismissed."""
    global work
    dismiss()
    work = started
    _watch()


def end() -> None:
    """Show no work in progress."""
    global work
    work = None
    redraw_sidebars()


def dismiss() -> None:
    """Forget the last error and warnings."""
    tell(error=None)


def tell(*, error: LikenessError | None, warned: tuple[str, ...] = ()) -> None:
    """Keep for the panels why work failed, or what was poor about it."""
    global last_error, warnings
    last_error, warnings = error, warned
    redraw_sidebars()


def _start() -> None:
    settings, chosen = bpy.context.window_manager.likeness, preferences.get_preferences()
    if chosen and not settings.is_property_set("quality"):
        settings.quality = chosen.quality
    try:
        client()
    except LikenessError:
        redraw_sidebars()  # the status says why


def _watch() -> None:
    """Look at what is going on from time to time, until nothing is."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=INTERVAL, persistent=True)


def _look() -> float | None:
    global _shown
    now = (status(), work, *((work.stage, work.fraction) if work else ()))
    if now != _shown:
        _shown = now
        redraw_sidebars()
    return INTERVAL if work or status().state == EngineState.STARTING else None


def register() -> None:
    """Begin without an engine."""


def unregister() -> None:
    """Stop the engine and the timers, and forget everything."""
    global work, _woken_for
    if work:
        work.cancel()
    work = _woken_for = None
    dismiss()
    stop()
    for timer in (_look, _start):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
