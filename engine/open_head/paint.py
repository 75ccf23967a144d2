"""Plain vertex colours, just enough that a landmark detector sees a face on the rendered head."""

from __future__ import annotations

import numpy as np

from likeness.head.assets import REGION_NAMES

SKIN, LIP, HAIR = (0.80, 0.58, 0.47), (0.64, 0.32, 0.31), (0.12, 0.09, 0.07)
TOOTH, GUM, TONGUE, CAVITY = (0.92, 0.89, 0.82), (0.6, 0.3, 0.3), (0.62, 0.30, 0.30), (0.25, 0.08, 0.08)
SCLERA, IRIS, PUPIL = (0.92, 0.90, 0.88), (0.28, 0.18, 0.11), (0.02, 0.02, 0.02)
PUPIL_END, IRIS_END = np.radians(10.5), np.radians(22.5)


def vertex_colors(vertices: np.ndarray, faces: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return (V, 3) sRGB for the mean head (V, 3) at rest and its triangles' regions (F,)."""
    colors = np.tile(SKIN, (len(vertices), 1))
    plain = {"scalp": HAIR, "mouth_inside": CAVITY, "lips": LIP, "teeth_upper": TOOTH, "teeth_lower": TOOTH,
             "tongue": TONGUE, "lashes_left": HAIR, "lashes_right": HAIR}  # fmt: skip
    for name, color in plain.items():
        colors[np.unique(faces[region == REGION_NAMES.index(name)])] = color
    colors *= 1 - 0.75 * _brow(vertices)[:, None]
    for name in ("eye_left", "eye_right"):
        ball = np.unique(faces[region == REGION_NAMES.index(name)])
        from_center = vertices[ball] - (vertices[ball].min(0) + vertices[ball].max(0)) / 2
        polar = np.arctan2(np.linalg.norm(from_center[:, :2], axis=1), from_center[:, 2])[:, None]
        colors[ball] = np.where(polar < PUPIL_END, PUPIL, np.where(polar < IRIS_END, IRIS, SCLERA))
    return colors


def _brow(mean: np.ndarray) -> np.ndarray:
    """Return how much brow hair (0..1) lies over each vertex: a gentle arch over either eye."""
    across = np.abs(mean[:, 0])
    rise = 0.0037 * np.sin(np.clip((across - 0.011) / 0.041, 0, 1) * np.pi)
    arch = 0.0185 + rise - 0.1 * np.clip(across - 0.041, 0, 1)
    band = np.clip(1.6 - np.abs(mean[:, 1] - arch) / 0.0041, 0, 1)
    return band * ((across > 0.010) & (across < 0.052) & (mean[:, 2] > -0.01))
