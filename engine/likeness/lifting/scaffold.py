"""The scaffold: coarse carrier triangles through which hair, hat and torso follow the head.

Hair hangs centimetres off the skin. Bound to skin triangles it would shake with every wrinkle below it; bound to one
rigid bone it would tear at the shoulders. The scaffold is a stack of coarse grids whose vertices take their bone
weights, and a fading share of the shapes, from the skin around them: a smooth, slow version of the head's motion.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part, Rig
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.model import landmarks
from likeness.lifting.types import CHIN

CELL = 0.025
"""Side of a scaffold cell, metres."""
DEPTHS = np.array([0.03, -0.08, -0.19])
"""Head-space z of the grids: at the face, at the ears, at the back of the head."""
EXTENT_X = (-0.35, 0.35)
EXTENT_Y = (-0.45, 0.35)
WEIGHT_SIGMA = 0.03
SHAPE_REACH = 0.04
"""Distance from the skin at which a shape has faded to 1/e on the scaffold, metres."""
COLLAR = (0.01, 0.05)
"""Distance under the chin over which the shapes fade out: a beard follows the jaw, a collar does not; metres."""
SHOULDERS = (0.0, 0.08)
"""Distance under the chin over which carriers cease to follow the neck: below it, clothes stay when the head turns."""
NEIGHBOURS = 48


def add_scaffold(rig: Rig, assets: HeadAssets) -> Rig:
    """Append the scaffold's vertices and triangles to a rig that has none."""
    vertices, faces = _grids()
    sources = _skin_vertices(assets)
    distance, nearest = cKDTree(rig.v_neutral[sources]).query(vertices, k=NEIGHBOURS)
    nearest = sources[nearest]
    # Relative distances: far from the skin the nearest still decide, and the share is spread over all of them.
    kernel = np.exp(-0.5 * (distance**2 - distance[:, :1] ** 2) / WEIGHT_SIGMA**2)
    kernel /= kernel.sum(1, keepdims=True)
    chin = float(landmarks(rig.v_neutral, assets)[CHIN, 1])
    over_collar = _rise(vertices[:, 1], chin, COLLAR)
    fade = np.exp(-((distance[:, 0] / SHAPE_REACH) ** 2)) * over_collar

    def spread(values: Float[np.ndarray, "V *c"]) -> Float[np.ndarray, "W *c"]:
        return np.einsum("wk,wk...->w...", kernel, values[nearest]).astype(np.float32)

    scaffold_shapes = spread(rig.shapedirs) * fade[:, None, None]
    scaffold_pose = spread(rig.posedirs) * fade[:, None, None]
    with_neck = _rise(vertices[:, 1], chin, SHOULDERS)[:, None]
    root = np.eye(1, rig.lbs_weights.shape[1])
    scaffold_weights = with_neck * spread(rig.lbs_weights) + (1 - with_neck) * root
    return replace(
        rig,
        v_neutral=np.concatenate([rig.v_neutral, vertices.astype(np.float32)]),
        faces=np.concatenate([rig.faces, faces + len(rig.v_neutral)]).astype(np.int32),
        shapedirs=np.concatenate([rig.shapedirs, scaffold_shapes.astype(np.float32)]),
        posedirs=np.concatenate([rig.posedirs, scaffold_pose.astype(np.float32)]),
        lbs_weights=np.concatenate([rig.lbs_weights, scaffold_weights.astype(np.float32)]),
        face_part=np.concatenate([rig.face_part, np.full(len(faces), int(Part.HAIR), np.int32)]),
    )


def scaffold_triangle(points: Float[np.ndarray, "N 3"], head_triangles: int) -> Int[np.ndarray, "N"]:
    """Return the scaffold triangle (index into the rig's faces) that carries each point of the neutral head space."""
    columns, rows = _cells()
    grid = np.abs(points[:, 2:] - DEPTHS).argmin(1)
    x = np.clip((points[:, 0] - EXTENT_X[0]) / CELL, 0, columns - 1e-6)
    y = np.clip((points[:, 1] - EXTENT_Y[0]) / CELL, 0, rows - 1e-6)
    upper = (x % 1.0) + (y % 1.0) > 1.0
    cell = (grid * rows + y.astype(np.int64)) * columns + x.astype(np.int64)
    return (head_triangles + 2 * cell + upper).astype(np.int32)


def drop_unused_scaffold(rig: Rig, triangle: Int[np.ndarray, "N"]) -> tuple[Rig, Int[np.ndarray, "N"]]:
    """Remove scaffold triangles and vertices that carry nothing; return the rig and the renumbered triangles."""
    keep_faces = np.ones(len(rig.faces), bool)
    keep_faces[rig.head_triangles :] = np.isin(np.arange(rig.head_triangles, len(rig.faces)), triangle)
    keep_vertices = np.zeros(len(rig.v_neutral), bool)
    keep_vertices[: rig.head_vertices] = True
    keep_vertices[rig.faces[keep_faces]] = True
    new_vertex = np.cumsum(keep_vertices) - 1
    new_face = np.cumsum(keep_faces) - 1
    per_vertex = {n: getattr(rig, n)[keep_vertices] for n in ("v_neutral", "shapedirs", "posedirs", "lbs_weights")}
    slim = replace(
        rig,
        faces=new_vertex[rig.faces[keep_faces]].astype(np.int32),
        face_part=rig.face_part[keep_faces],
        **per_vertex,
    )
    return slim, new_face[triangle].astype(np.int32)


def _rise(height: Float[np.ndarray, "W"], chin: float, under_chin: tuple[float, float]) -> Float[np.ndarray, "W"]:
    """Return 1 above the first and 0 below the second distance under the chin, smoothly between (smoothstep)."""
    t = np.clip((height - (chin - under_chin[1])) / (under_chin[1] - under_chin[0]), 0, 1)
    return t * t * (3 - 2 * t)


def _cells() -> tuple[int, int]:
    columns = round((EXTENT_X[1] - EXTENT_X[0]) / CELL)
    rows = round((EXTENT_Y[1] - EXTENT_Y[0]) / CELL)
    return columns, rows


def _grids() -> tuple[Float[np.ndarray, "W 3"], Int[np.ndarray, "G 3"]]:
    """Vertices and triangles of all grids; two triangles a cell, cells row by row from the lower right of the head."""
    columns, rows = _cells()
    z, y, x = np.meshgrid(DEPTHS, np.linspace(*EXTENT_Y, rows + 1), np.linspace(*EXTENT_X, columns + 1), indexing="ij")
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    index = np.arange(len(vertices)).reshape(z.shape)
    low_left, low_right = index[:, :-1, :-1].ravel(), index[:, :-1, 1:].ravel()
    high_left, high_right = index[:, 1:, :-1].ravel(), index[:, 1:, 1:].ravel()
    lower = np.stack([low_left, low_right, high_left], 1)
    upper = np.stack([low_right, high_right, high_left], 1)
    return vertices, np.stack([lower, upper], 1).reshape(-1, 3)


def _skin_vertices(assets: HeadAssets) -> Int[np.ndarray, "M"]:
    outer = [REGION_NAMES.index(name) for name in ("face", "scalp", "ears", "neck", "torso")]
    return np.unique(assets.faces[np.isin(assets.face_region, outer)])
