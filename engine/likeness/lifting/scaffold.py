"""The scaffold: coarse carrier triangles through which hair, hat and torso follow the head.

Hair hangs centimetres off the skin. Bound to skin triangles it would shake with every wrinkle below it; bound to one
rigid bone it would tear at the shoulders. The scaffold is a stack of coarse grids whose vertices take their bone
weights, and a fading share of the shapes, from the skin around them: a smooth, slow version of the head's motion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part, Rig
from likeness.geometry.easing import smoothstep
from likeness.geometry.threads import parallel_for
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.model import NECK, landmarks
from likeness.lifting.types import CHIN

FINE, COARSE = 0.0125, 0.04
"""Sides of the scaffold's cells round the neck, where the motion changes from place to place, and elsewhere; metres."""


def _edges(low: float, fine_from: float, fine_to: float, high: float) -> Float[np.ndarray, "N"]:
    """Borders of cells: fine ones in the middle, coarse ones on both sides."""
    parts = ((low, fine_from, COARSE), (fine_from, fine_to, FINE), (fine_to, high, COARSE))
    return np.unique(np.concatenate([np.linspace(a, b, round((b - a) / cell) + 1) for a, b, cell in parts]))


X = _edges(-0.35, -0.125, 0.125, 0.35)
Y = _edges(-0.45, -0.25, -0.05, 0.35)
"""Borders of columns and rows in head space; the neck is where they are fine."""
DEPTHS = np.linspace(0.08, -0.22, 16)
"""Head-space z of the grids. What lies between two takes the nearer one's motion, so they stand near each other."""
LEAST_SIGMA, SIGMA_SHARE = 0.012, 0.5
"""Reach over which a carrier takes its motion from the skin: at least, metres, and as a share of its distance."""
SHAPE_REACH = 0.04
"""Distance from the skin at which a shape has faded to 1/e on the scaffold, metres."""
LEAST_FADE = 1e-3
"""Share of a shape under which a carrier does without it."""
COLLAR = (0.01, 0.05)
"""Distance under the chin over which the shapes fade out: a beard follows the jaw, a collar does not; metres."""
SHOULDERS = (0.0, 0.1)
"""Distance under the chin over which the head's carriers cease to follow the neck: long hair lies on the shoulders."""
CLOTH, HANGING = (0.003, 0.035), (0.015, 0.055)
"""Distances from the skin over which the torso ceases to follow it, and over which hair begins to lie on shoulders."""
FOLLOWING, FOLLOWS = 0.25, (0.07, 0.16)
"""Share of the neck's motion that shoulders take, and the distances from its joint over which they cease to; metres."""
NEIGHBOURS, CHUNK = 64, 1024
"""Places of the skin that a carrier looks at, and carriers that one thread looks after at a time."""


def add_scaffold(rig: Rig, assets: HeadAssets) -> Rig:
    """Append the scaffold's vertices and triangles to a rig that has none: the head's carriers, then the torso's."""
    vertices, faces = _grids()
    carriers = _head_carriers(rig, assets, vertices), _torso_carriers(rig, assets, vertices)
    count = len(vertices)
    per_vertex = {
        name: np.concatenate([getattr(rig, name), *(c[name] for c in carriers)]).astype(np.float32)
        for name in ("v_neutral", "shapedirs", "posedirs", "lbs_weights")
    }
    parts = np.repeat(np.array([Part.HAIR, Part.TORSO], np.int32), len(faces))
    return replace(
        rig,
        faces=np.concatenate([rig.faces, *(faces + len(rig.v_neutral) + k * count for k in (0, 1))]).astype(np.int32),
        face_part=np.concatenate([rig.face_part, parts]),
        **per_vertex,
    )


