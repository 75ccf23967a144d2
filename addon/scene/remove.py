"""Take an avatar away."""

from __future__ import annotations

import bpy
from bpy.types import Collection, Key, Object

from .find import armature_of, avatar_of, avatars_of_data


def remove_avatar(mesh: Object) -> None:
    """Remove the avatar's objects and their data, as far as no other avatar uses them, and its empty collection."""
    collections = list(mesh.users_collection)
    armature, splats, portrait = armature_of(mesh), mesh.likeness.splats, mesh.likeness.portrait
    image, action = portrait.image, portrait.expression
    for heir in avatars_of_data(mesh.data):
        if heir != mesh and armature_of(heir) not in (None, armature):
            _retarget(mesh.data.shape_keys, armature, armature_of(heir))
    _remove_object(mesh)
    for other in (armature, splats):
        if other is not None and avatar_of(other) is None:
            _remove_object(other)
    for data in (image, action):
        _remove_unused(data)
    for collection in collections:
        _remove_if_empty(collection)


def _retarget(keys: Key, old: Object | None, new: Object) -> None:
    """Let the bones of another armature drive the shape keys: linked duplicates share keys and so their drivers."""
    for curve in keys.animation_data.drivers if keys and keys.animation_data else ():
        for target in (variable.targets[0] for variable in curve.driver.variables):
            if target.id == old:
                target.id = new


def _remove_object(obj: Object) -> None:
    data, materials = obj.data, list(getattr(obj.data, "materials", ()))
    bpy.data.objects.remove(obj)
    for each in (data, *materials):
        _remove_unused(each)


def _remove_unused(data: bpy.types.ID | None) -> None:
    if data is not None and data.users - data.use_fake_user == 0:
        bpy.data.batch_remove([data])


def _remove_if_empty(collection: Collection) -> None:
    if collection in bpy.data.collections.values() and not collection.all_objects and not collection.children:
        bpy.data.collections.remove(collection)
