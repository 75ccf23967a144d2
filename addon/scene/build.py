"""From a prepared avatar to Blender's own data: a collection with armature, mesh and points."""

from __future__ import annotations

import bpy
from bpy.types import Collection, Context, Image, LayerCollection, Object

from ..conventions import metres_to_units
from .actions import new_expression
from .armature import add_armature, bind_mesh
from .display import apply_display
from .mesh import add_drivers, add_shape_keys, make_mesh
from .prepare import PreparedAvatar
from .splats import make_splats


def add_avatar(context: Context, prepared: PreparedAvatar, name: str) -> Object:
    """Add an avatar at the 3D cursor and return its mesh, which becomes active; it and its rig alone are selected.

    Needs object mode. Blender may number the name.
    """
    for obj in context.selected_objects:
        obj.select_set(False)
    collection = _collection(context, name)
    armature = add_armature(context, collection, f"{name} Rig", prepared.bones)
    armature.location = context.scene.cursor.location
    armature.scale = (metres_to_units(context.scene.unit_settings.scale_length),) * 3
    mesh = _mesh_object(collection, name, prepared, armature)
    splats = make_splats(f"{name} Splats", prepared.points)
    collection.objects.link(splats)
    splats.parent = mesh
    _remember(mesh, splats, prepared)
    apply_display(mesh)
    for obj in (armature, mesh):  # the rig too, so that moving, turning and duplicating take the whole head
        obj.select_set(True)
    context.view_layer.objects.active = mesh
    return mesh


def _collection(context: Context, name: str) -> Collection:
    """Make the avatar's collection under the active one, or under the scene's if that one is not in view."""
    collection = bpy.data.collections.new(name)
    active = context.view_layer.active_layer_collection
    parent = active.collection if _is_in_view(active) else context.scene.collection
    parent.children.link(collection)
    return collection


def _is_in_view(layer: LayerCollection) -> bool:
    return layer.is_visible and not layer.exclude and layer.collection.library is None


def _mesh_object(collection: Collection, name: str, prepared: PreparedAvatar, armature: Object) -> Object:
    mesh = bpy.data.objects.new(name, make_mesh(name, prepared))
    collection.objects.link(mesh)
    add_shape_keys(mesh, prepared.keys)
    bind_mesh(mesh, armature, prepared.bones)
    add_drivers(mesh, armature, prepared.keys)
    # Moved without its rig, the head would turn about a point beside it.
    mesh.lock_location = mesh.lock_rotation = mesh.lock_scale = (True, True, True)
    mesh.hide_render = True  # the photographed head is what is to be rendered, not its carrier
    return mesh


def _remember(mesh: Object, splats: Object, prepared: PreparedAvatar) -> None:
    """Write down what the avatar is, beside what Blender's own data say."""
    settings = mesh.likeness
    settings.splats = splats
    settings.vertex_count = len(prepared.vertices)
    settings.light, settings.light_still = (
        array.ravel().tolist() for array in (prepared.light.harmonics, prepared.light.still)
    )
    settings.light_body, settings.light_head = prepared.light.body.tolist(), prepared.light.head.tolist()
    settings.head_model = prepared.info.head_model
    settings.head_model_licence = prepared.info.head_model_licence
    settings.head_model_hash = prepared.info.head_model_hash
    portrait, view = settings.portrait, prepared.view
    portrait.image = _packed_image(f"{mesh.name} Portrait", prepared.portrait_png)
    portrait.K = view.K.ravel().tolist()
    portrait.T_camera_head = view.T_camera_head.ravel().tolist()
    portrait.size = (view.width, view.height)
    portrait.face_square = view.face_square
    portrait.pose = view.pose.ravel().tolist()
    portrait.expression = new_expression(f"{mesh.name} Portrait", prepared.portrait_expression)


def _packed_image(name: str, png: bytes) -> Image:
    image = bpy.data.images.new(name, 1, 1)
    image.source = "FILE"
    image.filepath_raw = f"//{bpy.path.clean_name(name)}.png"  # what unpacking it would write
    image.pack(data=png, data_len=len(png))
    return image
