"""Lids and lips: skin that unfolds in an expression, and the lash line.

Samples that unfold are drawn with the eyes shut and the mouth open and bound there, so that a closing lid is covered
evenly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.head.model import rig_vertices
from likeness.lifting.appearance import SkinColors, sample_skin_colors
from likeness.lifting.sampling import (
    REACH,
    SURFACE_SIGMA,
    disc_basis,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.types import Layer, Scene, SurfaceSamples, keep
from likeness.lifting.upper_lids import UpperLids
from likeness.lifting.visibility import Label, Visibility, pixel_of, pull_inside, visible_points

LID_SPACING, LIP_SPACING = 0.0011, 0.0013
"""Spacing of the unfolded samples, metres."""
UNFOLDS = 1.15
"""Growth of a triangle's area in the unfolded pose from which it is sampled there."""
MOST_STRETCH = 1.6
"""Growth up to which lifted pixels still cover their triangle when it unfolds."""
RIDES, RESTS = 0.8, 0.3
"""Shares of the lid's edge's way from which skin goes with it, and up to which it stays."""
DESCENT = 0.0005
"""Metres by which a triangle of the upper lid's edge sinks as the eye shuts, at least."""
CALM = 1.4
"""Change of a triangle's edges up to which it counts as unstretched."""
BULGE = 0.5
"""How much brighter a shut lid is where it faces the camera, per unit of cosine."""
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
    stretch: Float[np.ndarray, "F"]
    """Greatest change of a triangle's edges, as a factor of at least 1."""
    riding: Bool[np.ndarray, "F"]
    """Upper lids that go with their edges and hardly grow."""
    upper_lashes: Bool[np.ndarray, "F"]
    """Lashes that turn with these edges unstretched."""
    lower_lashes: Bool[np.ndarray, "F"]
    """The others."""
    resting: Bool[np.ndarray, "F"]
    """Skin around the eyes that stays where it is and hardly grows."""

    def nearest(
        self, scene: Scene, points: Float[np.ndarray, "N 3"], triangles: Bool[np.ndarray, "F"]
    ) -> Int[np.ndarray, "N"]:
        """Return the nearest of some triangles to each point in the portrait."""
        if not len(points):
            return np.zeros(0, np.int64)
        index = np.flatnonzero(triangles)
        return index[cKDTree(scene.vertices[scene.rig.faces[index]].mean(1)).query(points)[1]]


def find_folds(scene: Scene) -> Folds:
    """Unfold the head and tell what grows."""
    pose = unfolded_pose(scene)
    growth = _areas(scene, pose) / np.maximum(_areas(scene, scene.vertices), 1e-12)
    lids = scene.triangles_in("lids_left", "lids_right")
    share = _share_of_edge(scene, pose)
    sinks = (scene.vertices - pose)[scene.rig.faces, 1].mean(1) > DESCENT
    lashes = scene.triangles_in("lashes_left", "lashes_right")
    stretch = _stretch(scene, pose)
    calm = stretch < CALM
    riding = lids & sinks & (share > RIDES) & calm
    resting = (lids | scene.triangles_in("face")) & (share < RESTS) & calm
    return Folds(
        pose,
        growth,
        (growth > UNFOLDS) & (lids | scene.triangles_in("lips")),
        stretch,
        riding,
        lashes & sinks,
        lashes & ~sinks,
        resting,
    )


def _stretch(scene: Scene, pose: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "F"]:
    """How much longer or shorter the triangles' edges get in a pose, as a factor of at least 1."""
    before, after = (
        np.linalg.norm(v[scene.rig.faces] - v[np.roll(scene.rig.faces, 1, 1)], axis=2) for v in (scene.vertices, pose)
    )
    ratio = after / np.maximum(before, 1e-9)
    return np.maximum(ratio, 1 / np.maximum(ratio, 1e-9)).max(1)


def _share_of_edge(scene: Scene, pose: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "F"]:
    """How far every triangle goes as the eyes shut, in parts of the way of the lashes nearest to it."""
    center = scene.vertices[scene.rig.faces].mean(1)
    way = np.linalg.norm(pose[scene.rig.faces].mean(1) - center, axis=1)
    lashes = np.flatnonzero(scene.triangles_in("lashes_left", "lashes_right"))
    if not len(lashes):
        return np.full(len(way), 0.5)
    return way / np.maximum(way[lashes[cKDTree(center[lashes]).query(center)[1]]], 1e-4)


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


def torn(scene: Scene, view: Visibility, folds: Folds, upper: UpperLids) -> Visibility:
    """Return the view with the upper lids' pixels on skin that either goes with the lid's edge or stays.

    On unrolling skin they would be drawn out.
    """
    triangle = view.triangle.copy()
    lower = (view.label == Label.SKIN) & scene.triangles_in("lids_left", "lids_right")[triangle]
    lower &= ~upper.riding & ~upper.resting
    calm = ~folds.riding & (folds.stretch < CALM)
    for mask, fits, carriers in (
        (upper.riding, folds.riding, folds.upper_lashes),
        (upper.resting, calm, folds.resting),
        (lower, folds.stretch < MOST_STRETCH, folds.resting | folds.lower_lashes),
    ):
        moved = mask & ~fits[triangle]
        row, column = np.nonzero(moved)
        if len(row) and carriers.any():
            depth = view.depth[moved].astype(np.float64)
            points = scene.camera.unproject(np.stack([column + 0.5, row + 0.5], 1), depth)
            triangle[moved] = folds.nearest(scene, points, carriers)
    return replace(view, triangle=triangle)


def lift_folds(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    folds: Folds,
    bare: Float[np.ndarray, "S S 3"],
    lifted: Bool[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> Layer:
    """Sample the lids and lips that no lifted pixel covers, in the pose that shows most of them.

    `bare` is the picture with the lids' bare skin.
    """
    faces = scene.rig.faces
    spacing = np.where(scene.triangles_in("lips"), LIP_SPACING, LID_SPACING)
    samples = sample_triangles(folds.pose, faces, np.where(folds.triangles, spacing, np.inf), rng)
    hidden = ~covered(scene, view, folds, lifted, samples)
    samples = SurfaceSamples(samples.triangle[hidden], samples.bary[hidden], samples.spacing[hidden])
    at_rest, _ = posed_samples(samples, scene.vertices, faces)
    pulled, person = pull_inside(scene, view, at_rest, REACH * samples.spacing)
    points, normals = posed_samples(samples, folds.pose, faces)
    row, column = pixel_of(scene.camera.project(at_rest)[0], len(bare))
    lids = scene.triangles_in("lids_left", "lids_right")[samples.triangle]
    filled = sample_skin_colors(scene, view, colors, samples)
    lid = bare[row, column] * bulge(scene, points, normals, lids)[:, None]
    layer = make_layer(
        folds.pose,
        faces,
        samples.triangle,
        points + pulled - at_rest - normals * INSET,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=np.where(lids[:, None], lid, filled),
        opacities=np.full(len(points), 0.95),
        part=Part.SKIN,
        seen=np.zeros(len(points), bool),
    )
    return keep(layer, person)


def bulge(
    scene: Scene, points: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"], lids: Bool[np.ndarray, "N"]
) -> Float[np.ndarray, "N"]:
    """Shade shut lids by how they face the camera, on average not at all."""
    to_camera = scene.camera.center - points
    facing = (normals * to_camera).sum(1) / np.linalg.norm(to_camera, axis=1)
    return np.clip(1 + BULGE * (facing - facing[lids].mean()), 0.7, 1.2) if lids.any() else np.ones(len(points))


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
