"""Finds where MediaPipe's 478 landmarks lie on the head: render, detect, cast back, average over many views.

iBUG's 68 points follow from them through the correspondence that the MediaPipe community uses.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import mediapipe
import numpy as np
import trimesh
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from likeness.geometry.cameras import Camera, look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import REGION_NAMES
from likeness.rendering.mesh import MeshRaster, rasterize_mesh, shade
from open_head.surface import HeadSurface

SIZE = 768
FRONT = look_at_face(1.15, 2400.0, SIZE, SIZE)
PIVOT = np.array([0, -0.03, -0.05])
LIGHTS = ((0.3, 0.45, 0.85), (-0.3, 0.45, 0.85))
YAWS, PITCHES = np.radians([-25, -12, 0, 12, 25]), np.radians([-8, 0, 8])
FRONTAL = np.radians(20)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
OPEN_MOUTH = {"jawOpen": 0.35, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3,
              "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3}  # fmt: skip


@dataclass(frozen=True)
class Embedding:
    """Landmarks as triangle and barycentric coordinates, with their slide over the views (rms, metres)."""

    faces: np.ndarray
    bary: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class Stage:
    """What every render shares: the surface, its colours and which triangles may carry a landmark."""

    surface: HeadSurface
    colors: np.ndarray
    skin: np.ndarray
    """(F,) bool: the front of the face, without ears, inner mouth and sockets."""
    eyes: np.ndarray

    @property
    def lashless(self) -> np.ndarray:
        """Indices of all triangles but the lashes: solid, they would look like paint and catch the eyelids' rays."""
        return np.flatnonzero(~np.isin(self.surface.face_group, ("lashes_left", "lashes_right")))


def make_stage(surface: HeadSurface, mean: np.ndarray, region: np.ndarray, colors: np.ndarray) -> Stage:
    """Choose the triangles that may carry landmarks."""
    carriers = [REGION_NAMES.index(n) for n in ("face", "lids_left", "lids_right", "lips", "neck", "scalp")]
    center = mean[surface.faces].mean(1)
    front = (center[:, 2] > -0.085) & (center[:, 1] > -0.15)
    normal = vertex_normals(mean, surface.faces)[surface.faces].mean(1)
    outside = normal[:, 2] > -0.6
    eyes = np.isin(surface.face_group, ("eye_left", "eye_right"))
    return Stage(surface, colors, np.isin(region, carriers) & front & outside, eyes)


def embed(stage: Stage, mean: np.ndarray, shapes: dict[str, np.ndarray]) -> Embedding:
    """Embed all 478 landmarks; the inner lips on an opened mouth, where upper and lower rim are both visible."""
    points, spread = _robust_points(stage, mean, _views(YAWS, PITCHES))
    opened = mean + sum(strength * shapes[name] for name, strength in OPEN_MOUTH.items())
    inner, inner_spread = _robust_points(stage, opened, _views(YAWS[1:4], PITCHES))
    pairs = _mirror_pairs(np.stack([points, inner], 1))
    points, inner = _symmetrised(points, pairs), _symmetrised(inner, pairs)
    faces, bary = _closest(stage, mean, points)
    lips = list(INNER_LIPS)
    open_faces, open_bary = _closest(stage, opened, inner)
    faces[lips], bary[lips], spread[lips] = open_faces[lips], open_bary[lips], inner_spread[lips]
    return Embedding(faces, bary, (spread + spread[pairs]) / 2)


def detect(detector: mediapipe.solutions.face_mesh.FaceMesh, picture: np.ndarray) -> np.ndarray:
    """Return MediaPipe's landmarks (478, 2) in pixels of a float sRGB picture."""
    found = detector.process(np.ascontiguousarray((np.clip(picture, 0, 1) * 255).astype(np.uint8)))
    if not found.multi_face_landmarks:
        raise RuntimeError("MediaPipe does not find the rendered head's face.")
    height, width = picture.shape[:2]
    return np.array([[p.x * width, p.y * height] for p in found.multi_face_landmarks[0].landmark])


def open_detector() -> mediapipe.solutions.face_mesh.FaceMesh:
    """Return a detector for single pictures, irises included."""
    return mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True)


def _views(yaws: np.ndarray, pitches: np.ndarray) -> list[tuple[Camera, tuple[float, float, float], float]]:
    """Return cameras and lights, and the weight of each view: portraits are mostly frontal."""
    poses = itertools.product(yaws, pitches, LIGHTS)
    return [(FRONT.orbited(yaw, pitch, PIVOT), light, np.exp(-((yaw / FRONTAL) ** 2))) for yaw, pitch, light in poses]


