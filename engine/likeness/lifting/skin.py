"""The skin: pixels of the portrait where it is seen well, samples of the surface everywhere else.

Samples that unfold in an expression (lids, lips, the cheeks of an open mouth) are drawn in the unfolded pose and bound
there, so that a closing lid is covered evenly.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.geometry.frames import vertex_normals
from likeness.head.model import rig_vertices
from likeness.lifting.appearance import SkinColors, sample_skin_colors
from likeness.lifting.cells import adaptive_cells
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
UNFOLDS = 1.15
"""Growth of a triangle's area in the unfolded pose from which it is sampled there."""
MOST_STRETCH = 1.6
"""Growth up to which lifted pixels still cover their triangle when it unfolds."""
LASH_LINE = 0.0025
"""Width of the lash line around the eye's opening, metres: on a closing lid its pixels would smear."""
TRUST_REACH = 4
"""Pixels beyond the trusted ones whose colour grazed skin still takes."""
LASH_CONTRAST = 0.1
"""How much darker than the lid's skin lashes are."""
OUTLINE = 2.5
"""Width in pixels of the band along the outline that is lifted at any angle."""
STEEPEST = 3.5
"""Largest slope (metres of depth per metre across) of a lifted pixel."""
INSET = 0.0002
"""How far unfolding samples lie under the pixels, metres; lids must stay off the eyeball."""


