"""The skin: pixels of the portrait where it is seen well, samples of the surface everywhere else.

What unfolds in an expression is `lids.py`'s.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.contract.avatar import Part
from likeness.geometry.frames import vertex_normals
from likeness.lifting.appearance import SkinColors, sample_skin_colors
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.lids import MOST_STRETCH, Folds, find_folds, lash_layer, lash_pixels, lift_folds, near_opening
from likeness.lifting.sampling import (
    REACH,
    SURFACE_SIGMA,
    disc_basis,
    lift_pixels,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.types import Layer, Scene, SurfaceSamples, keep
from likeness.lifting.visibility import (
    MIN_FACING,
    MIN_FACING_EARS,
    Label,
    Visibility,
    pixel_of,
    pull_inside,
    visible_points,
)

NEAR_SPACING, FAR_SPACING, LID_SPACING = 0.0013, 0.003, 0.0011
"""Spacing of surface samples beside the seen skin, far from it, and on the lids; metres."""
UNDER_SPACING, UNDER_INSET = 0.0022, 0.001
"""Of the solid ground under the lifted pixels: spacing, and depth where the skin faces the camera; metres."""
TRUST_REACH = 4
"""Pixels beyond the trusted ones whose colour grazed skin still takes."""
OUTLINE = 2.5
"""Width in pixels of the band along the outline that is lifted at any angle."""
STEEPEST = 3.5
"""Largest slope (metres of depth per metre across) of a lifted pixel."""


def lift_skin(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return the skin's layers: lifted pixels and surface samples."""
    folds = find_folds(scene)
    faces_camera = _faces_camera(scene, view)
    # Along the outline the matte's soft edge is the surface, whatever the mesh's angle there.
    lifted = faces_camera | (view.label == Label.SKIN) & (view.to_outline < OUTLINE)
    lashes = lash_pixels(scene, view, colors, folds, lifted)
    layers = [_pixel_layer(scene, view, lifted & ~lashes)]
    layers += _surface_layers(scene, view, colors, folds, rng)
    layers.append(lift_folds(scene, view, colors, folds, faces_camera, rng))
    return [*layers, lash_layer(scene, view, lashes)] if lashes.any() else layers


