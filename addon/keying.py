"""The keying set "Likeness Expression": everything an animator keys on the active avatar, with Blender's own keys."""

from __future__ import annotations

import bpy
from bpy.types import Context, KeyingSet, KeyingSetInfo, Object

from .scene import find, keys


class ExpressionKeyingSet(KeyingSetInfo):
    """Every control and every bone of the active avatar"""

    bl_idname = "LikenessExpression"
    bl_label = "Likeness Expression"
    bl_description = "Insert a keyframe for every control and every bone of the active avatar"

    def poll(self, context: Context) -> bool:
        """Ask for an active avatar."""
        return find.active_avatar(context) is not None

    def iterator(self, context: Context, keying_set: KeyingSet) -> None:
        """Go over the active avatar."""
        self.generate(context, keying_set, find.active_avatar(context))

    def generate(self, _context: Context, keying_set: KeyingSet, mesh: Object) -> None:
        """Add the avatar's channels, grouped as in the panel."""
        for channel in keys.channels(mesh):
            keying_set.paths.add(channel.owner, channel.path, group_method="NAMED", group_name=channel.group)


CLASSES = (ExpressionKeyingSet,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
