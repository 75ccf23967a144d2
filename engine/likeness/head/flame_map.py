"""Open Head's features on a FLAME surface: every FLAME vertex knows its place on Open Head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from likeness.geometry.frames import vertex_normals
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.registration import Mesh, Similarity, SurfacePoints, closest_points, neighbour_mean, register

SKIN_REGIONS = ("face", "scalp", "ears", "neck", "torso", "lids_left", "lids_right", "lips")
MATCH_DISTANCE = 0.004
"""FLAME vertices farther than this (metres) from the registered Open Head take their neighbours' motion."""
SLIDE = 0.003
"""Landmarks that slide by this much between views (metres, rms) count half."""
BROWS = ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)), ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285))
"""MediaPipe's landmarks along the right and the left brow's upper and lower edge."""
IBUG_FROM_MEDIAPIPE = (
    127, 234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""MediaPipe's landmark at each of iBUG's 68 places: jaw, brows, nose, eyes, outer and inner lips; the
subject's right first."""


@dataclass(frozen=True)
class Embedding:
    """The 478 landmarks on a surface and how far each slides over it between views (rms, metres)."""

    points: SurfacePoints
    spread: Float[np.ndarray, "478"]


@dataclass(frozen=True)
class HeadMap:
    """Where FLAME's vertices lie on Open Head. V vertices of FLAME, W of Open Head, F triangles of FLAME."""

    similarity: Similarity
    """From Open Head to FLAME, at best without deformation."""
    deformed: Float[np.ndarray, "W 3"]
    """Open Head's vertices on FLAME; those of unmatched parts only follow their neighbours."""
    places: SurfacePoints
    """FLAME's vertices on Open Head."""
    matched: Bool[np.ndarray, "V"]
    eyeball: Int[np.ndarray, "V"]
    """0 on skin, 1 on the left eyeball, 2 on the right one."""
    seen: Bool[np.ndarray, "F"]

    def transfer(
        self, field: Float[np.ndarray, "W 3 K"], open_head: HeadAssets, flame: HeadAssets
    ) -> Float[np.ndarray, "V 3 K"]:
        """Carry displacement fields from Open Head's skin to FLAME's; unseen skin follows smoothly, eyeballs rest."""
        moved = self.places.on(field.astype(np.float64), open_head.faces)
        moved = self.similarity.turn(moved.transpose(0, 2, 1)).transpose(0, 2, 1)
        moved[self.eyeball > 0] = 0
        return _filled(moved, self.matched | (self.eyeball > 0), flame.faces)


def region_faces(head: HeadAssets, *names: str) -> Bool[np.ndarray, "F"]:
    """Tell which triangles belong to the named regions."""
    return np.isin(head.face_region, [REGION_NAMES.index(name) for name in names])


def eyeballs(flame: HeadAssets) -> Int[np.ndarray, "V"]:
    """Tell skin (0), left (1) and right (2) eyeball apart: FLAME's surface has exactly these connected parts."""
    count = len(flame.v_template)
    ends = flame.faces.ravel(), np.roll(flame.faces, 1, 1).ravel()
    _, part = connected_components(sparse.coo_matrix((np.ones(len(ends[0])), ends), shape=(count, count)))
    skin = np.bincount(part).argmax()
    return np.where(part == skin, 0, np.where(flame.v_template[:, 0] > 0, 1, 2))


def map_head(flame: HeadAssets, open_head: HeadAssets, embedding: Embedding, seen: Bool[np.ndarray, "F"]) -> HeadMap:
    """Register Open Head to a FLAME head, both as their templates, by landmarks and closest points.

    `embedding` is FLAME's, `seen` are its triangles that show from outside.
    """
    eyeball = eyeballs(flame)
    skin = seen & (eyeball[flame.faces[:, 0]] == 0)
    target = Mesh(flame.v_template.astype(np.float64), flame.faces, skin)
    outside = region_faces(open_head, *SKIN_REGIONS) & ~open_head.hidden[open_head.faces].any(1)
    source = Mesh(open_head.v_template.astype(np.float64), open_head.faces, outside)
    own = SurfacePoints(open_head.landmark_faces, open_head.landmark_bary, open_head.landmark_spread)
    weights = 1 / (1 + (np.maximum(embedding.spread, open_head.landmark_spread) / SLIDE) ** 2)
    aims = embedding.points.on(target.vertices, target.faces)
    similarity, deformed = register(source, target, own, aims, weights.astype(np.float64))
    normals = vertex_normals(target.vertices, target.faces)
    places = closest_points(target.vertices, Mesh(deformed, source.faces, outside), normals)
    visible = np.zeros(len(target.vertices), bool)
    visible[target.faces[skin]] = True
    matched = visible & (places.distance < MATCH_DISTANCE)
    return HeadMap(similarity, deformed, places, matched, eyeball, seen)


def transfer_regions(head_map: HeadMap, open_head: HeadAssets, flame: HeadAssets) -> Int[np.ndarray, "F"]:
    """Return FLAME's regions: those of Open Head's nearest triangles by majority, eyeballs by themselves."""
    centers = flame.v_template[flame.faces].mean(1).astype(np.float64)
    everything = region_faces(open_head, *SKIN_REGIONS, "mouth_inside")
    nearest = closest_points(centers, Mesh(head_map.deformed, open_head.faces, everything))
    skin = Mesh(head_map.deformed, open_head.faces, region_faces(open_head, *SKIN_REGIONS))
    seen_nearest = closest_points(centers, skin)
    region = open_head.face_region[np.where(head_map.seen, seen_nearest.faces, nearest.faces)]
    side = head_map.eyeball[flame.faces[:, 0]]
    eye_names = [REGION_NAMES.index("eye_left"), REGION_NAMES.index("eye_right")]
    return np.where(side == 0, region, np.take(eye_names, np.maximum(side, 1) - 1)).astype(np.int32)


def _filled(
    values: Float[np.ndarray, "V 3 K"], known: Bool[np.ndarray, "V"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "V 3 K"]:
    """Continue known values harmonically over the other vertices."""
    laplacian = (sparse.identity(len(values)) - neighbour_mean(faces, len(values))).tocsr()
    free = ~known
    flat = values.reshape(len(values), -1)
    right = -(laplacian[free][:, known] @ flat[known])
    filled = flat.copy()
    # A free patch without any known neighbour would be singular; it then rests.
    system = laplacian[free][:, free] + 1e-9 * sparse.identity(int(free.sum()))
    filled[free] = splu(system.tocsc()).solve(right)
    return filled.reshape(values.shape)
