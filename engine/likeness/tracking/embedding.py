"""Where MediaPipe's 478 landmarks lie on a head model: render it, run the detector on the renders, cast rays back.

No hand work and no gated file: this is how a user's own FLAME gets its landmarks.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from likeness.contract.errors import InputError
from likeness.geometry.cameras import Camera, look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.head.flame_map import Embedding
from likeness.head.registration import Mesh, SurfacePoints, closest_points
from likeness.portrait.detectors import detect_mesh
from likeness.rendering.mesh import MeshRaster, rasterize_mesh, shade

SIZE = 640
DISTANCE = 1.15
FACE_FRACTION = 0.62
"""How much of the picture's height the head fills."""
LIGHTS = ((0.3, 0.5, 0.8), (-0.3, 0.4, 0.9))
YAWS, PITCHES = (-0.42, -0.2, 0.0, 0.2, 0.42), (-0.12, 0.06)
MIDLINE = 0.004
"""A landmark without a twin that lies farther from the middle than this (metres) is left as it is."""
IRISES = slice(468, 478)


@dataclass(frozen=True)
class Stage:
    """A head to detect landmarks on. V vertices, F triangles; metres, head space."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "V 3"]
    skin: Bool[np.ndarray, "F"]
    """Triangles that may carry the face's landmarks."""
    eyes: Bool[np.ndarray, "F"]
    """Triangles that may carry the irises'."""


def embed_landmarks(stage: Stage) -> Embedding:
    """Embed all landmarks by their robust mean place over many views; left and right are made alike.

    Errors: InputError `head.no_face` if the detector finds no face on the head.
    """
    places, weights = zip(*(_detect_and_cast(stage, camera, light) for camera, light in _views(stage)), strict=True)
    points, spread = _geometric_median(np.stack(places, 1), np.stack(weights, 1))
    pairs = _mirror_pairs(points)
    lone = (pairs == np.arange(478)) & (np.abs(points[:, 0]) > MIDLINE)
    paired = (points + points[pairs] * np.array([-1, 1, 1])) / 2
    points = np.where(lone[:, None], points, paired)
    return Embedding(_snapped(stage, points), (spread + spread[pairs]) / 2)


def outside_views(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Bool[np.ndarray, "F"]:
    """Tell which triangles a camera anywhere around the head sees."""
    seen = np.zeros(len(faces), bool)
    front = _front_camera(vertices)
    for yaw, pitch in itertools.product(np.radians(np.arange(0, 360, 30)), np.radians([-60, -30, 0, 30, 60])):
        visible = rasterize_mesh(front.orbited(yaw, pitch, vertices.mean(0)), vertices, faces).triangle
        seen[visible[visible >= 0]] = True
    return seen


def _front_camera(vertices: np.ndarray) -> Camera:
    """Frame the head: look straight at the middle of its bounding box."""
    low, high = vertices.min(0), vertices.max(0)
    focal = FACE_FRACTION * SIZE * DISTANCE / (high[1] - low[1])
    camera = look_at_face(DISTANCE, focal, SIZE, SIZE)
    center = (low + high) / 2
    camera.T_camera_head[:3, 3] -= camera.rotation @ center
    return camera


def _views(stage: Stage) -> list[tuple[Camera, tuple[float, float, float]]]:
    front, pivot = _front_camera(stage.vertices), stage.vertices.mean(0)
    poses = itertools.product(YAWS, PITCHES, LIGHTS)
    return [(front.orbited(yaw, pitch, pivot), light) for yaw, pitch, light in poses]


def _detect_and_cast(
    stage: Stage, camera: Camera, light: tuple[float, float, float]
) -> tuple[Float[np.ndarray, "478 3"], Float[np.ndarray, "478"]]:
    """Return the surface point under each detected landmark and how squarely it faces the camera (0..1)."""
    raster = rasterize_mesh(camera, stage.vertices, stage.faces)
    picture = shade(raster, stage.vertices, stage.faces, stage.colors, light=light)
    found = detect_mesh((picture * 255).astype(np.uint8))
    if found is None:
        raise InputError("head.no_face", "No face is found on the head model.", "Use a FLAME model as downloaded.")
    normals = vertex_normals(stage.vertices, stage.faces) @ camera.rotation.T
    places, facing = np.empty((478, 3)), np.empty(478)
    for allowed, chosen in ((stage.skin, slice(0, 468)), (stage.eyes, IRISES)):
        places[chosen], toward = _cast(raster, stage, allowed, found[chosen, :2], normals)
        facing[chosen] = np.clip(toward, 0.05, 1) ** 2
    return places, facing


def _cast(
    raster: MeshRaster, stage: Stage, allowed: np.ndarray, pixels: np.ndarray, normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read the surface at the covered, allowed pixel nearest to each landmark."""
    rows, columns = np.nonzero(raster.covered & allowed[np.maximum(raster.triangle, 0)])
    nearest = cKDTree(np.stack([columns, rows], 1) + 0.5).query(pixels)[1]
    rows, columns = rows[nearest], columns[nearest]
    hit = SurfacePoints(raster.triangle[rows, columns], raster.bary[rows, columns], np.zeros(len(rows)))
    return hit.on(stage.vertices, stage.faces), -hit.on(normals, stage.faces)[:, 2]


def _geometric_median(
    points: Float[np.ndarray, "N M 3"], weights: Float[np.ndarray, "N M"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N"]]:
    """Return the weighted geometric median over the views (Weiszfeld 1937) and the rms distance from it."""
    center = np.median(points, 1)
    for _ in range(15):
        distance = np.linalg.norm(points - center[:, None], axis=2)
        share = weights / (distance + 1e-3)
        share /= share.sum(1, keepdims=True)
        center = (points * share[:, :, None]).sum(1)
    distance = np.linalg.norm(points - center[:, None], axis=2)
    return center, np.sqrt((share * distance**2).sum(1))


def _mirror_pairs(points: Float[np.ndarray, "478 3"]) -> Int[np.ndarray, "478"]:
    """Return each landmark's mirror twin; itself where the nearest one does not agree."""
    mirrored = points * np.array([-1, 1, 1])
    face = cKDTree(points[:468]).query(mirrored[:468])[1]
    iris = 468 + cKDTree(points[IRISES]).query(mirrored[IRISES])[1]
    twin = np.concatenate([face, iris])
    mutual = twin[twin] == np.arange(478)
    return np.where(mutual, twin, np.arange(478))


def _snapped(stage: Stage, points: Float[np.ndarray, "478 3"]) -> SurfacePoints:
    parts = [
        closest_points(points[chosen], Mesh(stage.vertices, stage.faces, allowed))
        for allowed, chosen in ((stage.skin, slice(0, 468)), (stage.eyes, IRISES))
    ]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("faces", "bary", "distance")}
    return SurfacePoints(**joined)