def _faces_camera(scene: Scene, view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark skin pixels that show their skin well enough to stand for it from other sides too."""
    least = np.where(scene.triangles_in("ears"), MIN_FACING_EARS, MIN_FACING)[view.triangle]
    return (view.label == Label.SKIN) & (view.facing >= least)


def _pixel_layer(scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"]) -> Layer:
    cells = adaptive_cells(scene.portrait, mask, coarsest=2)
    row, column = cells.row, cells.column
    normal = view.normal[row, column]
    steepest = np.where(view.facing[row, column] >= MIN_FACING_EARS, STEEPEST, 1.0)[:, None]
    slope = np.clip(-normal[:, :2] / np.minimum(normal[:, 2:], -0.1), -steepest, steepest)
    depth = view.depth[row, column].astype(np.float64)
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, slope)
    # The outline's own colours are half the background's, and from the side its pixels stand in one line.
    inner = np.stack(
        ndimage.distance_transform_edt(view.to_outline < OUTLINE, return_distances=False, return_indices=True)
    )[:, row, column]
    grazing = (view.facing[row, column] < MIN_FACING)[:, None]
    color = np.where(grazing, scene.portrait.foreground[inner[0], inner[1]], cells.color)
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        view.triangle[row, column],
        means,
        basis,
        colors=color,
        opacities=cells.opacity,
        part=Part.SKIN,
        seen=np.ones(len(row), bool),
    )


def _surface_layers(
    scene: Scene, view: Visibility, colors: SkinColors, folds: Folds, rng: np.random.Generator
) -> list[Layer]:
    """Sample the skin that neither lifted pixels nor unfolding samples cover."""
    spacing = np.where(folds.triangles, np.inf, _spacing(scene))
    samples = sample_triangles(scene.vertices, scene.rig.faces, spacing, rng)
    covered = _covered(scene, view, samples, folds)
    samples = SurfaceSamples(samples.triangle[~covered], samples.bary[~covered], samples.spacing[~covered])
    ground = np.where(np.isinf(spacing), np.inf, UNDER_SPACING)
    return [_samples_layer(scene, view, colors, samples), _under_layer(scene, view, colors, ground, rng)]


def _spacing(scene: Scene) -> Float[np.ndarray, "F"]:
    """Fine beside the seen skin and on the lids, coarse elsewhere, none where there is no skin."""
    faces = scene.rig.faces
    center = scene.vertices[faces].mean(1)
    normal = vertex_normals(scene.vertices, faces)[faces].mean(1)
    to_camera = scene.camera.center - center
    facing = (normal * to_camera).sum(1) / np.linalg.norm(to_camera, axis=1)
    spacing = np.where(facing > -0.25, NEAR_SPACING, FAR_SPACING)
    spacing[scene.triangles_in("lids_left", "lids_right")] = LID_SPACING
    spacing[~scene.skin_triangles()] = np.inf
    return spacing


def _covered(scene: Scene, view: Visibility, samples: SurfaceSamples, folds: Folds) -> Bool[np.ndarray, "N"]:
    """Mark samples that lifted pixels stand for already, and those that would hide what shows between lids or lips."""
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, _, projected = visible_points(scene, view, points, normals, tolerance=0.003)
    row, column = pixel_of(projected, len(view.label))
    stands_for = _faces_camera(scene, view)[row, column] & (folds.growth[samples.triangle] <= MOST_STRETCH)
    return visible & (stands_for | near_opening(view)[row, column])


def _under_layer(
    scene: Scene, view: Visibility, colors: SkinColors, spacing: Float[np.ndarray, "F"], rng: np.random.Generator
) -> Layer:
    """Lay a solid ground under the lifted pixels: seen from the side they stand apart where the skin was grazed."""
    samples = sample_triangles(scene.vertices, scene.rig.faces, spacing, rng)
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, facing, projected = visible_points(scene, view, points, normals, tolerance=0.003)
    row, column = pixel_of(projected, len(view.label))
    covered = visible & _faces_camera(scene, view)[row, column] & ~near_opening(view)[row, column]
    points -= normals * (UNDER_INSET / np.clip(facing, MIN_FACING, 1))[:, None]
    points, person = pull_inside(scene, view, points, REACH * samples.spacing)
    layer = make_layer(
        scene.vertices,
        scene.rig.faces,
        samples.triangle,
        points,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=(colors.foreground - colors.detail)[row, column],
        opacities=np.full(len(points), 0.95),
        part=Part.SKIN,
        seen=np.zeros(len(points), bool),
    )
    return keep(layer, covered & person)


def _samples_layer(scene: Scene, view: Visibility, colors: SkinColors, samples: SurfaceSamples) -> Layer:
    """Turn samples into discs, pulled inside the person's outline."""
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, _, projected = visible_points(scene, view, points, normals, tolerance=0.001)
    row, column = pixel_of(projected, len(view.label))
    pulled, person = pull_inside(scene, view, points, REACH * samples.spacing)
    solid = ndimage.binary_erosion((view.label == Label.SKIN) & (scene.portrait.alpha > 0.95))
    seen = visible & solid[row, column] & (pulled == points).all(1)
    near_trusted = ndimage.binary_dilation(colors.trusted, iterations=TRUST_REACH)
    filled = sample_skin_colors(scene, view, colors, samples)
    shown = seen & near_trusted[row, column]
    color = np.where(shown[:, None], colors.foreground[row, column], filled)
    layer = make_layer(
        scene.vertices,
        scene.rig.faces,
        samples.triangle,
        pulled,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=color,
        opacities=np.full(len(color), 0.95),
        part=Part.SKIN,
        seen=seen,
    )
    return keep(layer, person)
