"""What a Blender file holds, to compare before and after."""

from __future__ import annotations

import bpy


def dump() -> dict[str, object]:
    """Return every datablock's name by kind, what each object hangs on, and what is selected and active."""
    kinds = [name for name in dir(bpy.data) if isinstance(getattr(bpy.data, name), bpy.types.bpy_prop_collection)]
    blocks = {kind: sorted(item.name_full for item in getattr(bpy.data, kind)) for kind in kinds}
    objects = {
        item.name: (item.type, item.parent and item.parent.name, item.data and item.data.name)
        for item in bpy.data.objects
    }
    layer = bpy.context.view_layer
    active = layer.objects.active and layer.objects.active.name
    chosen = sorted(item.name for item in layer.objects if item.select_get())
    return {"blocks": blocks, "objects": objects, "active": active, "selected": chosen}