def lift_skin(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return the skin's layers: lifted pixels and surface samples."""
    unfolded = unfolded_pose(scene)
    growth = _areas(scene, unfolded) / np.maximum(_areas(scene, scene.vertices), 1e-12)
    # Along the outline the matte's soft edge is the surface, whatever the mesh's angle there.
    lifted = _faces_camera(scene, view) | (view.label == Label.SKIN) & (view.to_outline < OUTLINE)
    to_eye = ndimage.distance_transform_edt(view.label != Label.EYE) * scene.metres_per_pixel
    lids = lifted & scene.triangles_in("lids_left", "lids_right")[view.triangle]
    smearing = lids & (growth > MOST_STRETCH)[view.triangle]
    lashes = (view.label == Label.SKIN) & (to_eye < LASH_LINE) | smearing | lids & _is_dark(scene, view, colors)
    layers = [_pixel_layer(scene, view, lifted & ~lashes)]
    layers += _surface_layers(scene, view, colors, unfolded, growth, rng)
    return [*layers, _lash_layer(scene, view, lashes)] if lashes.any() else layers


def unfolded_pose(scene: Scene) -> Float[np.ndarray, "V 3"]:
    """The portrait's expression with eyes shut and mouth open, where lids and lips show all of their skin."""
    names = scene.rig.control_names
    controls = scene.controls.copy()
    for index, name in enumerate(names):
        if name.startswith("eyeBlink"):
            controls[index] = 1.0
        elif name.startswith(("eyeSquint", "eyeWide", "eyeLook", "mouthClose", "mouthPress", "mouthRoll")):
            controls[index] = 0.0
        elif name == "jawOpen":
            controls[index] = max(controls[index], 0.7)
    return rig_vertices(scene.rig, controls, np.zeros((len(scene.rig.parents), 3), np.float32))


def _faces_camera(scene: Scene, view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark skin pixels that show their skin well enough to stand for it from other sides too."""
    least = np.where(scene.triangles_in("ears"), MIN_FACING_EARS, MIN_FACING)[view.triangle]
    return (view.label == Label.SKIN) & (view.facing >= least)


def _is_dark(scene: Scene, view: Visibility, colors: SkinColors) -> Bool[np.ndarray, "S S"]:
    """Mark pixels much darker than the skin filled in under them: on a lid those are lashes."""
    fill = colors.vertex[scene.rig.faces].mean((1, 2))[view.triangle]
    return colors.foreground.mean(-1) < fill - LASH_CONTRAST


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


def _lash_layer(scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"]) -> Layer:
    """Hang the lash line and the lid's rolled-up skin on the lash triangles, which ride on the edge unstretched.

    A closing lid slides down in one piece with its edge, and what unrolls above it was hidden in the portrait.
    """
    cells = adaptive_cells(scene.portrait, mask, coarsest=1)
    depth = view.depth[cells.row, cells.column].astype(np.float64)
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, np.zeros((len(depth), 2)))
    lashes = np.flatnonzero(scene.triangles_in("lashes_left", "lashes_right"))
    centroids = scene.vertices[scene.rig.faces[lashes]].mean(1)
    triangle = lashes[cKDTree(centroids).query(means)[1]]
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        triangle,
        means,
        basis,
        colors=cells.color,
        opacities=cells.opacity,
        part=Part.LASH,
        seen=np.ones(len(depth), bool),
    )


def _surface_layers(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    unfolded: Float[np.ndarray, "V 3"],
    growth: Float[np.ndarray, "F"],
    rng: np.random.Generator,
) -> list[Layer]:
    """Sample the skin that no lifted pixel covers, each triangle in the pose that shows most of it."""
    spacing = _spacing(scene)
    unfolds = (growth > UNFOLDS) & scene.triangles_in("lids_left", "lids_right", "lips")
    layers = []
    for pose, mask in ((scene.vertices, ~unfolds), (unfolded, unfolds)):
        samples = sample_triangles(pose, scene.rig.faces, np.where(mask, spacing, np.inf), rng)
        covered = _covered(scene, view, samples, growth)
        samples = SurfaceSamples(samples.triangle[~covered], samples.bary[~covered], samples.spacing[~covered])
        layers.append(_samples_layer(scene, view, colors, samples, pose))
    ground = np.where(unfolds | np.isinf(spacing), np.inf, UNDER_SPACING)
    return [*layers, _under_layer(scene, view, colors, ground, rng)]


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


def _covered(
    scene: Scene, view: Visibility, samples: SurfaceSamples, growth: Float[np.ndarray, "F"]
) -> Bool[np.ndarray, "N"]:
    """Mark samples that lifted pixels stand for already, and those that would hide what shows between lids or lips."""
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, _, projected = visible_points(scene, view, points, normals, tolerance=0.003)
    row, column = pixel_of(projected, len(view.label))
    stands_for = _faces_camera(scene, view)[row, column] & (growth[samples.triangle] <= MOST_STRETCH)
    return visible & (stands_for | _near_opening(view)[row, column])


def _near_opening(view: Visibility) -> Bool[np.ndarray, "S S"]:
    return ndimage.binary_dilation(np.isin(view.label, (Label.EYE, Label.MOUTH)))


def _under_layer(
    scene: Scene, view: Visibility, colors: SkinColors, spacing: Float[np.ndarray, "F"], rng: np.random.Generator
) -> Layer:
    """Lay a solid ground under the lifted pixels: seen from the side they stand apart where the skin was grazed."""
    samples = sample_triangles(scene.vertices, scene.rig.faces, spacing, rng)
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, facing, projected = visible_points(scene, view, points, normals, tolerance=0.003)
    row, column = pixel_of(projected, len(view.label))
    covered = visible & _faces_camera(scene, view)[row, column] & ~_near_opening(view)[row, column]
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


def _samples_layer(
    scene: Scene, view: Visibility, colors: SkinColors, samples: SurfaceSamples, vertices: Float[np.ndarray, "V 3"]
) -> Layer:
    """Turn samples into discs in the given pose, pulled inside the person's outline."""
    at_rest, rest_normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, _, projected = visible_points(scene, view, at_rest, rest_normals, tolerance=0.001)
    row, column = pixel_of(projected, len(view.label))
    pulled, person = pull_inside(scene, view, at_rest, REACH * samples.spacing)
    unfolding = vertices is not scene.vertices
    solid = ndimage.binary_erosion((view.label == Label.SKIN) & (scene.portrait.alpha > 0.95))
    seen = visible & solid[row, column] & (pulled == at_rest).all(1) & (not unfolding)
    near_trusted = ndimage.binary_dilation(colors.trusted, iterations=TRUST_REACH)
    filled = sample_skin_colors(scene, view, colors, samples)
    shown = seen & near_trusted[row, column]
    color = np.where(shown[:, None], colors.foreground[row, column], filled)
    points, normals = posed_samples(samples, vertices, scene.rig.faces)
    points += pulled - at_rest
    layer = make_layer(
        vertices,
        scene.rig.faces,
        samples.triangle,
        points - normals * (INSET if unfolding else 0.0),
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=color,
        opacities=np.full(len(color), 0.95),
        part=Part.SKIN,
        seen=seen,
    )
    return keep(layer, person)


def _areas(scene: Scene, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "F"]:
    corners = vertices[scene.rig.faces]
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
