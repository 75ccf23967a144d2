"""Samples of the skin's surface where lifted pixels do not stand for it, and the ground under those pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from likeness.contract.avatar import Part
from likeness.geometry.frames import vertex_normals
from likeness.lifting.appearance import SkinColors, sample_skin_colors
from likeness.lifting.lids import Folds, covered, near_opening
from likeness.lifting.sampling import (
    REACH,
    SURFACE_SIGMA,
    disc_basis,
    make_layer,
    posed_samples,
    sample_triangles,
    surface_points,
)
from likeness.lifting.types import Layer, Scene, SurfaceSamples, keep
from likeness.lifting.visibility import Visibility, beside_mouth, pixel_of, pull_inside, visible_points

NEAR_SPACING, FAR_SPACING = 0.0014, 0.003
"""Spacing of surface samples where they carry grain, and on the side that is turned away; metres."""
TURNED_AWAY = -0.35
"""Cosine with the portrait's view from which skin counts as turned away."""
UNDER_SPACING, UNDER_INSET = 0.0024, 0.001
"""Of the solid ground under the skin: spacing, and depth where it faces the camera or is not seen; metres."""
UNDER_SHARE = 1.3
"""Spacing of that ground beside the samples', where these are coarse."""
LEAST_FACING = 0.3
"""Cosine that limits how far down the ground lies."""
DRAWN_WIDER = 1.0
"""Pixels by which the rasterizer's low-pass makes a disc reach further."""
LEAST_SHOWN = 0.1
"""Share of the portrait's colour in a sample from which refinement may change it."""
SHOWN_TINT = 0.2
"""Most by which refinement changes the colour of a sample that shows the portrait's alone: grazed ones, which it may
change less, would take wild colours to make up for pixels that they hardly cover, and show them from the side."""


def lift_surface(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    folds: Folds,
    lifted: Bool[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> list[Layer]:
    """Sample the skin that neither lifted pixels nor unfolding samples cover, and the ground under the former."""
    spacing = np.where(folds.triangles, np.inf, _spacing(scene))
    samples = sample_triangles(scene.vertices, scene.rig.faces, spacing, rng)
    bare = ~covered(scene, view, folds, lifted, samples)
    samples = SurfaceSamples(samples.triangle[bare], samples.bary[bare], samples.spacing[bare])
    ground = np.maximum(UNDER_SPACING, UNDER_SHARE * spacing)
    return [_samples_layer(scene, view, colors, samples), _under_layer(scene, view, colors, ground, lifted, rng)]


def _spacing(scene: Scene) -> Float[np.ndarray, "F"]:
    """Fine where the skin is seen or nearly so, coarse behind, none where there is no skin."""
    faces = scene.rig.faces
    center = scene.vertices[faces].mean(1)
    normal = vertex_normals(scene.vertices, faces)[faces].mean(1)
    to_camera = scene.camera.center - center
    facing = (normal * to_camera).sum(1) / np.linalg.norm(to_camera, axis=1)
    spacing = np.where(facing > TURNED_AWAY, NEAR_SPACING, FAR_SPACING)
    spacing[~scene.skin_triangles()] = np.inf
    return spacing


def _under_layer(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    spacing: Float[np.ndarray, "F"],
    lifted: Bool[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> Layer:
    """Lay a solid ground under the skin.

    Lifted pixels stand apart where they are seen from the side of grazed skin, samples where the outline pulls them in.
    """
    samples = sample_triangles(scene.vertices, scene.rig.faces, spacing, rng)
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, facing, projected = visible_points(scene, view, points, normals, tolerance=0.003)
    row, column = pixel_of(projected, len(view.label))
    shown = visible & lifted[row, column]
    points -= normals * (UNDER_INSET / np.where(visible, np.clip(facing, LEAST_FACING, 1), 1))[:, None]
    points, person = pull_inside(scene, view, points, REACH * samples.spacing)
    own = (colors.foreground - colors.detail)[row, column]
    layer = make_layer(
        scene.vertices,
        scene.rig.faces,
        samples.triangle,
        points,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=np.where(shown[:, None], own, surface_points(samples, colors.vertex, scene.rig.faces)),
        opacities=np.full(len(points), 0.95),
        part=Part.SKIN,
        seen=np.zeros(len(points), bool),
    )
    return keep(layer, person & ~(visible & near_opening(view)[row, column]))


def _samples_layer(scene: Scene, view: Visibility, colors: SkinColors, samples: SurfaceSamples) -> Layer:
    """Turn samples into discs, pulled inside the person's outline; the portrait's colour fades into the fill."""
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, _, projected = visible_points(scene, view, points, normals, tolerance=0.001)
    row, column = pixel_of(projected, len(view.label))
    pulled, person = pull_inside(scene, view, points, REACH * samples.spacing + DRAWN_WIDER * scene.metres_per_pixel)
    own = visible & (pulled == points).all(1) & ~beside_mouth(view)[row, column]
    shown = own * colors.shown[row, column]
    filled = sample_skin_colors(scene, view, colors, samples)
    color = filled + shown[:, None] * (colors.foreground[row, column] - filled)
    layer = make_layer(
        scene.vertices,
        scene.rig.faces,
        samples.triangle,
        pulled,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=color,
        opacities=np.full(len(color), 0.95),
        part=Part.SKIN,
        seen=shown > LEAST_SHOWN,
        tint=SHOWN_TINT * shown**2,
    )
    return keep(layer, person)
