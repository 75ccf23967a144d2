"""The viewport overlay's handlers: drawing, and being told of changes. Nothing of it in background mode."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from .overlay import state
from .overlay.draw import draw_viewport, release
from .viewports import redraw_viewports

_draw_handle: object | None = None


@persistent
def _exchanged(*_: object) -> None:
    """Another file, undo or redo: every object may be another one now."""
    state.exchange()


@persistent
def _updated(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    state.note_updates(depsgraph, playback=False)


@persistent
def _frame_changed(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    state.note_updates(depsgraph, playback=True)


HANDLERS = (
    ("load_pre", _exchanged),
    ("load_post", _exchanged),
    ("undo_post", _exchanged),
    ("redo_post", _exchanged),
    ("depsgraph_update_post", _updated),
    ("frame_change_post", _frame_changed),
)


def register() -> None:
    """Draw from now on."""
    global _draw_handle
    if bpy.app.background:
        return
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    _draw_handle = bpy.types.SpaceView3D.draw_handler_add(draw_viewport, (), "WINDOW", "POST_VIEW")
    redraw_viewports()


def unregister() -> None:
    """Stop drawing and free everything."""
    global _draw_handle
    if _draw_handle is None:
        return
    bpy.types.SpaceView3D.draw_handler_remove(_draw_handle, "WINDOW")
    _draw_handle = None
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    state.exchange()
    release()
    redraw_viewports()