def _robust_points(stage: Stage, vertices: np.ndarray, views: list) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks' mean place (478, 3) and spread (478,) over the views (Weiszfeld's geometric median)."""
    faces = stage.surface.faces[stage.lashless]
    hits, weights = [], []
    with open_detector() as detector:
        for camera, light, frontality in views:
            raster = rasterize_mesh(camera, vertices, faces)
            pixels = detect(detector, shade(raster, vertices, faces, stage.colors, light=light))
            place, facing = _cast(stage, vertices, camera, pixels)
            hits.append(place)
            weights.append(facing * frontality)
    return _weiszfeld(np.stack(hits, 1), np.stack(weights, 1))


def _weiszfeld(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    center = np.median(points, 1)
    for _ in range(15):
        distance = np.linalg.norm(points - center[:, None], axis=2)
        share = weights / (distance + 1e-3)
        share /= share.sum(1, keepdims=True)
        center = (points * share[:, :, None]).sum(1)
    distance = np.linalg.norm(points - center[:, None], axis=2)
    return center, np.sqrt((share * distance**2).sum(1))


def _cast(stage: Stage, vertices: np.ndarray, camera: Camera, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface point under each landmark (478, 3) and how far it faces the camera, 0.05 to 1.

    A landmark beside the silhouette takes the nearest covered pixel.
    """
    faces = stage.surface.faces[stage.lashless]
    raster = rasterize_mesh(camera, vertices, faces)
    place, facing = np.empty((478, 3)), np.empty(478)
    normals = vertex_normals(vertices, faces) @ camera.rotation.T
    skin, eyes = stage.skin[stage.lashless], stage.eyes[stage.lashless]
    for allowed, indices in ((skin, range(468)), (eyes, range(468, 478))):
        rows, columns = np.nonzero((raster.triangle >= 0) & allowed[np.maximum(raster.triangle, 0)])
        nearest = cKDTree(np.stack([columns, rows], 1) + 0.5).query(pixels[list(indices)])[1]
        place[list(indices)], z = _read(raster, rows[nearest], columns[nearest], faces, vertices, normals)
        facing[list(indices)] = np.clip(-z, 0.05, 1)
    return place, facing


def _read(raster: MeshRaster, rows, columns, faces, vertices, normals) -> tuple[np.ndarray, np.ndarray]:
    corners, bary = faces[raster.triangle[rows, columns]], raster.bary[rows, columns][:, :, None].astype(float)
    return (vertices[corners] * bary).sum(1), (normals[corners] * bary).sum(1)[:, 2]


def _mirror_pairs(points: np.ndarray) -> np.ndarray:
    """Return each landmark's mirror twin: the assignment that moves (478, K, 3) places of K expressions the least.

    Several expressions, because the inner lips coincide while the mouth is shut.
    """
    mirrored = points * np.array([-1, 1, 1])
    distance = np.linalg.norm(points[:, None] - mirrored[None], axis=3).sum(2)
    distance[:468, 468:] = distance[468:, :468] = 1.0
    twin = linear_sum_assignment(distance + distance.T)[1]
    return np.where(twin[twin] == np.arange(478), twin, np.arange(478))


def _symmetrised(points: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    paired = (points + points[pairs] * np.array([-1, 1, 1])) / 2
    lone = (pairs == np.arange(478)) & (np.abs(points[:, 0]) > 0.004)
    return np.where(lone[:, None], points, paired)


def _closest(stage: Stage, vertices: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest allowed triangle to each point and the barycentric coordinates there."""
    out_faces, out_bary = np.empty(478, int), np.empty((478, 3))
    for allowed, chosen in ((stage.skin, slice(0, 468)), (stage.eyes, slice(468, 478))):
        carriers = np.flatnonzero(allowed)
        mesh = trimesh.Trimesh(vertices, stage.surface.faces[carriers], process=False)
        nearest, _, triangle = trimesh.proximity.closest_point(mesh, points[chosen])
        out_faces[chosen] = carriers[triangle]
        out_bary[chosen] = trimesh.triangles.points_to_barycentric(mesh.triangles[triangle], nearest)
    return out_faces, np.clip(out_bary, 0, 1) / np.clip(out_bary, 0, 1).sum(1, keepdims=True)
