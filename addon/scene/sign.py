"""The sign that a .blend shows where this extension is not: each avatar as a magenta head, and in renders alone.

A machine without the extension would render a scene as if its avatars had never been in it. So every file is saved
with a stand-in beside each avatar; with the extension there are none but while a file is being written.
"""

from __future__ import annotations

import bpy
from bpy.types import Material, Object

from .find import armature_of, is_avatar

TEXT = "Likeness extension is not enabled"
"""The names of the stand-ins and their material, for whoever meets them in the Outliner."""
MARK = "likeness_sign"
MAGENTA = (1.0, 0.0, 1.0, 1.0)


def put_up() -> None:
    """Give each avatar of this file its stand-in."""
    take_down()
    meshes = [mesh for mesh in bpy.data.objects if mesh.library is None and is_avatar(mesh)]
    if meshes:
        material = _material()
        for mesh in meshes:
            _add(mesh, material)


def take_down() -> None:
    """Remove all stand-ins; those of linked files, which are not ours to remove, are kept out of renders."""
    for sign in [each for each in bpy.data.objects if MARK in each]:
        if sign.library is not None:
            sign.animation_data_clear()  # its driver would show it again
            sign.hide_render = True
        else:
            bpy.data.objects.remove(sign)
    for material in [each for each in bpy.data.materials if MARK in each and not each.users and each.library is None]:
        bpy.data.materials.remove(material)


def _add(mesh: Object, material: Material) -> None:
    sign = bpy.data.objects.new(TEXT, mesh.data)
    sign[MARK] = True
    sign.hide_viewport = sign.hide_select = True
    for slot in sign.material_slots:
        slot.link, slot.material = "OBJECT", material
    sign.parent, sign.parent_type, sign.parent_bone = mesh.parent, mesh.parent_type, mesh.parent_bone
    sign.matrix_parent_inverse, sign.matrix_basis = mesh.matrix_parent_inverse, mesh.matrix_basis
    _hide_with(sign, armature_of(mesh))
    for collection in mesh.users_collection:
        collection.objects.link(sign)


def _hide_with(sign: Object, armature: Object | None) -> None:
    """Leave the sign out of renders when the avatar's rig is; keyed or not, and without Python."""
    if armature is None:
        return
    driver = sign.driver_add("hide_render").driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = armature, "hide_render"


def _material() -> Material:
    """Make a material that shines as missing textures do."""
    material = bpy.data.materials.new(TEXT)
    material[MARK] = True
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value = MAGENTA
    material.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
    return material
