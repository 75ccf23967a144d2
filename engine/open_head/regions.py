"""Named regions of the head and the vertices nobody sees from outside."""

from __future__ import annotations

import numpy as np
from likeness.geometry.cameras import look_at_face
from likeness.head.assets import REGION_NAMES
from likeness.rendering.mesh import rasterize_mesh
from open_head.surface import HeadSurface


def face_regions(surface: HeadSurface, mean: np.ndarray, shapes: dict[str, np.ndarray]) -> np.ndarray:
    """Return the region index of every triangle; each belongs to exactly one. Symmetric by construction."""
    uv, center = surface.uv[surface.faces_uv].mean(1), mean[surface.faces].mean(1)
    body = surface.face_group == "body"
    mask = {name: surface.base.mask(name, uv) > 0.5 for name in ("lips", "ears", "inside-mouth", "eyelids")}
    region = np.full(len(uv), REGION_NAMES.index("face"))

    def assign(name: str, where: np.ndarray) -> None:
        region[where & body] = REGION_NAMES.index(name)

    behind = center[:, 1] + 0.9 * (center[:, 2] + 0.075)
    assign("scalp", (center[:, 1] > 0.075) | ((center[:, 2] < -0.075) & (center[:, 1] > -0.07)))
    assign("neck", (center[:, 1] + 0.385 * center[:, 2] < -0.137) & (behind < 0))
    assign("torso", center[:, 1] + 0.385 * center[:, 2] < -0.225)
    assign("ears", mask["ears"])
    assign("lips", mask["lips"])
    assign("mouth_inside", mask["inside-mouth"])
    for side, ring in zip(("Left", "Right"), surface.eye_equators, strict=True):
        blink = np.linalg.norm(shapes[f"eyeBlink{side}"], axis=1)[surface.faces].max(1)
        eye = mean[ring].mean(0)
        radius = np.linalg.norm(mean[ring] - eye, axis=1).mean()
        near = np.linalg.norm(center - eye, axis=1) < 1.1 * radius
        same_side = center[:, 0] * eye[0] > 0
        assign(f"lids_{side.lower()}", same_side & (mask["eyelids"] | near | (blink > 0.002)))
    for group in np.unique(surface.face_group[~body]):
        region[surface.face_group == group] = REGION_NAMES.index(group)
    return region


def hidden_vertices(surface: HeadSurface, mean: np.ndarray) -> np.ndarray:
    """Return (V,) bool: no triangle of the vertex shows in any view around the closed, resting head."""
    seen = np.zeros(len(surface.faces), bool)
    front = look_at_face(1.2, 2600, 1000, 1000)
    for yaw in np.radians(np.arange(-180, 180, 30)):
        for pitch in np.radians([-60.0, -30.0, 0.0, 30.0, 60.0]):
            camera = front.orbited(yaw, pitch, np.array([0, -0.05, -0.08]))
            visible = rasterize_mesh(camera, mean, surface.faces).triangle
            seen[visible[visible >= 0]] = True
    hidden = np.ones(len(mean), bool)
    hidden[surface.faces[seen]] = False
    return hidden & hidden[surface.mirror]
