"""The points object: an avatar's Gaussians as attributes of vertices, which every Blender can read and keep."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from bpy.types import Object


def make_splats(name: str, points: Mapping[str, np.ndarray]) -> Object:
    """Make a mesh of loose points with these attributes; hidden, because the overlay draws it."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(points["position"]))
    for attribute, values in points.items():
        _set_attribute(mesh, attribute, values)
    splats = bpy.data.objects.new(name, mesh)
    splats.hide_viewport = splats.hide_render = splats.hide_select = True
    return splats


def _set_attribute(mesh: bpy.types.Mesh, name: str, values: np.ndarray) -> None:
    if values.ndim == 2:
        kind, field, dtype = "FLOAT_VECTOR", "vector", np.float32
    elif values.dtype.kind == "i":
        kind, field, dtype = "INT", "value", np.int32
    else:
        kind, field, dtype = "FLOAT", "value", np.float32
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set(field, np.ascontiguousarray(values, dtype).ravel())
