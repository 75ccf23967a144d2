"""Triangle frames: the affine frame that carries everything bound to a triangle.

F = [e1, e2, n / sqrt(|n|)] with e1 = b - a, e2 = c - a, n = e1 x e2. The third column scales like a length, so that a
uniform scaling of the triangle scales what rides on it alike (Sumner and Popovic, Deformation Transfer for Triangle
Meshes, 2004, section 3).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def triangle_frames(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> tuple[Float[np.ndarray, "F 3 3"], Float[np.ndarray, "F 3"]]:
    """Return every triangle's frame (columns e1, e2, scaled normal) and its origin, the first corner."""
    origin = vertices[faces[:, 0]]
    edge1 = vertices[faces[:, 1]] - origin
    edge2 = vertices[faces[:, 2]] - origin
    normal = np.cross(edge1, edge2)
    length = np.sqrt(np.linalg.norm(normal, axis=-1, keepdims=True))
    return np.stack([edge1, edge2, normal / np.maximum(length, 1e-12)], -1), origin


def vertex_normals(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 3"]:
    """Return unit normals at the vertices, the area-weighted mean of their triangles'."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # bincount adds in the same order as np.add.at, three times as fast.
    corner = faces.T.ravel()
    summed = np.stack([np.bincount(corner, np.tile(part, 3), len(vertices)) for part in normal.T], 1)
    summed = summed.astype(vertices.dtype, copy=False)
    return summed / np.maximum(np.linalg.norm(summed, axis=-1, keepdims=True), 1e-12)
