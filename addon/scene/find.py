"""Where the avatars are. An object is an avatar when it is a mesh whose `likeness.splats` is set."""

from __future__ import annotations

import bpy
from bpy.types import Context, Mesh, Object, Scene, ShapeKey

CORRECTIVE_PREFIX = "pose."
"""Shape keys that follow the bones by drivers; all others but the basis are controls."""
SPLATS_MARK = "local_basis_0"
"""An attribute that every points object has, and hardly another mesh."""
_last_found: tuple[str, str | None] = ("", None)
"""By name and library, for a reference would not outlive undo."""


def avatars(scene: Scene) -> list[Object]:
    """Return the meshes of the scene's avatars, by name."""
    return sorted((each for each in scene.objects if is_avatar(each)), key=lambda each: each.name)


def is_avatar(obj: Object) -> bool:
    """Tell whether an object is an avatar's mesh."""
    return obj.type == "MESH" and obj.likeness.splats is not None


def avatar_of(obj: Object | None) -> Object | None:
    """Return the avatar that an object is or belongs to: its mesh, its armature or its splats."""
    if obj is None or is_avatar(obj):
        return obj
    if obj.type == "ARMATURE":
        return _avatar_of_armature(obj)
    if obj.type != "MESH" or SPLATS_MARK not in obj.data.attributes:  # panels ask often, and files hold many objects
        return None
    return next((mesh for mesh in _all_avatars() if mesh.likeness.splats == obj), None)


def active_avatar(context: Context) -> Object | None:
    """Return the avatar of the active object, or the only one of the scene."""
    active = avatar_of(context.view_layer.objects.active)
    if active is not None:
        return active
    known = avatars(context.scene)
    return known[0] if len(known) == 1 else None


def selected_avatars(context: Context) -> list[Object]:
    """Return the avatars any part of which is selected, by name."""
    chosen = {avatar_of(each) for each in context.selected_objects}
    return [mesh for mesh in avatars(context.scene) if mesh in chosen]


def armature_of(mesh: Object) -> Object | None:
    """Return the armature that moves the avatar."""
    used = (modifier.object for modifier in mesh.modifiers if modifier.type == "ARMATURE")
    return next((armature for armature in used if armature is not None), None)


def avatars_of_data(data: Mesh) -> list[Object]:
    """Return the avatars that share a mesh's data: linked duplicates."""
    return [mesh for mesh in _all_avatars() if mesh.data == data]


def controls(mesh: Object) -> list[ShapeKey]:
    """Return the shape keys that an animator sets: neither the basis nor those that follow the bones."""
    keys = mesh.data.shape_keys
    return [key for key in keys.key_blocks[1:] if not key.name.startswith(CORRECTIVE_PREFIX)] if keys else []


def _avatar_of_armature(armature: Object) -> Object | None:
    """Look first where the last one was found: every button asks at every redraw in pose mode."""
    global _last_found
    known = bpy.data.objects.get(_last_found)
    if known is not None and is_avatar(known) and armature_of(known) == armature:
        return known
    found = next((mesh for mesh in _all_avatars() if armature_of(mesh) == armature), None)
    if found is not None:
        _last_found = (found.name, found.library.filepath if found.library else None)
    return found


def _all_avatars() -> list[Object]:
    return [each for each in bpy.data.objects if is_avatar(each)]
