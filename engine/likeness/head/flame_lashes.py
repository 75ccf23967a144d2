"""Open Head's lashes on a FLAME head: every lash rides on the edge of the lid that it grows from."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from likeness.head.assets import HeadAssets
from likeness.head.flame_map import HeadMap, region_faces
from likeness.head.flame_parts import Parts, cut_out
from likeness.head.registration import SurfacePoints

RIMS = {
    "left": ((263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362)),
    "right": ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
}
"""MediaPipe's landmarks along the upper and the lower lid's edge, from the outer to the inner corner."""
BLUR = 0.001
"""How sharply a lash tells its neighbours on the edge apart, metres."""


def lash_parts(flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap, shapes: np.ndarray) -> Parts:
    """Set Open Head's lashes on the lids of a FLAME head with landmarks; `shapes` (V,3,52) are its ARKit shapes."""
    cut = cut_out(open_head, "lashes_left", "lashes_right")
    own = SurfacePoints(open_head.landmark_faces, open_head.landmark_bary, open_head.landmark_spread)
    rest = own.on(open_head.v_template, open_head.faces)
    roots = _roots(open_head, open_head.v_template[cut.members], cut.members, rest)
    offset = open_head.v_template[cut.members] - roots @ rest
    carried = own.on(head_map.deformed, open_head.faces)
    edge = SurfacePoints(flame.landmark_faces, flame.landmark_bary, flame.landmark_spread)

    def ride(directions: np.ndarray) -> Float[np.ndarray, "P 3 K"]:
        return np.einsum("pl,lck->pck", roots, edge.on(directions, flame.faces))

    return Parts(
        cut=cut,
        vertices=roots @ carried + head_map.similarity.turn(offset),
        shapedirs=ride(flame.shapedirs),
        arkit=ride(shapes),
        exprdirs=ride(flame.exprdirs),
    )


def lash_motion(
    head: HeadAssets, v_neutral: Float[np.ndarray, "V 3"], shape: Float[np.ndarray, "V 3"]
) -> tuple[Int[np.ndarray, "P"], Float[np.ndarray, "P 3"]]:
    """Return a completed head's lash vertices and how they ride on the lids' edges in a shape, metres."""
    lashes = np.unique(head.faces[region_faces(head, "lashes_left", "lashes_right")])
    edge = SurfacePoints(head.landmark_faces, head.landmark_bary, head.landmark_spread)
    roots = _roots(head, v_neutral[lashes], lashes, edge.on(v_neutral, head.faces))
    return lashes, roots @ edge.on(shape, head.faces)


def _roots(
    head: HeadAssets,
    places: Float[np.ndarray, "P 3"],
    members: Int[np.ndarray, "P"],
    landmarks: Float[np.ndarray, "478 3"],
) -> Float[np.ndarray, "P 478"]:
    """Return the weights of the landmarks on the lid's edge, upper or lower, that is nearest to each lash vertex."""
    roots = np.zeros((len(places), len(landmarks)))
    for side, rims in RIMS.items():
        mine = np.isin(members, head.faces[region_faces(head, f"lashes_{side}")])
        distance = np.stack([np.linalg.norm(places[:, None] - landmarks[list(rim)], axis=2) for rim in rims])
        lower = distance[1].min(1) < distance[0].min(1)
        for is_lower, rim in enumerate(rims):
            chosen = mine & (lower == bool(is_lower))
            near = 1 / (distance[is_lower][chosen] ** 2 + BLUR**2) ** 2
            roots[np.ix_(chosen, list(rim))] = near / near.sum(1, keepdims=True)
    return roots
