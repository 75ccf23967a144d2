"""What the overlay reads of an avatar: its Gaussians from its points, its vertices from the evaluated mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import bpy
import numpy as np
from mathutils import Matrix

from likeness.contract.errors import InputError, LikenessError
from likeness.contract.levels import LEVELS
from likeness.contract.lighting import LitColors

from . import state
from .layout import Gaussians

Array = Annotated
SCALARS = ("vertex_a", "vertex_b", "vertex_c", "opacity")
VECTORS = ("position", "local_mean", "local_basis_0", "local_basis_1", "local_basis_2", "albedo", "facing")
TYPES = {"FLOAT": ("value", 1, np.float32), "INT": ("value", 1, np.int32), "FLOAT_VECTOR": ("vector", 3, np.float32)}


@dataclass(frozen=True)
class Light:
    """The portrait's light as the mesh carries it: numbers that compare."""

    still: tuple[float, ...]
    harmonics: tuple[float, ...]
    body: tuple[int, ...]
    head: tuple[int, ...]


@dataclass(frozen=True)
class Posed:
    """An avatar at this moment."""

    uid: int
    name: str
    splats: bpy.types.Object
    """Only good for this redraw."""
    positions: Array[np.ndarray, "V 3"]
    """The evaluated mesh's vertices, object space, float32."""
    light: Light
    matrix_world: Matrix
    most: int | None
    """Splats to draw; None for all."""
    opacity: float
    show: str


def posed(mesh: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> Posed:
    """Read an avatar's evaluated mesh and settings.

    Errors: InputError `overlay.mode`, `overlay.mesh`, `overlay.splats`.
    """
    settings = mesh.likeness
    if mesh.mode == "EDIT":  # the evaluated mesh has no vertices then
        raise InputError("overlay.mode", f"{mesh.name} is in Edit Mode.", "Its splats come back in Object Mode.")
    if settings.splats is None:
        raise _damaged(mesh, "they are not there")
    evaluated = mesh.evaluated_get(depsgraph)
    return Posed(
        uid=mesh.session_uid,
        name=mesh.name,
        splats=settings.splats,
        positions=_positions(mesh, evaluated),
        light=light_of(mesh),
        matrix_world=evaluated.matrix_world.copy(),
        most=LEVELS.get(settings.detail.lower()),
        opacity=settings.opacity,
        show=settings.show,
    )


def light_of(mesh: bpy.types.Object) -> Light:
    """Read an avatar's light from its mesh."""
    settings = mesh.likeness
    return Light(*map(tuple, (settings.light_still, settings.light, settings.light_body, settings.light_head)))


def signature(splats: bpy.types.Object) -> tuple[int, ...]:
    """Return what changes when the points may have changed."""
    data = splats.data
    known = state.current
    return (known.files, data.session_uid, len(data.vertices), known.geometry[data.session_uid])


def read_gaussians(mesh_name: str, splats: bpy.types.Object, vertex_count: int, light: Light) -> Gaussians:
    """Read the points' attributes; all finite, all corners in the mesh.

    Errors: InputError `overlay.splats`.
    """
    read = {name: _attribute(mesh_name, splats, name) for name in (*SCALARS, *VECTORS)}
    corners = np.stack([read[name] for name in SCALARS[:3]], axis=1)
    if not len(corners):
        raise _damaged(mesh_name, "there are no points")
    if min(corners.min(), *light.body, *light.head) < 0 or max(corners.max(), *light.body, *light.head) >= vertex_count:
        raise _damaged(mesh_name, "they lie on vertices that the mesh does not have")
    if not all(np.isfinite(values).all() for values in read.values()):
        raise _damaged(mesh_name, "they hold values that are no numbers")
    return Gaussians(
        rest=read["position"],
        corners=corners,
        local_mean=read["local_mean"],
        local_basis=np.stack([read[f"local_basis_{column}"] for column in range(3)], axis=2),
        opacities=read["opacity"],
        lit=LitColors(
            albedo=read["albedo"],
            facing=read["facing"],
            still=np.array(light.still, np.float32).reshape(9, 3),
            harmonics=np.array(light.harmonics, np.float32).reshape(9, 3),
            body=np.array(light.body, np.int32),
            head=np.array(light.head, np.int32),
        ),
    )


def _positions(mesh: bpy.types.Object, evaluated: bpy.types.Object) -> Array[np.ndarray, "V 3"]:
    data, expected = evaluated.data, mesh.likeness.vertex_count
    if len(data.vertices) != expected:
        raise InputError(
            "overlay.mesh",
            f"The mesh of {mesh.name} has {len(data.vertices)} vertices instead of {expected}.",
            "Undo the edit, or turn off the modifier that changes their number.",
        )
    positions = np.empty((expected, 3), np.float32)
    data.attributes["position"].data.foreach_get("vector", positions.reshape(-1))
    return positions


def _attribute(mesh_name: str, splats: bpy.types.Object, name: str) -> np.ndarray:
    attribute = splats.data.attributes.get(name)
    count = len(splats.data.vertices)
    if attribute is None or len(attribute.data) != count or attribute.data_type not in TYPES:
        raise _damaged(mesh_name, f"they have no {name}")
    field, components, dtype = TYPES[attribute.data_type]
    if (components == 3) != (name in VECTORS):
        raise _damaged(mesh_name, f"their {name} is of another type")
    values = np.empty(count * components, dtype)
    attribute.data.foreach_get(field, values)
    return values.reshape(count, components) if components > 1 else values


def _damaged(mesh: bpy.types.Object | str, what: str) -> LikenessError:
    name = mesh if isinstance(mesh, str) else mesh.name
    return InputError("overlay.splats", f"The splats of {name} are damaged: {what}.", "Create the avatar again.")