def loosen_cloth(rig: Rig, bare: Float[np.ndarray, "V"]) -> Rig:
    """Let the torso's carriers go with the neck's skin only as far as they carry bare skin (1) and not cloth (0).

    A collar stays on the shoulders while the neck turns in it; dragged along, it would tear. Nothing moves at rest.
    """
    own = np.unique(rig.faces[rig.head_triangles :][rig.face_part[rig.head_triangles :] == Part.TORSO])
    weights = rig.lbs_weights.copy()
    share = bare[own, None]
    weights[own] = share * weights[own] + (1 - share) * _following(rig, rig.v_neutral[own])
    return replace(rig, lbs_weights=weights.astype(np.float32))


def scaffold_triangle(
    points: Float[np.ndarray, "N 3"], torso: Bool[np.ndarray, "N"], head_triangles: int
) -> Int[np.ndarray, "N"]:
    """Return the scaffold triangle (index into the rig's faces) that carries each point of the neutral head space."""
    columns, rows = len(X) - 1, len(Y) - 1
    grid = np.abs(points[:, 2:] - DEPTHS).argmin(1)
    column, x = _cell(points[:, 0], X)
    row, y = _cell(points[:, 1], Y)
    cell = ((len(DEPTHS) * torso + grid) * rows + row) * columns + column
    return (head_triangles + 2 * cell + (x + y > 1.0)).astype(np.int32)


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


def _head_carriers(rig: Rig, assets: HeadAssets, vertices: Float[np.ndarray, "W 3"]) -> dict[str, np.ndarray]:
    """Hair, hat and beard: the skin's own motion, slower, fading out towards the shoulders."""
    near = _Near.of(rig, _vertices_in(assets, "face", "scalp", "ears", "neck"), vertices)
    chin = float(landmarks(rig.v_neutral, assets)[CHIN, 1])
    fade = np.exp(-((near.distance / SHAPE_REACH) ** 2)) * smoothstep(
        vertices[:, 1], chin - COLLAR[1], chin - COLLAR[0]
    )
    over_shoulders = smoothstep(vertices[:, 1], chin - SHOULDERS[1], chin - SHOULDERS[0])
    with_neck = 1 - (1 - over_shoulders) * smoothstep(near.distance, *HANGING)
    return {
        "v_neutral": vertices,
        "shapedirs": near.faded(rig.shapedirs, fade),
        "posedirs": near.faded(rig.posedirs, fade),
        "lbs_weights": _shared_with_root(near.share @ rig.lbs_weights, with_neck),
    }


def _torso_carriers(rig: Rig, assets: HeadAssets, vertices: Float[np.ndarray, "W 3"]) -> dict[str, np.ndarray]:
    """Chest and clothes: at the neck they go with its skin, from there outwards less and less.

    Shoulders follow a little and stay behind, as Real3D-Portrait's torso does (Ye et al., 2024).
    """
    near = _Near.of(rig, _vertices_in(assets, "neck", "torso"), vertices)
    skin = _shared_with_root(near.share @ rig.lbs_weights, 1 - smoothstep(near.distance, *CLOTH))
    follow = _following(rig, vertices)
    return {
        "v_neutral": vertices,
        "shapedirs": np.zeros((len(vertices), *rig.shapedirs.shape[1:]), np.float32),
        "posedirs": np.zeros((len(vertices), *rig.posedirs.shape[1:]), np.float32),
        "lbs_weights": np.where(skin[:, NECK, None] < follow[:, NECK, None], follow, skin),
    }


def _following(rig: Rig, vertices: Float[np.ndarray, "W 3"]) -> Float[np.ndarray, "W J"]:
    """Weights of what follows the neck a little: less and less from its joint outwards."""
    from_joint = np.linalg.norm(vertices - rig.joints[NECK], axis=1)
    share = FOLLOWING * (1 - smoothstep(from_joint, *FOLLOWS))
    neck = np.eye(1, rig.lbs_weights.shape[1], NECK)
    return _shared_with_root(np.repeat(neck, len(vertices), 0), share)


