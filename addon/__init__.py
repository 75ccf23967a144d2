"""The Blender side of Likeness.

Importing this package imports no bpy, so that `addon.client` and its neighbours serve programs outside Blender too.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODULES = (
    "preferences",
    "properties",
    "performance_properties",
    "live_properties",
    "main_thread",
    "session",
    "performances",
    "receiving",
    "operators.setup",
    "operators.create",
    "operators.avatar",
    "operators.expression",
    "operators.presets",
    "operators.plate",
    "operators.turnaround",
    "operators.sheets",
    "operators.performance",
    "operators.live",
    "handlers",
    "render_handlers",
    "sign_handlers",
    "keying",
    "panels.avatar",
    "panels.expression",
    "panels.performance",
    "panels.render",
    "panels.live",
    "panels.setup",
)
"""Everything that registers with Blender, in order; unregistered in reverse."""


def register() -> None:
    """Register every module with Blender; if one fails, leave nothing registered."""
    done: list[ModuleType] = []
    try:
        for module in _modules():
            module.register()
            done.append(module)
    except Exception:
        for module in reversed(done):
            module.unregister()
        raise


def unregister() -> None:
    """Take back all that `register` did."""
    for module in reversed(_modules()):
        module.unregister()


def _modules() -> list[ModuleType]:
    return [import_module(f".{name}", __package__) for name in MODULES]
