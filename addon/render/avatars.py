"""Which avatars a view layer renders, and what the engine must know of them in a frame.

An avatar is rendered where its collection is, unless its rig is disabled in renders. Its mesh and splats are disabled
by build, and Blender leaves what is disabled out of a render's dependency graph: the mesh would stay as the viewport
last saw it. While a render runs the splats, points of which no engine draws anything, are therefore enabled, with
constraints that make Blender evaluate the meshes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from bpy.types import Depsgraph, LayerCollection, Object, Scene, ViewLayer

from likeness.contract.errors import InputError

from ..overlay.layout import Gaussians
from ..overlay.source import light_of, read_gaussians
from ..scene.find import armature_of, avatars
from .engine import key_of
from .marks import CONSTRAINT, change

Array = Annotated


@dataclass(frozen=True)
class Source:
    """An avatar for as long as a render lasts."""

    mesh: Object
    gaussians: Gaussians
    key: str


@dataclass(frozen=True)
class Placed:
    """An avatar in a frame."""

    source: Source
    vertices: Array[np.ndarray, "V 3"]
    """Object space, float32."""
    matrix_world: Array[np.ndarray, "4 4"]


def in_render(scene: Scene, view_layer: ViewLayer) -> tuple[Object, ...]:
    """Return the meshes of the avatars that a view layer renders."""
    found = avatars(scene)
    if not found:
        return ()
    collections = {layer.collection for layer in _rendered(view_layer.layer_collection)}
    return tuple(mesh for mesh in found if collections & set(mesh.users_collection) and not _is_always_disabled(mesh))


def read_source(mesh: Object) -> Source:
    """Read what does not change while a render lasts. Errors: InputError `overlay.splats`."""
    gaussians = read_gaussians(mesh.name, mesh.likeness.splats, mesh.likeness.vertex_count, light_of(mesh))
    return Source(mesh, gaussians, key_of(gaussians))


def is_disabled(mesh: Object, depsgraph: Depsgraph) -> bool:
    """Tell whether the avatar's rig is disabled in renders in this frame."""
    armature = armature_of(mesh)
    return armature is not None and armature.evaluated_get(depsgraph).hide_render


def place(source: Source, depsgraph: Depsgraph) -> Placed:
    """Read an avatar's pose. Errors: InputError `render.mesh`, `render.unseen`."""
    mesh = source.mesh.evaluated_get(depsgraph)
    if not mesh.is_evaluated:
        message = f"{source.mesh.name} is rendered, but its splats lie in a collection that is not."
        raise InputError("render.unseen", message, "Enable the collection that its splats lie in.")
    count, expected = len(mesh.data.vertices), source.mesh.likeness.vertex_count
    if count != expected:
        message = f"The mesh of {source.mesh.name} has {count} vertices in the render instead of {expected}."
        raise InputError("render.mesh", message, "Undo the edit, or turn off the modifier that changes their number.")
    vertices = np.empty((count, 3), np.float32)
    mesh.data.attributes["position"].data.foreach_get("vector", vertices.reshape(-1))
    return Placed(source, vertices, np.array(mesh.matrix_world, np.float64))


def enable(meshes: Sequence[Object]) -> None:
    """Have Blender evaluate these meshes in renders, and cameras not see those that cast shadows."""
    for mesh in (each for each in meshes if each.likeness.shadow):
        change(mesh, "visible_camera", False)
    for splats in {mesh.likeness.splats for mesh in meshes}:
        change(splats, "hide_render", False)
        for mesh in meshes:
            _look_at_shape(splats, mesh)


def _look_at_shape(splats: Object, mesh: Object) -> None:
    """Make an object depend on the vertices of another."""
    constraint = splats.constraints.new("COPY_LOCATION")
    constraint.name = CONSTRAINT
    constraint.target = mesh
    constraint.subtarget = mesh.vertex_groups[0].name  # without one it would depend on the object's place alone


def _is_always_disabled(mesh: Object) -> bool:
    armature = armature_of(mesh)
    return armature is not None and armature.hide_render and armature.animation_data is None


def _rendered(layer: LayerCollection) -> Iterator[LayerCollection]:
    if layer.exclude or layer.indirect_only or layer.collection.hide_render:
        return
    yield layer
    for child in layer.children:
        yield from _rendered(child)
