"""What an open eye hides of its lids: their skin without lashes, crease and shade, seen when they close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.lids import Folds
from likeness.lifting.outlines import BROWS, inside_hulls
from likeness.lifting.sampling import disc_basis, make_layer, posed_samples, sample_triangles
from likeness.lifting.types import Layer, Scene, keep
from likeness.lifting.upper_lids import UpperLids
from likeness.lifting.visibility import Visibility, pixel_of

SPACING = 0.0007
"""Of the veil's samples, metres."""
VEIL, VEIL_FROM = 0.85, 0.25
"""Opacity of the veil over these at most, and the lack of brightness beside what is around them at which it is."""
LEAST_VEIL = 0.05
"""Opacity under which none is laid."""
VEIL_RISE = 0.0007
"""How far it lies in front of the shut lid, metres."""
BESIDE_BROW = 2
"""How far from the brows none is laid, pixels."""
NEAR = 0.002
"""How far behind what an open eye shows a shut lid's skin may lie; what lies deeper is the socket's, metres."""
HIDDEN = 0.0005
"""How far it lies behind what an open eye shows, metres."""


def without_lashes(colors: SkinColors, bare: Float[np.ndarray, "S S 3"], lashes: Bool[np.ndarray, "S S"]) -> SkinColors:
    """Return the colours with the lids' bare skin where the picture shows lashes."""
    return replace(
        colors,
        foreground=np.where(lashes[..., None], bare, colors.foreground),
        detail=np.where(lashes[..., None], 0, colors.detail),
    )


def lift_creases(
    scene: Scene, view: Visibility, colors: SkinColors, folds: Folds, upper: UpperLids, rng: np.random.Generator
) -> list[Layer]:
    """Soften the creases over shut lids with a veil of skin, which rides on the lids and else hides in the orbit."""
    if not folds.upper_lashes.any():
        return []
    faces = scene.rig.faces
    wanted = scene.triangles_in("lids_left", "lids_right", "face") & ~folds.riding
    dark = 1 - colors.foreground.mean(-1) / np.maximum(upper.without_lines.mean(-1), 1e-3)
    resting = upper.resting & ~ndimage.binary_dilation(inside_hulls(scene, *BROWS), iterations=BESIDE_BROW)
    veil = ndimage.gaussian_filter(resting * VEIL * np.clip(dark / VEIL_FROM, 0, 1), 0.7)
    spacing = np.where(wanted & _touched(scene, folds, veil > LEAST_VEIL), SPACING, np.inf)
    samples = sample_triangles(folds.pose, faces, spacing, rng)
    points, normals = posed_samples(samples, folds.pose, faces)
    projected, depth = scene.camera.project(points)
    row, column = pixel_of(projected, len(veil))
    opacity = veil[row, column] * (depth < view.surface.depth[row, column] + NEAR)
    carriers = np.flatnonzero(folds.upper_lashes)
    triangle = carriers[cKDTree(folds.pose[faces[carriers]].mean(1)).query(points)[1]]
    layer = make_layer(
        folds.pose,
        faces,
        triangle,
        points + normals * VEIL_RISE,
        disc_basis(normals, samples.spacing),
        colors=upper.without_lines[row, column],
        opacities=opacity,
        part=Part.SKIN,
        seen=np.zeros(len(points), bool),
    )
    opened, _ = pose(layer.bound, scene.vertices, faces)
    projected, depth = scene.camera.project(opened.astype(np.float64))
    row, column = pixel_of(projected, len(veil))
    hidden = depth > view.surface.depth[row, column] + HIDDEN
    return [keep(layer, hidden & (opacity > LEAST_VEIL))]


def _touched(scene: Scene, folds: Folds, mask: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "F"]:
    """Mark triangles of the shut eyes that have a corner over a mask's box."""
    row, column = np.nonzero(mask)
    if not len(row):
        return np.zeros(len(scene.rig.faces), bool)
    projected = scene.camera.project(folds.pose)[0][:, ::-1] - np.array([row.min(), column.min()])
    size = np.array([np.ptp(row), np.ptp(column)]) + 1
    return ((projected > -2) & (projected < size + 2)).all(1)[scene.rig.faces].any(1)
