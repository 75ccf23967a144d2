"""The light that a portrait was taken in, found on the finished avatar's skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from likeness.contract.avatar import Avatar, Lighting, Part
from likeness.contract.lighting import basis, unlit
from likeness.geometry.frames import vertex_normals
from likeness.head.model import rig_vertices
from likeness.lifting.lighting import fit_light

CLAMPED_COSINE = np.array([1] + 3 * [2 / 3] + 5 * [1 / 4])
"""What reaches a surface of each harmonic, over what reaches it of the first (Ramamoorthi and Hanrahan 2001)."""
FACING, SOLID = 0.3, 0.3
"""Least cosine with the view, and least opacity, of Gaussians that tell of the light."""


def with_lighting(avatar: Avatar) -> Avatar:
    """Return the avatar with its portrait's light, in which its skin turns; other parts stay as they are."""
    rig, gaussians = avatar.rig, avatar.gaussians
    normals = _normals(avatar)
    corners = rig.v_neutral[rig.faces[gaussians.triangle]].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = area / np.bincount(gaussians.triangle)[gaussians.triangle]
    tells = _faces_camera(avatar, normals) & (gaussians.opacities > SOLID)
    harmonics = unlit(0).harmonics
    if tells.any():
        transfer = basis(normals[tells]) * CLAMPED_COSINE
        light = fit_light(transfer, gaussians.colors[tells].astype(np.float64), share[tells])
        harmonics = light / light[0] * CLAMPED_COSINE[:, None]
    return replace(avatar, lighting=Lighting(harmonics.astype(np.float32), normals.astype(np.float32)))


def _normals(avatar: Avatar) -> Float[np.ndarray, "N 3"]:
    """Return the smooth normals of the skin under its Gaussians in the portrait; zero for the others."""
    rig, gaussians, view = avatar.rig, avatar.gaussians, avatar.view
    vertices = rig_vertices(rig, view.controls, view.pose).astype(np.float64)
    at_corners = vertex_normals(vertices, rig.faces[: rig.head_triangles])[rig.faces[gaussians.triangle]]
    u, v = np.clip(gaussians.local_mean[:, :2].astype(np.float64), 0, 1).T
    shares = np.stack([np.clip(1 - u - v, 0, 1), u, v], 1)
    smooth = np.einsum("nk,nkc->nc", shares, at_corners)
    normals = smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)
    lit = (gaussians.part == Part.SKIN) & (gaussians.triangle < rig.head_triangles)
    return np.where(lit[:, None], normals, 0.0)


def _faces_camera(avatar: Avatar, normals: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, "N"]:
    toward = avatar.view.T_camera_head[:3, :3].astype(np.float64).T @ [0.0, 0.0, -1.0]
    return normals @ toward > FACING
