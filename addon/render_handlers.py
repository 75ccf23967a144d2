"""The render's handlers, for renders without a window: `blender -b`, farms, the bpy module."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from .render import run


@persistent
def _render_begins(scene: bpy.types.Scene, *_: object) -> None:
    run.begin(scene)


@persistent
def _frame_begins(scene: bpy.types.Scene, *_: object) -> None:
    run.before_frame(scene)


@persistent
def _frame_evaluated(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    run.frame(scene, depsgraph)


@persistent
def _render_ends(*_: object) -> None:
    run.end()


HANDLERS = (
    ("render_init", _render_begins),
    ("render_pre", _frame_begins),
    ("frame_change_post", _frame_evaluated),
    ("render_complete", _render_ends),
    ("render_cancel", _render_ends),
)


def register() -> None:
    """Take part in every render from now on.

    Not in a window: there a render's thread and a viewport that is being drawn have been seen to wait for each other.
    """
    if not bpy.app.background:
        return
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Take part no more."""
    run.end()
    for name, handler in HANDLERS:
        listed = getattr(bpy.app.handlers, name)
        if handler in listed:
            listed.remove(handler)
