"""What FLAME has not: Open Head's teeth, tongue and inner mouth, warped into a FLAME head as further vertices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from likeness.geometry.frames import vertex_normals
from likeness.head.assets import HeadAssets
from likeness.head.flame_map import HeadMap, region_faces
from likeness.head.flame_parts import Parts, cut_out
from likeness.head.registration import Mesh, closest_points

MOUTH_REGIONS = ("mouth_inside", "teeth_upper", "teeth_lower", "tongue")
ANCHORS = 450
ANCHOR_RADIUS = 0.06
"""Skin within this distance (metres) of the mouth carries it."""
LENGTH = 0.03
"""Unit of the thin-plate spline, metres."""
SMOOTHING = 1e-3
"""Keeps teeth straight where the lips are not."""
CLING = 0.005
"""The inner mouth follows the lips' expressions within about this distance, metres."""


def mouth_parts(flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap) -> Parts:
    """Warp Open Head's mouth into a FLAME head whose regions are known.

    A thin-plate spline through the skin around the mouth carries the parts to their place, and the same kind of
    spline on FLAME carries FLAME's identity directions to them. ARKit shapes are Open Head's own.
    """
    cut = cut_out(open_head, *MOUTH_REGIONS)
    rest = head_map.similarity.apply(open_head.v_template.astype(np.float64))
    anchors = _anchors(open_head, rest, cut.members)
    shift = head_map.deformed - rest
    vertices = rest[cut.members] + _spline(rest[anchors], rest[cut.members]) @ shift[anchors]
    arkit = open_head.exprdirs[cut.members].transpose(0, 2, 1).astype(np.float64)
    return Parts(
        cut=cut,
        vertices=vertices,
        shapedirs=_identity_directions(flame, head_map.deformed[anchors], vertices),
        arkit=head_map.similarity.turn(arkit).transpose(0, 2, 1),
        exprdirs=_clinging(flame, open_head, cut.members, vertices),
    )


def _anchors(open_head: HeadAssets, rest: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Choose all lip vertices and evenly some of the skin around."""
    lips = np.unique(open_head.faces[region_faces(open_head, "lips")])
    skin = np.setdiff1d(np.unique(open_head.faces[region_faces(open_head, "face")]), lips)
    skin = skin[~open_head.hidden[skin]]
    near = skin[cKDTree(rest[members]).query(rest[skin])[0] < ANCHOR_RADIUS]
    lips = lips[~open_head.hidden[lips]]
    step = max(1, -(-len(near) // max(1, ANCHORS - len(lips))))
    return np.concatenate([lips, near[::step]])


def _spline(anchors: Float[np.ndarray, "A 3"], points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P A"]:
    """Return the matrix that takes values at the anchors to the points by a smoothing thin-plate spline."""
    spline = RBFInterpolator(
        anchors / LENGTH, np.eye(len(anchors)), kernel="thin_plate_spline", smoothing=SMOOTHING, degree=1
    )
    return spline(points / LENGTH)


def _identity_directions(flame: HeadAssets, anchors: np.ndarray, points: np.ndarray) -> Float[np.ndarray, "P 3 S"]:
    surface = Mesh(flame.v_template.astype(np.float64), flame.faces, region_faces(flame, "face", "lips"))
    at_anchors = closest_points(anchors, surface).on(flame.shapedirs, flame.faces)
    carried = _spline(anchors, points) @ at_anchors.reshape(len(anchors), -1)
    return carried.reshape(len(points), *flame.shapedirs.shape[1:])


def _clinging(
    flame: HeadAssets, open_head: HeadAssets, members: np.ndarray, vertices: np.ndarray
) -> Float[np.ndarray, "P 3 E"]:
    """Return FLAME's expression directions for the parts: the inner mouth near the lips follows them, teeth stay."""
    walls = np.isin(members, np.unique(open_head.faces[region_faces(open_head, "mouth_inside")]))
    surface = Mesh(flame.v_template.astype(np.float64), flame.faces, region_faces(flame, "lips", "mouth_inside"))
    normals = vertex_normals(open_head.v_template.astype(np.float64), open_head.faces)[members]
    nearest = closest_points(vertices, surface, normals)
    follow = np.where(walls, np.exp(-((nearest.distance / CLING) ** 2)), 0)
    return nearest.on(flame.exprdirs, flame.faces) * follow[:, None, None]
