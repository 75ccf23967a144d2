"""The mesh: faces, colours, shape keys, and the drivers of those that follow the bones."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy.types import Material, Mesh, Object

from .prepare import PreparedAvatar, PreparedKey

COLOR_ATTRIBUTE = "Portrait"
QUATERNION = {"w": "ROT_W", "x": "ROT_X", "y": "ROT_Y", "z": "ROT_Z"}


def make_mesh(name: str, prepared: PreparedAvatar) -> Mesh:
    """Make the mesh at rest.

    The scaffold's vertices carry hair and torso. They have no faces and are hidden, so that edit mode shows no dots
    round the head and does not select them.
    """
    mesh = bpy.data.meshes.new(name)
    faces = prepared.faces
    mesh.vertices.add(len(prepared.vertices))
    mesh.vertices.foreach_set("co", prepared.vertices.ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(faces, np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    uv = mesh.uv_layers.new(name="UVMap")
    uv.data.foreach_set("uv", np.ascontiguousarray(prepared.uv, np.float32).ravel())
    _add_colors(mesh, prepared.vertex_colors)
    mesh.update(calc_edges=True)
    mesh.vertices.foreach_set("hide", np.bincount(faces.ravel(), minlength=len(prepared.vertices)) == 0)
    mesh.shade_smooth()
    mesh.materials.append(_material(name))
    return mesh


def add_shape_keys(mesh: Object, keys: Sequence[PreparedKey]) -> None:
    """Add the basis and the keys, all at zero."""
    mesh.shape_key_add(name="Basis", from_mix=False)
    mesh.data.shape_keys.name = mesh.name  # as which the Dope Sheet lists them
    for prepared in keys:
        key = mesh.shape_key_add(name=prepared.name, from_mix=False)
        key.points.foreach_set("co", prepared.positions.ravel())  # far faster than `data`
        key.slider_min, key.slider_max = prepared.range
        key.value = 0.0  # Blender 5.0 begins with 1


def add_drivers(mesh: Object, armature: Object, keys: Sequence[PreparedKey]) -> None:
    """Let the bones drive the keys that follow them, by expressions that Blender evaluates without Python."""
    for key in keys:
        if key.expression:
            _add_driver(mesh, armature, key)


def _add_driver(mesh: Object, armature: Object, key: PreparedKey) -> None:
    path = f'key_blocks["{key.name}"].value'
    driver = mesh.data.shape_keys.driver_add(path).driver
    driver.type = "SCRIPTED"
    for name in sorted(set(key.expression) & set(QUATERNION)):
        variable = driver.variables.new()
        variable.name, variable.type = name, "TRANSFORMS"
        target = variable.targets[0]
        target.id, target.bone_target = armature, key.bone
        target.transform_type, target.transform_space = QUATERNION[name], "LOCAL_SPACE"
        target.rotation_mode = "QUATERNION"
    driver.expression = key.expression


def _add_colors(mesh: Mesh, colors: np.ndarray) -> None:
    rgba = np.concatenate([colors, np.ones((len(colors), 1))], axis=1).astype(np.float32)
    attribute = mesh.color_attributes.new(COLOR_ATTRIBUTE, "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color", rgba.ravel())
    mesh.color_attributes.active_color = attribute


def _material(name: str) -> Material:
    """Make a material with the photograph's colours, so that the bare mesh is recognised too."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    nodes = material.node_tree.nodes
    colors = nodes.new("ShaderNodeVertexColor")
    colors.layer_name = COLOR_ATTRIBUTE
    colors.location = (-300, 200)
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.7
    material.node_tree.links.new(colors.outputs["Color"], shader.inputs["Base Color"])
    return material
