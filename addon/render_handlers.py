"""The render's handlers: in the background, on farms, and in a window, where a thread of the render's calls them.

They change the file in the main thread alone; in that thread they wait for the engine and read what is evaluated.
"""

from __future__ import annotations

from functools import partial

import bpy
from bpy.app.handlers import persistent

from . import main_thread
from .render import run


@persistent
def _render_begins(scene: bpy.types.Scene, *_: object) -> None:
    main_thread.call(partial(run.begin, scene))


@persistent
def _frame_begins(scene: bpy.types.Scene, *_: object) -> None:
    run.before_frame(scene)


@persistent
def _frame_evaluated(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    run.frame(scene, depsgraph)


@persistent
def _frame_ends(scene: bpy.types.Scene, *_: object) -> None:
    run.after_frame(scene)


@persistent
def _render_ends(*_: object) -> None:
    main_thread.call(run.end)


@persistent
def _exchanged(*_: object) -> None:
    """Another file, undo or redo."""
    run.tidy()


HANDLERS = (
    ("render_init", _render_begins),
    ("render_pre", _frame_begins),
    ("frame_change_post", _frame_evaluated),
    ("render_post", _frame_ends),
    ("render_complete", _render_ends),
    ("render_cancel", _render_ends),
    ("load_post", _exchanged),
    ("undo_post", _exchanged),
    ("redo_post", _exchanged),
)


def register() -> None:
    """Take part in every render from now on."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Take part no more."""
    run.end()
    for name, handler in HANDLERS:
        listed = getattr(bpy.app.handlers, name)
        if handler in listed:
            listed.remove(handler)
