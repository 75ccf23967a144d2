"""The scene's depth for viewports where Blender leaves none: evaluated meshes, instances, curves and text as meshes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import bpy
import gpu
import numpy as np
from mathutils import Matrix

from . import state
from .shaders import occluder_shader
from .splats import uniform_buffer

if TYPE_CHECKING:
    from .targets import Target
    from .view import View

NO_SURFACE = {"BOUNDS", "WIRE"}
"""Display types that leave the background to be seen; an avatar that shows splats has BOUNDS."""


class OccluderPainter:
    """The depth program and the triangles of the meshes drawn so far."""

    def __init__(self) -> None:
        self._shader = occluder_shader()
        self._batches: dict[tuple[int, ...], gpu.types.GPUBatch | None] = {}

    def content(self, view: View, space: bpy.types.SpaceView3D) -> tuple[object, ...]:
        """Return all that the depth depends on."""
        known = state.current
        shown = (space.local_view is not None, space.use_local_collections, space.show_object_viewport_mesh)
        return (view.key, known.files, known.transforms, *shown)

    def paint(self, depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D, view: View, target: Target) -> None:
        """Draw the window depth of every visible surface; 1 where there is none."""
        uniforms = uniform_buffer(view.uniforms(Matrix.Identity(4)))
        used = set()
        with target.framebuffer.bind():
            target.framebuffer.clear(color=(1.0, 1.0, 1.0, 1.0), depth=1.0)
            gpu.state.blend_set("NONE")
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            self._shader.bind()
            self._shader.uniform_block("cam", uniforms)
            for key, mesh, matrix in _surfaces(depsgraph, space):
                used.add(key)
                self._draw(key, mesh, view.view @ matrix)
        gpu.state.depth_mask_set(False)
        self._batches = {key: batch for key, batch in self._batches.items() if key in used}

    def _draw(self, key: tuple[int, ...], mesh: bpy.types.Mesh, to_view: Matrix) -> None:
        if key not in self._batches:
            self._batches[key] = _triangles(mesh)
        batch = self._batches[key]
        if batch is not None:
            self._shader.uniform_float("model", to_view)
            batch.draw(self._shader)


def _surfaces(
    depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D
) -> Iterator[tuple[tuple[int, ...], bpy.types.Mesh, Matrix]]:
    """Yield what can hide something: a key that changes with the geometry, the mesh, and its place in the world.

    The dependency graph hands out curves, text and what geometry nodes make as meshes too.
    """
    for instance in depsgraph.object_instances:
        item = instance.object
        owner = instance.parent if instance.is_instance else item
        if item.type == "MESH" and instance.show_self and _is_shown(item, owner, space):
            mesh, owner_uid = item.data, owner.original.session_uid
            epoch = state.current.geometry[owner_uid] + state.current.geometry[item.original.session_uid]
            key = (mesh.as_pointer(), len(mesh.vertices), len(mesh.polygons), owner_uid, epoch, state.current.files)
            yield key, mesh, instance.matrix_world.copy()


def _is_shown(item: bpy.types.Object, owner: bpy.types.Object, space: bpy.types.SpaceView3D) -> bool:
    return (
        item.display_type not in NO_SURFACE
        and item.visible_camera
        and space.show_object_viewport_mesh
        and owner.visible_in_viewport_get(space)
    )


def _triangles(mesh: bpy.types.Mesh) -> gpu.types.GPUBatch | None:
    """Upload a mesh's triangles; None for a mesh without faces."""
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    if not count:
        return None
    corners = np.empty((count, 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners.reshape(-1))
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points.reshape(-1))
    form = gpu.types.GPUVertFormat()
    form.attr_add(id="pos", comp_type="F32", len=3, fetch_mode="FLOAT")
    vertices = gpu.types.GPUVertBuf(form, len(points))
    vertices.attr_fill("pos", points)
    return gpu.types.GPUBatch(type="TRIS", buf=vertices, elem=gpu.types.GPUIndexBuf(type="TRIS", seq=corners))
