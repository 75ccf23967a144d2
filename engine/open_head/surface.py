"""Cuts the head out of the base mesh and replaces its eyeballs by exact spheres with rings for pupil and iris."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from open_head.makehuman import BaseMesh

METRES = 0.1
CHEST_BELOW_CLAVICLE = 0.55
SHOULDER_HALF_WIDTH = 2.1
EYE_SEGMENTS = 20
EYE_RINGS = np.radians([5.0, 10.0, 16.0, 22.0, 30.0, 40.0, 52.0, 65.0, 78.0, 90.0, 115.0, 145.0])
"""Polar angles from the gaze axis. A pupil ends at 10 degrees, the iris at 22 (5.8 mm on a ball of 15.2 mm)."""
HELPERS = {
    "teeth_upper": ("helper-upper-teeth",),
    "teeth_lower": ("helper-lower-teeth",),
    "tongue": ("helper-tongue",),
    "lashes_left": ("helper-l-eyelashes-1", "helper-l-eyelashes-2"),
    "lashes_right": ("helper-r-eyelashes-1", "helper-r-eyelashes-2"),
}


@dataclass(frozen=True)
class HeadSurface:
    """The head's topology and the linear map from the base mesh to it. V vertices, F triangles."""

    base: BaseMesh
    kept: np.ndarray
    """(V - eyeballs,) base vertices taken over as they are; the two eyeballs follow, left then right."""
    faces: np.ndarray
    uv: np.ndarray
    faces_uv: np.ndarray
    face_group: np.ndarray
    """(F,) `body`, a key of HELPERS, `eye_left` or `eye_right`."""
    origin: np.ndarray
    """(3,) midway between the eyeballs, decimetres."""
    mirror: np.ndarray

    def directions(self, displacement: np.ndarray) -> np.ndarray:
        """Take base displacements (N, 3) to the head's vertices: (V, 3) metres.

        An eyeball keeps its shape: it is moved by its old vertices' mean and scaled by their mean growth.
        """
        eyes = [_carry_eyeball(self.base, displacement, side) for side in ("l", "r")]
        return np.concatenate([displacement[self.kept], *eyes]) * METRES

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """Take base vertices (N, 3) to the head's: (V, 3) metres from the origin between the eyes."""
        return self.directions(vertices) - self.origin * METRES

    @property
    def eye_equators(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices of each ball's 90 degree ring, left and right; their mean is the ball's centre."""
        row = int(np.argmin(np.abs(EYE_RINGS - np.pi / 2)))
        left = len(self.kept) + row * EYE_SEGMENTS + np.arange(EYE_SEGMENTS)
        return left, left + len(unit_ball())

    def vertices_of(self, *groups: str) -> np.ndarray:
        """Return the sorted vertices that the triangles of these groups use."""
        return np.unique(self.faces[np.isin(self.face_group, groups)])


def cut_head(base: BaseMesh) -> HeadSurface:
    """Return the head: body above the chest, teeth, tongue, lashes, and eyeballs of our own."""
    mirror = cKDTree(base.vertices * [-1, 1, 1]).query(base.vertices)[1]
    faces, faces_uv, group = _triangles(base, mirror)
    kept = np.unique(faces)
    to_head = np.full(len(base.vertices), -1)
    to_head[kept] = np.arange(len(kept))
    used_uv, faces_uv = np.unique(faces_uv, return_inverse=True)
    parts = [(to_head[faces], base.uv[used_uv], faces_uv.reshape(-1, 3), group)]
    start_vertex, start_uv = len(kept), len(used_uv)
    for side, name in (("l", "eye_left"), ("r", "eye_right")):
        eye_faces, eye_uv = _eyeball_faces(base, side)
        parts.append((eye_faces + start_vertex, eye_uv, eye_faces + start_uv, np.full(len(eye_faces), name)))
        start_vertex += len(eye_uv)
        start_uv += len(eye_uv)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    centers = [base.vertices[base.groups[f"helper-{side}-eye"]].mean(0) for side in ("l", "r")]
    surface = HeadSurface(base, kept, *columns, origin=np.mean(centers, 0), mirror=np.zeros(0, int))
    head = surface.points(base.vertices)
    head_mirror = cKDTree(head * [-1, 1, 1]).query(head)[1]
    return HeadSurface(base, kept, *columns, origin=np.mean(centers, 0), mirror=head_mirror)


def unit_ball() -> np.ndarray:
    """Return the eyeball's vertices on the unit sphere: rings from the front (+z), then both poles. (B, 3)."""
    azimuth = np.arange(EYE_SEGMENTS) * (2 * np.pi / EYE_SEGMENTS)
    polar = EYE_RINGS[:, None]
    x, y, z = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)
    ring = np.stack(np.broadcast_arrays(x, y, z), -1)
    return np.concatenate([ring.reshape(-1, 3), [[0, 0, 1.0], [0, 0, -1.0]]])


