"""Eyelids that close: what an ARKit blink carried over from another head still lacks on FLAME's own eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from likeness.head.assets import HeadAssets
from likeness.head.flame_lashes import lash_motion
from likeness.head.flame_map import SKIN_REGIONS, region_faces

UPPER_RIM = {"Right": (246, 161, 160, 159, 158, 157, 173), "Left": (466, 388, 387, 386, 385, 384, 398)}
LOWER_RIM = {"Right": (7, 163, 144, 145, 153, 154, 155), "Left": (249, 390, 373, 374, 380, 381, 382)}
"""MediaPipe's landmarks on the lids' edges from the outer to the inner corner, pair by pair above each other."""
REACH = 0.011
"""How far from the edge (metres over the surface) the upper lid's skin takes part in the correction."""
NEAR_BALL = 0.006
"""Skin within this distance of the eyeball (metres) is kept off it."""
OVERLAP = 0.0020
"""How far the upper lid passes the lower one, metres."""
CLEARANCE = 0.0004
"""Between a closed lid and the eyeball, metres."""
PASSES = 3


@dataclass(frozen=True)
class Lid:
    """One eye's lids on a neutral FLAME head."""

    upper: Int[np.ndarray, "K"]
    """Upper-lid vertices near the edge."""
    share: Float[np.ndarray, "K 7"]
    """How each of them follows the seven pairs of the edge."""
    fade: Float[np.ndarray, "K"]
    """1 at the edge, 0 at `REACH`."""
    skin: Int[np.ndarray, "L"]
    """All visible skin near the eyeball."""
    center: Float[np.ndarray, "3"]
    radius: float


def close_blinks(head: HeadAssets, v_neutral: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3 E"]:
    """Return the expression directions with blinks made anew for an identity: lids meet and lie outside the eyeball.

    Lashes ride along. `head` has regions, landmarks and ARKit's shapes; everything but its two blinks stays.
    """
    vertices, exprdirs = np.asarray(v_neutral, np.float64), head.exprdirs.copy()
    for side in ("Left", "Right"):
        shape = head.expr_names.index(f"eyeBlink{side}")
        lid = _lid(head, vertices, side)
        exprdirs[:, :, shape] = _closed(head, vertices, lid, side, vertices + exprdirs[:, :, shape]) - vertices
        lashes, motion = lash_motion(head, vertices, exprdirs[:, :, shape].astype(np.float64))
        exprdirs[lashes, :, shape] = motion
    return exprdirs


def _closed(head: HeadAssets, rest: np.ndarray, lid: Lid, side: str, blink: np.ndarray) -> Float[np.ndarray, "V 3"]:
    """Draw the upper lid's edge over the lower one's, and both off the eyeball."""
    vertices = blink.copy()
    arch = OVERLAP * np.sin(np.linspace(0.15, 0.85, 7) * np.pi)
    for _ in range(PASSES):
        gap = _landmarks(head, vertices, LOWER_RIM[side]) - _landmarks(head, vertices, UPPER_RIM[side])
        gap[:, 1] = np.minimum(gap[:, 1] - arch, 0)  # an edge that is low enough stays
        vertices[lid.upper] += lid.fade[:, None] * (lid.share @ gap)
        vertices[lid.skin] = _off_ball(rest[lid.skin], vertices[lid.skin], lid)
    return vertices


def _off_ball(rest: np.ndarray, moved: np.ndarray, lid: Lid) -> Float[np.ndarray, "L 3"]:
    """Push points radially until they are off the ball at their place and halfway there, for shapes are straight."""
    halfway = (rest + moved) / 2
    lift = np.maximum(_sunk(moved, lid), 2 * _sunk(halfway, lid) - 2 * _sunk(rest, lid))
    offset = moved - lid.center
    return moved + offset / np.linalg.norm(offset, axis=1, keepdims=True) * np.maximum(lift, 0)[:, None]


def _sunk(points: np.ndarray, lid: Lid) -> Float[np.ndarray, "L"]:
    """Return how far points of the ball's front lie below its surface, clearance included."""
    offset = points - lid.center
    depth = lid.radius + CLEARANCE - np.linalg.norm(offset, axis=1)
    return np.where(offset[:, 2] > 0, np.maximum(depth, 0), 0)


def _lid(head: HeadAssets, vertices: Float[np.ndarray, "V 3"], side: str) -> Lid:
    ball = vertices[np.unique(head.faces[region_faces(head, f"eye_{side.lower()}")])]
    center, radius = fit_ball(ball)
    skin = np.zeros(len(vertices), bool)
    skin[head.faces[region_faces(head, *SKIN_REGIONS)]] = True
    from_upper = _surface_distance(head, vertices, UPPER_RIM[side])
    from_lower = _surface_distance(head, vertices, LOWER_RIM[side])
    upper = np.flatnonzero((from_upper < REACH) & (from_upper < from_lower))
    rim = _landmarks(head, vertices, UPPER_RIM[side])
    share = 1 / (np.linalg.norm(vertices[upper, None, :2] - rim[None, :, :2], axis=2) + 1e-4) ** 2
    fade = 1 - from_upper[upper] / REACH
    near = np.flatnonzero(skin & ~head.hidden & (from_upper + from_lower < 4 * REACH))
    near = near[cKDTree(ball).query(vertices[near])[0] < NEAR_BALL]
    return Lid(upper, share / share.sum(1, keepdims=True), fade * fade * (3 - 2 * fade), near, center, radius)


def _landmarks(head: HeadAssets, vertices: np.ndarray, numbers: tuple[int, ...]) -> Float[np.ndarray, "K 3"]:
    chosen = list(numbers)
    return np.einsum("nk,nkc->nc", head.landmark_bary[chosen], vertices[head.faces[head.landmark_faces[chosen]]])


def fit_ball(points: Float[np.ndarray, "N 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Fit a sphere to an eyeball by linear least squares."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    solved = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))


def _surface_distance(head: HeadAssets, vertices: np.ndarray, landmarks: tuple[int, ...]) -> Float[np.ndarray, "V"]:
    """Return each vertex's distance along edges (metres) to the nearest triangle under a landmark; inf if far."""
    start, end = head.faces.ravel(), np.roll(head.faces, 1, 1).ravel()
    length = np.linalg.norm(vertices[start] - vertices[end], axis=1)
    graph = sparse.coo_matrix((length, (start, end)), shape=(len(vertices),) * 2).tocsr()
    seeds = np.unique(head.faces[head.landmark_faces[list(landmarks)]])
    return dijkstra(graph.maximum(graph.T), directed=False, indices=seeds, min_only=True, limit=3 * REACH)
