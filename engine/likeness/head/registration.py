"""Registers one head's surface to another's: similarity, then a smooth deformation onto the closest points.

Non-rigid ICP in the manner of Amberg et al. 2007 with the displacement's Laplacian as the stiffness term (Sorkine
2005), which falls from step to step. Every step is one sparse linear system for the three coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from likeness.geometry.frames import vertex_normals

CANDIDATES = 24
"""Triangles looked at for each closest point: those whose centres lie nearest."""
STIFFNESS = (200.0, 100.0, 50.0, 20.0, 8.0, 4.0, 2.0)
REACH = (0.02, 0.02, 0.015, 0.01, 0.008, 0.006, 0.006)
"""Closest points farther off than this (metres) are no partners, step by step."""
LANDMARK_WEIGHT = 1.0
MIN_NORMAL_AGREEMENT = 0.4


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a triangle mesh. N points."""

    faces: Int[np.ndarray, "N"]
    bary: Float[np.ndarray, "N 3"]
    distance: Float[np.ndarray, "N"]
    """From the points asked for, metres."""

    def on(self, values: Float[np.ndarray, "V *c"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "N *c"]:
        """Interpolate values at the mesh's vertices."""
        return np.einsum("nk,nk...->n...", self.bary, values[faces[self.faces]])


@dataclass(frozen=True)
class Mesh:
    """A surface in metres with the triangles that may be matched. V vertices, F triangles."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    usable: Bool[np.ndarray, "F"]


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def apply(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Carry points."""
        return self.turn(points) + self.translation

    def turn(self, vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Carry displacements."""
        return self.scale * (vectors @ self.rotation.T)


def fit_similarity(
    source: Float[np.ndarray, "N 3"], target: Float[np.ndarray, "N 3"], weights: Float[np.ndarray, "N"]
) -> Similarity:
    """Return the similarity that takes source to target with the least weighted squares (Umeyama 1991)."""
    share = (weights / weights.sum())[:, None]
    source_mean, target_mean = (source * share).sum(0), (target * share).sum(0)
    centered = source - source_mean
    u, spread, vt = np.linalg.svd((target - target_mean).T @ (centered * share))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((spread * sign).sum() / (share * centered**2).sum())
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def register(
    source: Mesh,
    target: Mesh,
    source_landmarks: SurfacePoints,
    target_landmarks: Float[np.ndarray, "N 3"],
    weights: Float[np.ndarray, "N"],
) -> tuple[Similarity, Float[np.ndarray, "V 3"]]:
    """Deform the source onto the target; unusable parts of the source follow their neighbours.

    `weights` (0..1) tell how far each landmark is to be trusted. Returns the similarity that came first and the
    source's vertices on the target (metres, the target's frame).
    """
    start = source_landmarks.on(source.vertices, source.faces)
    similarity = fit_similarity(start, target_landmarks, weights)
    rest = similarity.apply(source.vertices.astype(np.float64))
    smoothness = _laplacian(source.faces, len(rest))
    smoothness = smoothness.T @ smoothness
    rows = _landmark_rows(source_landmarks, source.faces, len(rest))
    pull = LANDMARK_WEIGHT * sparse.diags(weights)
    deformed = rest
    for stiffness, reach in zip(STIFFNESS, REACH, strict=True):
        partner, trust = _partners(Mesh(deformed, source.faces, source.usable), target, reach)
        # The small constant keeps vertices without any tie where they are, instead of leaving the system singular.
        system = sparse.diags(trust + 1e-6) + stiffness * smoothness + rows.T @ pull @ rows
        wanted = trust[:, None] * (partner - rest) + rows.T @ (pull @ (target_landmarks - rows @ rest))
        deformed = rest + splu(system.tocsc()).solve(wanted)
    return similarity, deformed


def closest_points(
    points: Float[np.ndarray, "N 3"],
    mesh: Mesh,
    normals: Float[np.ndarray, "N 3"] | None = None,
) -> SurfacePoints:
    """Return the usable surface's point nearest to each point; with normals, only triangles that face alike count.

    A point that no candidate faces alike takes the nearest one, normal or not.
    """
    usable = np.flatnonzero(mesh.usable)
    corners = mesh.vertices[mesh.faces[usable]].astype(np.float64)
    count = min(CANDIDATES, len(usable))
    _, candidates = cKDTree(corners.mean(1)).query(points, k=count)
    candidates = candidates.reshape(len(points), count)
    bary = _closest_barycentric(points[:, None], corners[candidates])
    offset = np.einsum("nck,nckd->ncd", bary, corners[candidates]) - points[:, None]
    distance = np.linalg.norm(offset, axis=-1)
    cost = distance
    if normals is not None:
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        cross /= np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-12)
        alike = np.einsum("ncd,nd->nc", cross[candidates], normals) > MIN_NORMAL_AGREEMENT
        cost = np.where(alike, distance, distance + 1.0)
    best = cost.argmin(1)
    row = np.arange(len(points))
    return SurfacePoints(usable[candidates[row, best]], bary[row, best], distance[row, best])


def neighbour_mean(faces: Int[np.ndarray, "F 3"], count: int) -> sparse.csr_matrix:
    """Return the (V, V) matrix that averages each vertex's edge neighbours."""
    start, end = faces.ravel(), np.roll(faces, 1, 1).ravel()
    ends = (np.concatenate([start, end]), np.concatenate([end, start]))
    adjacency = sparse.coo_matrix((np.ones(len(ends[0])), ends), shape=(count, count)).tocsr()
    adjacency.data[:] = 1
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    return sparse.diags(1 / degree) @ adjacency


def boundary_vertices(faces: Int[np.ndarray, "F 3"], count: int) -> Bool[np.ndarray, "V"]:
    """Tell which vertices lie on an edge that only one triangle has."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    unique, used = np.unique(edges, axis=0, return_counts=True)
    on_boundary = np.zeros(count, bool)
    on_boundary[unique[used == 1]] = True
    return on_boundary


def _laplacian(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    return (sparse.identity(count) - neighbour_mean(faces, count)).tocsr()


def _landmark_rows(landmarks: SurfacePoints, faces: np.ndarray, count: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(landmarks.faces)), 3)
    columns = faces[landmarks.faces].ravel()
    return sparse.coo_matrix((landmarks.bary.ravel(), (rows, columns)), shape=(len(landmarks.faces), count)).tocsr()


def _partners(source: Mesh, target: Mesh, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return for every source vertex its closest point (V, 3) and a trust (V,), 0 where it has no partner."""
    normals = vertex_normals(source.vertices, source.faces)
    nearest = closest_points(source.vertices, target, normals)
    usable = np.zeros(len(source.vertices), bool)
    usable[source.faces[source.usable]] = True
    edge = boundary_vertices(target.faces, len(target.vertices))[target.faces].any(1)
    target_normals = vertex_normals(target.vertices.astype(np.float64), target.faces)
    agreement = (nearest.on(target_normals, target.faces) * normals).sum(1)
    matched = usable & (nearest.distance < reach) & (agreement > MIN_NORMAL_AGREEMENT) & ~edge[nearest.faces]
    return nearest.on(target.vertices, target.faces), matched.astype(np.float64)


def _closest_barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return barycentric coordinates (..., 3) of the closest point on triangles (..., 3, 3) to points (..., 3).

    Ericson, Real-Time Collision Detection, 2005, section 5.1.5: inside the triangle, or else on the nearest edge.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = np.stack([1 - v - w, v, w], -1)
    best, best_distance = inside, np.where((inside >= 0).all(-1), -1.0, np.inf)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        edge = corners[..., end, :] - corners[..., start, :]
        along = ((points - corners[..., start, :]) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-30)
        candidate = np.zeros_like(inside)
        candidate[..., end] = np.clip(along, 0, 1)
        candidate[..., start] = 1 - candidate[..., end]
        offset = (candidate[..., None] * corners).sum(-2) - points
        distance = (offset * offset).sum(-1)
        nearer = distance < best_distance
        best = np.where(nearer[..., None], candidate, best)
        best_distance = np.where(nearer, distance, best_distance)
    return best