def _carry_eyeball(base: BaseMesh, displacement: np.ndarray, side: str) -> np.ndarray:
    members = base.groups[f"helper-{side}-eye"]
    rest = base.vertices[members] - base.vertices[members].mean(0)
    moved = displacement[members]
    growth = ((moved - moved.mean(0)) * rest).sum() / (rest**2).sum()
    radius = np.linalg.norm(rest, axis=1).mean()
    return moved.mean(0) + growth * radius * unit_ball()


def _eyeball_faces(base: BaseMesh, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the ball's triangles (outwards) and its uv, a disc around the place of MakeHuman's eye."""
    rings, segments = len(EYE_RINGS), EYE_SEGMENTS
    k = np.arange(segments)
    following = (k + 1) % segments
    front, back = rings * segments, rings * segments + 1
    faces = [np.stack([np.full(segments, front), k, following], 1)]
    for ring in range(rings - 1):
        a, b = ring * segments + k, ring * segments + following
        faces += [np.stack([a, a + segments, b], 1), np.stack([b, a + segments, b + segments], 1)]
    last = (rings - 1) * segments
    faces.append(np.stack([last + k, np.full(segments, back), last + following], 1))
    mesh = np.concatenate(faces)
    if side == "r":
        opposite = ((segments // 2 - k) % segments + segments * np.arange(rings)[:, None]).ravel()
        mesh = np.append(opposite, [front, back])[mesh][:, ::-1]
    old_polygons = np.flatnonzero(base.polygon_group == f"helper-{side}-eye")
    old = base.uv[np.concatenate([base.polygons_uv[k] for k in old_polygons])]
    ball = unit_ball()
    reach = np.arccos(np.clip(ball[:, 2], -1, 1)) / np.pi
    direction = ball[:, :2] / np.maximum(np.linalg.norm(ball[:, :2], axis=1, keepdims=True), 1e-9)
    half = np.ptp(old, axis=0).min() / 2
    return mesh, (old.min(0) + old.max(0)) / 2 + half * reach[:, None] * direction


def _triangles(base: BaseMesh, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = base.vertices[base.groups["joint-l-clavicle"]].mean(0)[1] - CHEST_BELOW_CLAVICLE
    inside = (base.vertices[:, 1] >= low) & (np.abs(base.vertices[:, 0]) <= SHOULDER_HALF_WIDTH)
    part_of = {group: part for part, groups in HELPERS.items() for group in groups}
    faces, faces_uv, part = [], [], []
    for polygon, polygon_uv, group in zip(base.polygons, base.polygons_uv, base.polygon_group, strict=True):
        if group in part_of or (group == "body" and inside[polygon].all()):
            for corners in _split(polygon, base.vertices, mirror):
                faces.append([polygon[corner] for corner in corners])
                faces_uv.append([polygon_uv[corner] for corner in corners])
                part.append(part_of.get(group, "body"))
    return np.array(faces), np.array(faces_uv), np.array(part)


def _split(polygon: list[int], vertices: np.ndarray, mirror: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Split a quad along its shorter diagonal, so that mirrored quads split alike."""
    if len(polygon) == 3:
        return ((0, 1, 2),)
    a, b, c, d = vertices[polygon]
    first, second = np.round(np.linalg.norm(c - a), 4), np.round(np.linalg.norm(d - b), 4)
    lowest = min(polygon, key=lambda v: min(v, mirror[v]))
    along_first = polygon.index(lowest) in (0, 2) if first == second else first < second
    return ((0, 1, 2), (0, 2, 3)) if along_first else ((0, 1, 3), (1, 2, 3))
