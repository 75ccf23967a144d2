"""Lids and lips: skin that unfolds in an expression, and the lash line.

Samples that unfold are drawn with the eyes shut and the mouth open and bound there, so that a closing lid is covered
evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
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
from likeness.lifting.visibility import Label, Visibility, pixel_of, pull_inside, visible_points

LID_SPACING, LIP_SPACING = 0.0011, 0.0013
"""Spacing of the unfolded samples, metres."""
UNFOLDS = 1.15
"""Growth of a triangle's area in the unfolded pose from which it is sampled there."""
MOST_STRETCH = 1.6
"""Growth up to which lifted pixels still cover their triangle when it unfolds."""
LASH_LINE = 0.0025
"""Width of the lash line around the eye's opening, metres: on a closing lid its pixels would smear."""
INSET = 0.0002
"""How far unfolding samples lie under the pixels, metres; lids must stay off the eyeball."""


@dataclass(frozen=True)
class Folds:
    """The skin that unfolds when eyes shut and mouth opens."""

    pose: Float[np.ndarray, "V 3"]
    """The unfolded head, metres."""
    growth: Float[np.ndarray, "F"]
    """Of the triangles' areas from the portrait's pose to this one."""
    triangles: Bool[np.ndarray, "F"]
    """Lids and lips that grow: sampled in the unfolded pose."""


def find_folds(scene: Scene) -> Folds:
    """Unfold the head and tell what grows."""
    pose = unfolded_pose(scene)
    growth = _areas(scene, pose) / np.maximum(_areas(scene, scene.vertices), 1e-12)
    return Folds(pose, growth, (growth > UNFOLDS) & scene.triangles_in("lids_left", "lids_right", "lips"))


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


def lash_pixels(scene: Scene, view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark the pixels along the eye's opening, which ride on the lashes."""
    to_eye = ndimage.distance_transform_edt(view.label != Label.EYE)
    reach = max(LASH_LINE / scene.metres_per_pixel, 1.5)
    return (view.label == Label.SKIN) & (to_eye < reach)


def lash_layer(scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"]) -> Layer:
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


def lift_folds(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    folds: Folds,
    lifted: Bool[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> Layer:
    """Sample the lids and lips that no lifted pixel covers, in the pose that shows most of them."""
    faces = scene.rig.faces
    spacing = np.where(scene.triangles_in("lips"), LIP_SPACING, LID_SPACING)
    samples = sample_triangles(folds.pose, faces, np.where(folds.triangles, spacing, np.inf), rng)
    hidden = ~covered(scene, view, folds, lifted, samples)
    samples = SurfaceSamples(samples.triangle[hidden], samples.bary[hidden], samples.spacing[hidden])
    at_rest, _ = posed_samples(samples, scene.vertices, faces)
    pulled, person = pull_inside(scene, view, at_rest, REACH * samples.spacing)
    points, normals = posed_samples(samples, folds.pose, faces)
    layer = make_layer(
        folds.pose,
        faces,
        samples.triangle,
        points + pulled - at_rest - normals * INSET,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=sample_skin_colors(scene, view, colors, samples),
        opacities=np.full(len(points), 0.95),
        part=Part.SKIN,
        seen=np.zeros(len(points), bool),
    )
    return keep(layer, person)


def covered(
    scene: Scene, view: Visibility, folds: Folds, lifted: Bool[np.ndarray, "S S"], samples: SurfaceSamples
) -> Bool[np.ndarray, "N"]:
    """Mark samples that lifted pixels stand for already, and those that would hide what shows between lids or lips."""
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    visible, _, projected = visible_points(scene, view, points, normals, tolerance=0.003)
    row, column = pixel_of(projected, len(view.label))
    stands_for = lifted[row, column] & (folds.growth[samples.triangle] <= MOST_STRETCH)
    return visible & (stands_for | near_opening(view)[row, column])


def near_opening(view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark what shows between lids and lips, and one pixel around it."""
    return ndimage.binary_dilation(np.isin(view.label, (Label.EYE, Label.MOUTH)))


def _areas(scene: Scene, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "F"]:
    corners = vertices[scene.rig.faces]
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
