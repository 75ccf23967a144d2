"""Parts of Open Head that FLAME has not, as further vertices and triangles of a FLAME head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.head.assets import HeadAssets
from likeness.head.flame_map import region_faces


@dataclass(frozen=True)
class Cut:
    """Some regions of Open Head on their own. P vertices, Q triangles, U texture coordinates; counted from the cut."""

    members: Int[np.ndarray, "P"]
    """The vertices on Open Head."""
    faces: Int[np.ndarray, "Q 3"]
    uv: Float[np.ndarray, "U 2"]
    faces_uv: Int[np.ndarray, "Q 3"]
    face_region: Int[np.ndarray, "Q"]
    lbs_weights: Float[np.ndarray, "P 5"]
    hidden: Bool[np.ndarray, "P"]
    mirror: Int[np.ndarray, "P"]


@dataclass(frozen=True)
class Parts:
    """A cut in its place on a FLAME head and what moves it. S identity directions, E of FLAME's expressions."""

    cut: Cut
    vertices: Float[np.ndarray, "P 3"]
    shapedirs: Float[np.ndarray, "P 3 S"]
    arkit: Float[np.ndarray, "P 3 52"]
    exprdirs: Float[np.ndarray, "P 3 E"]


def cut_out(open_head: HeadAssets, *regions: str) -> Cut:
    """Cut the named regions out of Open Head."""
    chosen = region_faces(open_head, *regions)
    members, faces = np.unique(open_head.faces[chosen], return_inverse=True)
    used_uv, faces_uv = np.unique(open_head.faces_uv[chosen], return_inverse=True)
    index = np.full(len(open_head.v_template), -1)
    index[members] = np.arange(len(members))
    return Cut(
        members=members,
        faces=faces.reshape(-1, 3),
        uv=open_head.uv[used_uv],
        faces_uv=faces_uv.reshape(-1, 3),
        face_region=open_head.face_region[chosen],
        lbs_weights=open_head.lbs_weights[members],
        hidden=open_head.hidden[members],
        mirror=index[open_head.mirror[members]],
    )
