"""Where an avatar's head is, with hair and hat, so that a camera can be put before it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from bpy.types import Object

from likeness.contract.avatar import Part

from ..conventions import BONE_NAMES
from .avatars import Placed

Array = Annotated
SOLID = 0.5
"""Opacity from which on a splat counts."""
SHOULDERS = 0.3
"""What follows the root bone by more than this share is not the head but what it stands on."""


def head_points(placed: Placed) -> Array[np.ndarray, "N 3"]:
    """Return where the head's splats are in this pose, object space; all of them where none are the head's."""
    means, given = _means(placed), placed.source.gaussians
    kept = means[(given.opacities >= SOLID) & (_root_weights(placed.source.mesh)[given.corners[:, 0]] <= SHOULDERS)]
    return kept if len(kept) else means


def eyes(placed: Placed) -> Array[np.ndarray, "3"]:
    """Return the middle between the eyes, object space; that of the head where its eyes were not seen."""
    seen = _means(placed)[_parts(placed) == Part.EYE]
    return (seen if len(seen) else head_points(placed)).mean(axis=0)


def _root_weights(mesh: Object) -> Array[np.ndarray, "V"]:
    """Return how far each vertex follows the root bone, which torso and shoulders hang on."""
    weights = np.zeros(len(mesh.data.vertices))
    group = mesh.vertex_groups.get(BONE_NAMES["root"])
    if group is not None:
        for vertex in mesh.data.vertices:
            for each in vertex.groups:
                if each.group == group.index:
                    weights[vertex.index] = each.weight
    return weights


def _parts(placed: Placed) -> Array[np.ndarray, "N"]:
    parts = np.zeros(len(placed.source.gaussians.corners), np.int32)
    attribute = placed.source.mesh.likeness.splats.data.attributes.get("part")
    if attribute is not None and attribute.data_type == "INT" and len(attribute.data) == len(parts):
        attribute.data.foreach_get("value", parts)
    return parts


def _means(placed: Placed) -> Array[np.ndarray, "N 3"]:
    """Return a + F local_mean of every Gaussian; what F is says `overlay.layout`."""
    given = placed.source.gaussians
    a, b, c = (placed.vertices[given.corners[:, k]] for k in range(3))
    u, v, w = (given.local_mean[:, k : k + 1] for k in range(3))
    e1, e2 = b - a, c - a
    normal = np.cross(e1, e2)
    length = np.sqrt(np.linalg.norm(normal, axis=1, keepdims=True))
    return a + e1 * u + e2 * v + normal / np.maximum(length, 1e-12) * w
