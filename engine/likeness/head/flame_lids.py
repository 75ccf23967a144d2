"""Eyelids that close: what an ARKit blink carried over from another head still lacks on FLAME's own eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from likeness.contract.arkit import ARKIT_NAMES
from likeness.head.assets import HeadAssets
from likeness.head.flame_map import HeadMap
from likeness.head.registration import SurfacePoints

UPPER_RIM = {"Right": (246, 161, 160, 159, 158, 157, 173), "Left": (466, 388, 387, 386, 385, 384, 398)}
LOWER_RIM = {"Right": (7, 163, 144, 145, 153, 154, 155), "Left": (249, 390, 373, 374, 380, 381, 382)}
"""MediaPipe's landmarks on the lids' edges from the outer to the inner corner, pair by pair above each other."""
REACH = 0.011
"""How far from the edge (metres over the surface) the upper lid's skin takes part in the correction."""
OVERLAP = 0.0010
"""How far the upper lid passes the lower one, metres."""
CLEARANCE = 0.0004
"""Between a closed lid and the eyeball, metres."""
PASSES = 3


@dataclass(frozen=True)
class Lid:
    """One eye's lids on a FLAME head."""

    upper: Int[np.ndarray, "K"]
    """Upper-lid vertices near the edge."""
    share: Float[np.ndarray, "K 7"]
    """How each of them follows the seven pairs of the edge."""
    fade: Float[np.ndarray, "K"]
    """1 at the edge, 0 at `REACH`."""
    skin: Bool[np.ndarray, "V"]
    """All skin near the eye."""
    center: Float[np.ndarray, "3"]
    radius: float


def close_blinks(
    flame: HeadAssets, head_map: HeadMap, landmarks: SurfacePoints, shapes: Float[np.ndarray, "V 3 52"]
) -> Float[np.ndarray, "V 3 52"]:
    """Return the ARKit shapes with blinks whose lids meet and lie outside the eyeball. Metres."""
    closed = shapes.copy()
    for number, side in ((1, "Left"), (2, "Right")):
        lid = _lid(flame, head_map, landmarks, side, number)
        shape = ARKIT_NAMES.index(f"eyeBlink{side}")
        closed[:, :, shape] = _closed(flame, landmarks, lid, side, shapes[:, :, shape])
    return closed


def _closed(
    flame: HeadAssets, landmarks: SurfacePoints, lid: Lid, side: str, shape: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    upper, lower = list(UPPER_RIM[side]), list(LOWER_RIM[side])
    vertices = flame.v_template.astype(np.float64) + shape
    for _ in range(PASSES):
        points = landmarks.on(vertices, flame.faces)
        gap = points[lower] - points[upper]
        gap[:, 1] -= OVERLAP * np.sin(np.linspace(0.15, 0.85, 7) * np.pi)
        gap[:, 1] = np.minimum(gap[:, 1], 0)  # a lid that is already closed stays
        vertices[lid.upper] += lid.fade[:, None] * (lid.share @ gap)
        vertices = _pushed_out(vertices, lid)
    return vertices - flame.v_template


def _pushed_out(vertices: np.ndarray, lid: Lid) -> np.ndarray:
    """Lift the lids' skin out of the eyeball's sphere."""
    offset = vertices - lid.center
    distance = np.linalg.norm(offset, axis=1)
    inside = lid.skin & (distance < lid.radius + CLEARANCE) & (offset[:, 2] > 0)
    lifted = vertices.copy()
    lifted[inside] = lid.center + offset[inside] / distance[inside, None] * (lid.radius + CLEARANCE)
    return lifted


def _lid(flame: HeadAssets, head_map: HeadMap, landmarks: SurfacePoints, side: str, number: int) -> Lid:
    vertices = flame.v_template.astype(np.float64)
    ball = vertices[head_map.eyeball == number]
    center, radius = fit_ball(ball)
    from_upper = _surface_distance(flame, landmarks.faces[list(UPPER_RIM[side])])
    from_lower = _surface_distance(flame, landmarks.faces[list(LOWER_RIM[side])])
    upper = np.flatnonzero((from_upper < REACH) & (from_upper < from_lower) & (head_map.eyeball == 0))
    rim = landmarks.on(vertices, flame.faces)[list(UPPER_RIM[side])]
    distance = np.linalg.norm(vertices[upper, None, :2] - rim[None, :, :2], axis=2)
    share = 1 / (distance + 1e-4) ** 2
    fade = 1 - from_upper[upper] / REACH
    visible = np.zeros(len(vertices), bool)
    visible[flame.faces[head_map.seen]] = True
    near = cKDTree(ball).query(vertices)[0] < 0.006
    skin = near & visible & (head_map.eyeball == 0)
    return Lid(upper, share / share.sum(1, keepdims=True), fade * fade * (3 - 2 * fade), skin, center, radius)


def fit_ball(points: Float[np.ndarray, "N 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Fit a sphere to an eyeball by linear least squares."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    solved = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))


def _surface_distance(flame: HeadAssets, seeds: Int[np.ndarray, "K"]) -> Float[np.ndarray, "V"]:
    """Return each vertex's distance along edges (metres) to the nearest corner of the seed triangles."""
    start, end = flame.faces.ravel(), np.roll(flame.faces, 1, 1).ravel()
    length = np.linalg.norm(flame.v_template[start] - flame.v_template[end], axis=1).astype(np.float64)
    count = len(flame.v_template)
    graph = sparse.coo_matrix((length, (start, end)), shape=(count, count)).tocsr()
    graph = graph.maximum(graph.T)
    return dijkstra(graph, directed=False, indices=np.unique(flame.faces[seeds]), min_only=True, limit=2 * REACH)