@dataclass(frozen=True)
class _Near:
    """The skin around each vertex of the scaffold."""

    share: sparse.csr_matrix
    """Of every vertex of the rig (V) in every one of the scaffold (W)."""
    distance: Float[np.ndarray, "W"]

    @classmethod
    def of(cls, rig: Rig, skin: Int[np.ndarray, "M"], vertices: Float[np.ndarray, "W 3"]) -> _Near:
        distance, nearest = _nearest(rig.v_neutral[skin], vertices)
        sigma = np.hypot(LEAST_SIGMA, SIGMA_SHARE * distance[:, :1])
        # Relative distances: far from the skin the nearest still decide, and the share is spread over all of them.
        kernel = np.exp(-0.5 * (distance**2 - distance[:, :1] ** 2) / sigma**2)
        kernel /= kernel.sum(1, keepdims=True)
        rows = np.arange(len(vertices) + 1) * NEIGHBOURS
        shape = len(vertices), len(rig.v_neutral)
        return cls(sparse.csr_matrix((kernel.ravel(), skin[nearest].ravel(), rows), shape), distance[:, 0])

    def faded(self, values: Float[np.ndarray, "V 3 C"], fade: Float[np.ndarray, "W"]) -> Float[np.ndarray, "W 3 C"]:
        """Return the skin's mean motion, faded; 0 where hardly anything is left of it."""
        left = fade > LEAST_FADE
        motion = np.zeros((len(fade), *values.shape[1:]), np.float32)
        motion[left] = (self.share[left] @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])
        return motion * fade[:, None, None].astype(np.float32)


def _nearest(
    skin: Float[np.ndarray, "M 3"], vertices: Float[np.ndarray, "W 3"]
) -> tuple[Float[np.ndarray, "W K"], Int[np.ndarray, "W K"]]:
    """Return the distances and indices of each vertex's nearest places of the skin; the search releases the GIL."""
    tree = cKDTree(skin)
    distance, index = np.empty((len(vertices), NEIGHBOURS)), np.empty((len(vertices), NEIGHBOURS), np.int64)

    def search(begin: int, end: int) -> None:
        distance[begin:end], index[begin:end] = tree.query(vertices[begin:end], k=NEIGHBOURS)

    parallel_for(search, len(vertices), CHUNK)
    return distance, index


def _shared_with_root(weights: Float[np.ndarray, "W J"], share: Float[np.ndarray, "W"]) -> Float[np.ndarray, "W J"]:
    return share[:, None] * weights + (1 - share)[:, None] * np.eye(1, weights.shape[1])


def _cell(
    values: Float[np.ndarray, "N"], borders: Float[np.ndarray, "B"]
) -> tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """Return the cell of each value, the outermost ones taking what lies beyond, and the place within it, 0..1."""
    inside = np.clip(values, borders[0], borders[-1])
    cell = np.clip(np.searchsorted(borders, inside, side="right") - 1, 0, len(borders) - 2)
    return cell, (inside - borders[cell]) / np.diff(borders)[cell]


def _grids() -> tuple[Float[np.ndarray, "W 3"], Int[np.ndarray, "G 3"]]:
    """Vertices and triangles of all grids; two triangles a cell, cells row by row from the lower right of the head."""
    z, y, x = np.meshgrid(DEPTHS, Y, X, indexing="ij")
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    index = np.arange(len(vertices)).reshape(z.shape)
    low_left, low_right = index[:, :-1, :-1].ravel(), index[:, :-1, 1:].ravel()
    high_left, high_right = index[:, 1:, :-1].ravel(), index[:, 1:, 1:].ravel()
    lower = np.stack([low_left, low_right, high_left], 1)
    upper = np.stack([low_right, high_right, high_left], 1)
    return vertices, np.stack([lower, upper], 1).reshape(-1, 3)


def _vertices_in(assets: HeadAssets, *regions: str) -> Int[np.ndarray, "M"]:
    wanted = [REGION_NAMES.index(name) for name in regions]
    return np.unique(assets.faces[np.isin(assets.face_region, wanted)])
