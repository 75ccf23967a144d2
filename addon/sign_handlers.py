"""When signs are put up, for machines without this extension, and taken down: round every save."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from . import main_thread
from .scene import sign


@persistent
def _render_begins(*_: object) -> None:
    main_thread.call(sign.take_down)


@persistent
def _save_begins(*_: object) -> None:
    if not bpy.app.is_job_running("RENDER"):  # whose frames would show them
        sign.put_up()


@persistent
def _sweep(*_: object) -> None:
    sign.take_down()


HANDLERS = (
    ("save_pre", _save_begins),
    ("save_post", _sweep),
    ("save_post_fail", _sweep),
    ("load_post", _sweep),
    ("blend_import_post", _sweep),  # since Blender 4.3
    ("render_init", _render_begins),
)


def register() -> None:
    """Take part in every save from now on."""
    for name, handler in HANDLERS:
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Take part no more."""
    for name, handler in HANDLERS:
        listed = getattr(bpy.app.handlers, name, [])
        if handler in listed:
            listed.remove(handler)
