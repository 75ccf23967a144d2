"""Personal offsets: a smooth displacement of the skin, in the picture's plane, that meets landmarks and silhouette.

Displacements minimise sum w |M d - t|^2 + STIFFNESS |L d|^2 + REST |d|^2 with the graph Laplacian L (Sorkine et al.,
Laplacian Surface Editing, 2004). Shapes add up linearly, so that a displacement found on the portrait's expression is
the same on the neutral head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.linalg import splu

from likeness.geometry.cameras import Camera
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import REGION_NAMES, HeadAssets

SKIN_REGIONS = ("face", "scalp", "ears", "neck", "torso", "lids_left", "lids_right", "lips", "mouth_inside")
RIDERS = {
    "eye_left": "lids_left",
    "eye_right": "lids_right",
    "teeth_upper": "lips",
    "teeth_lower": "lips",
    "tongue": "lips",
}
"""Rigid parts and the skin whose mean displacement they take."""
LASHES = {"lashes_left": "lids_left", "lashes_right": "lids_right"}
STIFFNESS = 1.0
REST = 1e-2
UNSEEN, SEEN = -0.25, 0.1
"""Cosines with the line of sight between which skin passes from its mirror image's displacement to its own."""
LID_CLEARANCE = 0.0002
"""Metres between lid and eyeball that offsets leave, unless there was less before."""


@dataclass(frozen=True)
class Targets:
    """Where points on the head should go, in the picture's plane."""

    corners: Int[np.ndarray, "N 3"]
    bary: Float[np.ndarray, "N 3"]
    shifts: Float[np.ndarray, "N 2"]
    """From the head without offsets, metres along the camera's x and y."""
    weights: Float[np.ndarray, "N"]


def region_vertices(assets: HeadAssets, *names: str) -> Int[np.ndarray, "N"]:
    """Return the vertices of the named regions' triangles."""
    numbers = [REGION_NAMES.index(name) for name in names]
    return np.unique(assets.faces[np.isin(assets.face_region, numbers)])


def skin_faces(assets: HeadAssets) -> Int[np.ndarray, "F 3"]:
    """Return the triangles of the one connected skin, the mouth's inside included."""
    return assets.faces[np.isin(assets.face_region, [REGION_NAMES.index(name) for name in SKIN_REGIONS])]


def graph_laplacian(faces: Int[np.ndarray, "F 3"], count: int) -> sparse.csr_matrix:
    """Return I - D^-1 A over `count` vertices; rows of vertices without triangles are zero."""
    ends = faces[:, [0, 1, 1, 2, 2, 0, 1, 0, 2, 1, 0, 2]].reshape(-1, 2)
    adjacency = sparse.csr_matrix((np.ones(len(ends)), ends.T), (count, count))
    adjacency.data[:] = 1
    degree = np.asarray(adjacency.sum(1)).ravel()
    used = (degree > 0).astype(float)
    return sparse.diags(used) - sparse.diags(used / np.maximum(degree, 1)) @ adjacency


def solve_plane(assets: HeadAssets, laplacian: sparse.csr_matrix, targets: Targets) -> Float[np.ndarray, "V 2"]:
    """Return the displacement of all vertices in the picture's plane, metres; zero off the skin."""
    count = len(assets.v_template)
    rows = np.repeat(np.arange(len(targets.corners)), 3)
    points = sparse.csr_matrix((targets.bary.ravel(), (rows, targets.corners.ravel())), (len(targets.corners), count))
    pull = points.T @ sparse.diags(targets.weights)
    system = pull @ points + STIFFNESS * laplacian.T @ laplacian + REST * sparse.identity(count)
    return splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(
        pull @ targets.shifts
    )


def lift_plane(
    assets: HeadAssets, plane: Float[np.ndarray, "V 2"], camera: Camera, vertices: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    """Turn displacements in the picture's plane into head space; skin turned away takes its mirror image's."""
    offsets = plane @ camera.rotation[:2]
    sight = camera.center - vertices
    cosine = (vertex_normals(vertices, assets.faces) * sight).sum(1) / np.linalg.norm(sight, axis=1)
    own = np.clip((cosine - UNSEEN) / (SEEN - UNSEEN), 0, 1)
    mirrored = offsets[assets.mirror] * (-1.0, 1.0, 1.0)
    other = own[assets.mirror] * (1 - own)
    return own[:, None] * offsets + other[:, None] * mirrored + ((1 - own) - other)[:, None] * offsets


def carry_riders(assets: HeadAssets, offsets: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
    """Move eyeballs, teeth and tongue rigidly with the skin around them, and each lash with the lid beneath it."""
    carried = offsets.copy()
    for rider, carrier in RIDERS.items():
        carried[region_vertices(assets, rider)] = offsets[region_vertices(assets, carrier)].mean(0)
    for rider, carrier in LASHES.items():
        lashes, lid = region_vertices(assets, rider), region_vertices(assets, carrier)
        distance = ((assets.v_template[lashes, None] - assets.v_template[None, lid]) ** 2).sum(-1)
        carried[lashes] = offsets[lid[distance.argmin(1)]]
    return carried


def clear_eyeballs(
    assets: HeadAssets, before: Float[np.ndarray, "V 3"], offsets: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    """Push lids out of the eyeballs where the offsets drove them in. `before` is the neutral head without offsets."""
    cleared = offsets.copy()
    for side in ("left", "right"):
        ball, lid = region_vertices(assets, f"eye_{side}"), region_vertices(assets, f"lids_{side}")
        center, radius = _ball(before[ball])
        least = np.minimum(np.linalg.norm(before[lid] - center, axis=1), radius + LID_CLEARANCE)
        outward = before[lid] + offsets[lid] - (center + offsets[ball].mean(0))
        distance = np.linalg.norm(outward, axis=1)
        push = np.maximum(least - distance, 0)
        cleared[lid] += outward * (push / np.maximum(distance, 1e-9))[:, None]
    return cleared


def _ball(points: Float[np.ndarray, "N 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Fit a sphere (linear least squares): its centre and radius."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    *center, constant = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return np.array(center), float(np.sqrt(constant + np.dot(center, center)))
