"""The parts of the add-on that Create needs, registered for a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import bpy

MODULES = ("preferences", "properties", "session", "operators.create", "operators.avatar", "panels.avatar")


@contextmanager
def registered() -> Iterator[None]:
    """Begin with an empty file and the parts registered; take them back afterwards."""
    bpy.ops.wm.read_homefile(use_empty=True)
    modules = [import_module(f"addon.{name}") for name in MODULES]
    for module in modules:
        module.register()
    try:
        yield
    finally:
        for module in reversed(modules):
            module.unregister()
