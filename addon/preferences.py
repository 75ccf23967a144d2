"""The extension's preferences: which engine, on which device, and what a new avatar starts with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from .environment import Bundle, bundle_in
from .properties import QUALITY_ITEMS

EXTENSION = __package__.rpartition(".")[0]
"""The extension's own package, as Blender calls it; empty when the add-on is imported from a checkout."""
DEVICE_ITEMS = (
    ("auto", "Automatic", "The graphics card where the engine can use it, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "The NVIDIA graphics card; fails where there is none"),
)
COMMAND_HELP = (
    "Leave empty for the engine that Likeness sets up by itself. Else a folder with an engine's environment "
    "(/studio/likeness), its Python (/studio/likeness/bin/python), or a command (ssh host likeness serve). "
    "The environment variable LIKENESS_ENGINE wins over this"
)

sections: list[Callable[[bpy.types.UILayout, bpy.types.Context], None]] = []
"""What the panels, which lie above this file, draw at the top of the preferences."""


class LikenessPreferences(bpy.types.AddonPreferences):
    """Edit > Preferences > Add-ons > Likeness."""

    bl_idname = EXTENSION or "likeness"

    engine_command: StringProperty(name="Engine", description=COMMAND_HELP)
    device: EnumProperty(items=DEVICE_ITEMS, name="Device", description="What the engine computes on")
    quality: EnumProperty(
        items=QUALITY_ITEMS, name="Quality", description="The quality that a new avatar starts with", default="standard"
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the engine's state, then the settings."""
        for section in sections:
            section(self.layout, context)
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        for name in ("engine_command", "device", "quality"):
            column.prop(self, name)


def get_preferences() -> LikenessPreferences | None:
    """Return the preferences; None where the add-on runs without being enabled as one."""
    addon = bpy.context.preferences.addons.get(LikenessPreferences.bl_idname)
    return addon.preferences if addon else None


def engine_folder() -> Path | None:
    """Return the folder for the engine's environment, which need not exist; None outside an installed extension."""
    if not EXTENSION.startswith("bl_ext."):
        return None
    return Path(bpy.utils.extension_path_user(EXTENSION, path="engine"))


def bundle() -> Bundle:
    """Return what this extension carries for its engine."""
    return bundle_in(Path(__file__).resolve().parents[1])


CLASSES = (LikenessPreferences,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
