"""Portraits whose truth is known: random heads of Open Head's own family, painted, lit and photographed.

They scatter around the usual depths of people, not around the family's flat mean.

The paint is nobody's model: skin of a random tone with smooth blotches, fine noise, red lips, brows, hair on the scalp
and cast-free light from two directions over an ambient term, in linear light, with a highlight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import Camera, look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.model import forward, landmarks, prepare_identity
from likeness.portrait.build import make_portrait
from likeness.portrait.faces import find_faces
from likeness.portrait.types import Photograph, Portrait
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.landmarks import embedded_landmarks
from likeness.tracking.parameters import MAX_IDENTITY, head_points
from likeness.tracking.people import usual_identity

SIZE = 640
FACE_REGIONS = ("face", "lids_left", "lids_right", "lips")
BROWS = ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)), ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285))
EXPRESSIONS = (
    {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    {"jawOpen": 0.35, "browInnerUp": 0.5},
    {"browDownLeft": 0.7, "browDownRight": 0.7, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
    {"mouthPucker": 0.5},
)


@dataclass(frozen=True)
class SyntheticHead:
    portrait: Portrait
    camera: Camera
    """Of the whole photograph."""
    v_neutral: np.ndarray
    v_portrait: np.ndarray
    controls: np.ndarray


def synthetic_heads(assets: HeadAssets, count: int, seed: int = 0) -> list[SyntheticHead]:
    """Draw heads; every second one has an expression. Heads in which no face is found are left out."""
    drawn = [_draw(assets, np.random.default_rng([seed, number]), number) for number in range(count)]
    return [head for head in drawn if head is not None]


def face_vertices(assets: HeadAssets) -> np.ndarray:
    numbers = [REGION_NAMES.index(name) for name in FACE_REGIONS]
    vertices = np.unique(assets.faces[np.isin(assets.face_region, numbers)])
    return vertices[~assets.hidden[vertices]]


def aligned_error(source: np.ndarray, target: np.ndarray) -> float:
    """Return the mean distance after the best similarity transform (Umeyama 1991), in the target's unit."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (singular * np.diag(flip)).sum() / (a**2).sum()
    return float(np.linalg.norm(scale * a @ u @ flip @ vt - b, axis=1).mean())


