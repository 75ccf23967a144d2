"""Blender's door to Likeness: it hands on to the add-on and does nothing else."""

from . import addon


def register() -> None:
    """Called by Blender when the extension is enabled."""
    addon.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    addon.unregister()