def _draw(assets: HeadAssets, rng: np.random.Generator, number: int) -> SyntheticHead | None:
    betas = rng.normal(size=assets.shapedirs.shape[-1]).astype(np.float32)
    usual = usual_identity(embedded_landmarks(head_points(assets), assets), min(MAX_IDENTITY, len(betas)))
    betas[: len(usual)] += usual
    controls = np.zeros(len(assets.expr_names), np.float32)
    if number % 2:
        for name, value in EXPRESSIONS[number // 2 % len(EXPRESSIONS)].items():
            controls[ARKIT_NAMES.index(name)] = value
    head = prepare_identity(assets, betas)
    vertices = forward(head, controls, np.zeros((5, 3))).astype(np.float64)
    camera = _random_camera(rng)
    picture, alpha = photograph(assets, vertices, head.v_neutral, camera, rng)
    shot = Photograph((picture * 255 + 0.5).astype(np.uint8), alpha, "0" * 64)
    found = find_faces(shot)
    if not found:
        return None
    return SyntheticHead(make_portrait(shot, found[0]), camera, head.v_neutral, vertices, controls)


def _random_camera(rng: np.random.Generator) -> Camera:
    distance = float(np.exp(rng.normal(0.0, 0.25)))
    yaw, pitch = np.radians(rng.uniform(-25, 25)), np.radians(rng.normal(0, 6))
    camera = look_at_face(distance, rng.uniform(2.4, 3.0) * SIZE * distance, SIZE, SIZE)
    camera.T_camera_head[1, 3] -= 0.03
    return camera.orbited(float(yaw), float(pitch), np.array([0, -0.02, -0.05]))


def photograph(
    assets: HeadAssets, vertices: np.ndarray, v_neutral: np.ndarray, camera: Camera, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return an sRGB picture in 0..1 and its alpha, each pixel the mean of four."""
    raster = rasterize_mesh(camera.resized(2 * SIZE, 2 * SIZE), vertices, assets.faces)
    normal = raster.interpolate(assets.faces, vertex_normals(vertices, assets.faces))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    normal = normal @ camera.rotation.T
    albedo = raster.interpolate(assets.faces, _paint(assets, v_neutral, rng))
    linear = albedo * _light(normal, rng)[..., None] + 0.04 * np.clip(-normal[..., 2:], 0, 1) ** 20
    background = rng.uniform(0.1, 0.7, 3)
    srgb = np.where(raster.covered[..., None], np.clip(linear, 0, 1) ** (1 / 2.2), background)
    small = srgb.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3)) + rng.normal(0, 0.006, (SIZE, SIZE, 3))
    alpha = raster.covered.reshape(SIZE, 2, SIZE, 2).mean((1, 3))
    return np.clip(small, 0, 1), alpha.astype(np.float32)


def _light(normal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the brightness of a key light from above and the front, a weak fill, and the surroundings."""
    shading = np.full(normal.shape[:2], rng.uniform(0.25, 0.5))
    for strength in (rng.uniform(0.5, 0.8), rng.uniform(0.0, 0.3)):
        direction = np.array([rng.normal(0, 0.6), rng.normal(-0.4, 0.3), -1.0])
        shading += strength * np.clip(normal @ (direction / np.linalg.norm(direction)), 0, 1)
    return shading


def _paint(assets: HeadAssets, v_neutral: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return linear albedo at the vertices."""
    skin = np.array([0.58, 0.30, 0.20]) * rng.uniform(0.35, 1.1) * np.exp(rng.normal(0, 0.05, 3))
    colors = np.tile(skin, (len(v_neutral), 1))
    blotches = sum(rng.normal(0, 0.03) * np.sin(v_neutral @ rng.normal(0, 45, 3) + rng.uniform(0, 6)) for _ in range(8))
    colors *= np.exp(blotches + rng.normal(0, 0.02, len(v_neutral)))[:, None]
    cheeks = landmarks(v_neutral, assets)[[205, 425]]
    red = sum(np.exp(-((v_neutral - cheek) ** 2).sum(1) / 0.018**2) for cheek in cheeks)
    colors *= 1 - rng.uniform(0, 0.25) * red[:, None] * (0.2, 1.0, 1.0)
    brow = _brow_mask(landmarks(v_neutral, assets), v_neutral)[:, None]
    hair = np.array([0.03, 0.02, 0.015]) * rng.uniform(0.6, 4)
    colors = colors * (1 - 0.85 * brow) + hair * 0.85 * brow
    for name, color in (("lips", skin * (0.75, 0.4, 0.5)), ("scalp", hair), ("torso", rng.uniform(0.05, 0.5, 3))):
        colors[_region(assets, name)] = color
    for name in ("teeth_upper", "teeth_lower"):
        colors[_region(assets, name)] = 0.7
    colors[_region(assets, "mouth_inside")] *= 0.3
    for joint, name in ((3, "eye_left"), (4, "eye_right")):
        eye = _region(assets, name)
        offset = v_neutral[eye] - (assets.J_regressor @ v_neutral)[joint]
        angle = np.degrees(np.arctan2(np.linalg.norm(offset[:, :2], axis=1), offset[:, 2]))[:, None]
        colors[eye] = np.where(angle < 12, 0.005, np.where(angle < 27, np.array([0.08, 0.05, 0.03]), 0.75))
    return colors


def _brow_mask(points: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    distance = np.full(len(vertices), np.inf)
    for upper, lower in BROWS:
        line = (points[list(upper)] + points[list(lower)]) / 2
        dense = np.concatenate([line[:-1] * (1 - s) + line[1:] * s for s in np.linspace(0, 1, 9)])
        distance = np.minimum(distance, np.linalg.norm(vertices[:, None] - dense, axis=2).min(1))
    return np.clip(1.6 - distance / 0.0041, 0, 1)


def _region(assets: HeadAssets, name: str) -> np.ndarray:
    return np.unique(assets.faces[assets.face_region == REGION_NAMES.index(name)])
