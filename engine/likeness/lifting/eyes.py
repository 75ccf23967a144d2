"""The eyeballs: seen pixels ride on them, and under the lids they are completed around the iris's axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.cells import MAX_OPACITY
from likeness.lifting.eyeballs import Eyeball, locate_eyeball
from likeness.lifting.sampling import (
    SURFACE_SIGMA,
    disc_basis,
    lift_pixels,
    make_layer,
    sample_triangles,
    surface_points,
)
from likeness.lifting.types import Layer, Scene
from likeness.lifting.visibility import Label, Visibility, raster_of

IRIS_CENTER = {"eye_right": 468, "eye_left": 473}
"""MediaPipe's iris centres; the four landmarks after each are its rim."""
SPACING = 0.0008
"""Of the completed eyeball's samples, metres."""
PIXEL_INSET, FILL_INSET = 0.0005, 0.0009
"""How far seen pixels and the completed eyeball under them lie inside the sphere, metres: a shut lid hides both."""
RINGS = 24
"""Bins of angle from the iris's axis in which the seen colours are gathered."""
EDGE_WIDTH = 0.0018
"""Width of the lids' edge on which the ball may still show, metres."""
WET_RIM = 1.6
"""How much less like the ball than like skin a pixel under the eye may be, for the lower lid's wet rim goes with it: a
shut eye shows none of it."""
LEAST_WHITE = 0.9
"""Brightness of the white of the eye relative to the skin's mean, at least: a narrow eye shows it in shade only."""
HIGHLIGHT = 0.12
"""By how much a highlight is brighter than the ring that it lies on."""
HIGHLIGHT_REACH = 0.9
"""Angle from the axis, in iris radii, within which bright spots are lamps' images rather than the white: a spot that
reaches further out is not one."""
HIGHLIGHT_INSET = 0.0002
"""How far highlights lie inside the sphere, metres: before the pixels, behind the lids."""
STILL = 1e-7
"""Largest displacement per unit of a control at which a vertex counts as still, metres."""
HEAD_JOINT = 1
"""Index of the joint that carries the head without jaw and eyes."""
LIMBUS = 1.25
"""Angle, in iris radii, from which the white of the eye begins."""
WHITE, DARK_IRIS = np.array([0.86, 0.83, 0.81]), np.array([0.16, 0.11, 0.09])
"""Colours of an eye that the portrait does not show (sRGB, 0..1)."""


@dataclass(frozen=True)
class SeenEye:
    """An eye as the portrait shows it. S is the working square's side, R the number of rings."""

    eyeball: Eyeball
    triangles: Bool[np.ndarray, "F"]
    mask: Bool[np.ndarray, "S S"]
    """Pixels that show the ball."""
    triangle: Int[np.ndarray, "S S"]
    depth: Float[np.ndarray, "S S"]
    """The ball's surface behind every pixel, metres; infinite beside it."""
    angle: Float[np.ndarray, "S S"]
    """Of that surface from the iris's axis, radians."""
    rings: Float[np.ndarray, "R 3"]
    """Colour by angle from the axis."""


def lift_eyes(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return both eyes' layers: seen pixels and the completed eyeball under them."""
    layers = []
    for region, landmark in IRIS_CENTER.items():
        seen = _seen_eye(scene, view, colors, region, landmark)
        layers.append(_eyeball_layer(scene, seen, rng))
        if seen.mask.any():
            layers += _pixel_layers(scene, colors, seen)
    return layers


def with_eyeballs(scene: Scene, view: Visibility, colors: SkinColors) -> Visibility:
    """Return the view with all pixels labelled that show an eyeball: some lie on the lids' edges."""
    eyes = [_seen_eye(scene, view, colors, region, landmark).mask for region, landmark in IRIS_CENTER.items()]
    return replace(view, label=np.where(eyes[0] | eyes[1], np.int32(Label.EYE), view.label))


def _seen_eye(scene: Scene, view: Visibility, colors: SkinColors, region: str, landmark: int) -> SeenEye:
    """Tell which pixels show an eye's ball, and gather its colours."""
    triangles = scene.triangles_in(region)
    eyeball = locate_eyeball(scene, triangles, landmark)
    raster = raster_of(scene, triangles)
    inside = (view.label == Label.EYE) & triangles[view.triangle]
    row, column = np.nonzero(raster.covered)
    points = scene.camera.unproject(np.stack([column + 0.5, row + 0.5], 1), raster.depth[row, column].astype(float))
    angle = np.full(inside.shape, np.pi)
    angle[row, column] = eyeball.angle(points)
    rings = _ring_colors(eyeball, angle[inside], colors.foreground[inside], colors)
    edge = (view.label == Label.SKIN) & raster.covered
    mask = _with_edge(scene, colors, inside, edge, rings[ring_of(angle)])
    return SeenEye(eyeball, triangles, mask, raster.triangle, raster.depth.astype(np.float64), angle, rings)


def _with_edge(
    scene: Scene,
    colors: SkinColors,
    inside: Bool[np.ndarray, "S S"],
    edge: Bool[np.ndarray, "S S"],
    expected: Float[np.ndarray, "S S 3"],
) -> Bool[np.ndarray, "S S"]:
    """Add pixels of the lids' edges that look more like the ball expected there than like the lids' skin."""
    to_eye, (nearest, _) = ndimage.distance_transform_edt(~inside, return_indices=True)
    to_eye = to_eye * scene.metres_per_pixel
    lid = edge & (to_eye > EDGE_WIDTH) & (to_eye < 3 * EDGE_WIDTH)
    if not inside.any() or not lid.any():
        return inside
    skin = np.median(colors.foreground[lid], 0)
    to_ball = np.linalg.norm(colors.foreground - expected, axis=-1)
    to_skin = np.linalg.norm(colors.foreground - skin, axis=-1)
    below = np.arange(len(inside))[:, None] > nearest
    like_ball = edge & (to_eye < EDGE_WIDTH) & (to_ball < np.where(below, WET_RIM, 1) * to_skin)
    return ndimage.binary_propagation(inside, mask=inside | like_ball)


def _ring_colors(
    eyeball: Eyeball, angle: Float[np.ndarray, "N"], seen: Float[np.ndarray, "N 3"], colors: SkinColors
) -> Float[np.ndarray, "R 3"]:
    """Colour by angle from the axis: the brighter half of what is seen there, for lids throw shadows and lashes."""
    light = np.clip(seen.max() if len(seen) else colors.vertex.mean() * 1.5, 0.2, 1.0)
    edges = np.linspace(0, np.pi, RINGS * 4 + 1)[: RINGS + 1]
    rings = np.where((edges[1:] < eyeball.iris_angle)[:, None], DARK_IRIS, WHITE * light)
    iris = seen[angle < eyeball.iris_angle]
    if len(iris) > 8:
        rings[edges[1:] < eyeball.iris_angle] = np.median(iris, 0)
    white = seen[angle > LIMBUS * eyeball.iris_angle]
    if len(white) > 8:
        least = LEAST_WHITE * colors.foreground[colors.trusted].mean() if colors.trusted.any() else 0.0
        measured = _bright_half(white)
        rings[edges[1:] >= eyeball.iris_angle] = measured * max(least / measured.mean(), 1.0)
    for ring in range(RINGS):
        inside = (angle >= edges[ring]) & (angle < edges[ring + 1])
        if inside.sum() > 5 and edges[ring] < LIMBUS * eyeball.iris_angle:
            rings[ring] = np.median(seen[inside], 0)
    return rings


def _bright_half(colors: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "3"]:
    brightness = colors.sum(1)
    return np.median(colors[brightness >= np.median(brightness)], axis=0)


def _pixel_layers(scene: Scene, colors: SkinColors, eye: SeenEye) -> list[Layer]:
    """Lift the seen pixels onto the ball, and the highlights on them onto something that does not turn with it.

    A pixel in the iris or beside it that is brighter than its ring mixes the ring's colour with a lamp's.
    """
    row, column = np.nonzero(eye.mask)
    center = np.stack([column + 0.5, row + 0.5], 1)
    base = colors.foreground[row, column].copy()
    ring = eye.rings[ring_of(eye.angle[row, column])]
    brighter = (base - ring).mean(1)
    lit = _highlights(eye, brighter > HIGHLIGHT)
    share = np.clip(brighter / np.maximum(1 - ring.mean(1), 0.1), 0, 1)
    base[lit] = ring[lit]
    depth = eye.depth[row, column] + PIXEL_INSET
    size, flat = np.ones(len(row)), np.zeros((len(row), 2))
    means, basis = lift_pixels(scene.camera, center, size, depth, flat)

    def layer(which: Bool[np.ndarray, "N"], triangle: Int[np.ndarray, "N"], **looks: object) -> Layer:
        shape = scene.vertices, scene.rig.faces, triangle[which]
        return make_layer(*shape, means[which], basis[which], part=Part.EYE, **looks)

    solid = np.full(len(row), MAX_OPACITY)
    on_ball = eye.triangle[row, column]
    layers = [
        layer(~lit, on_ball, colors=base[~lit], opacities=solid[~lit], seen=np.ones((~lit).sum(), bool)),
        layer(lit, on_ball, colors=base[lit], opacities=solid[lit], seen=np.zeros(lit.sum(), bool)),
    ]
    if lit.any():
        means, _ = lift_pixels(scene.camera, center, size, eye.depth[row, column] + HIGHLIGHT_INSET, flat)
        lamp = np.clip(ring + (colors.foreground[row, column] - ring) / np.maximum(share, 0.05)[:, None], 0, 1)
        still = np.full(len(row), _still_triangle(scene, eye.eyeball))
        opacity = np.clip(share, 0.05, MAX_OPACITY)[lit]
        layers.append(layer(lit, still, colors=lamp[lit], opacities=opacity, seen=np.ones(lit.sum(), bool)))
    return layers


def _highlights(eye: SeenEye, bright: Bool[np.ndarray, "N"]) -> Bool[np.ndarray, "N"]:
    """Of the seen pixels choose the bright spots that lie within the iris whole."""
    spots = np.zeros(eye.mask.shape, bool)
    spots[eye.mask] = bright
    labels, count = ndimage.label(spots)
    outside = eye.mask & (eye.angle > HIGHLIGHT_REACH * eye.eyeball.iris_angle)
    whole = np.setdiff1d(np.arange(1, count + 1), labels[outside])
    return np.isin(labels, whole)[eye.mask]


def _still_triangle(scene: Scene, eyeball: Eyeball) -> int:
    """The triangle nearest to the eye that goes with the head and that no expression moves."""
    rig = scene.rig
    faces = rig.faces[: rig.head_triangles]
    moved = np.abs(rig.shapedirs).max((1, 2)) + np.abs(rig.posedirs).max((1, 2))
    vertices = scene.vertices[faces]
    area = np.linalg.norm(np.cross(vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0]), axis=1)
    still = (moved[faces].max(1) < STILL) & (rig.lbs_weights[faces].min(1)[:, HEAD_JOINT] > 0.999)
    still &= area > np.median(area[still]) if still.any() else True
    distance = np.linalg.norm(vertices.mean(1) - eyeball.center, axis=1)
    return int(np.where(still, distance, np.inf).argmin()) if still.any() else int(moved[faces].max(1).argmin())


def ring_of(angle: Float[np.ndarray, "*n"]) -> Int[np.ndarray, "*n"]:
    """Return the index of the ring at an angle from the axis."""
    return np.minimum(angle / (np.pi / (RINGS * 4)), RINGS - 1).astype(np.int64)


def _eyeball_layer(scene: Scene, eye: SeenEye, rng: np.random.Generator) -> Layer:
    """Complete the front of the ball around the iris, under the seen pixels."""
    eyeball = eye.eyeball
    front = eye.triangles & (scene.vertices[scene.rig.faces].mean(1)[:, 2] > eyeball.center[2])
    samples = sample_triangles(scene.vertices, scene.rig.faces, np.where(front, SPACING, np.inf), rng)
    points = surface_points(samples, scene.vertices.astype(np.float64), scene.rig.faces)
    outwards = points - eyeball.center
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        samples.triangle,
        points - outwards * FILL_INSET,
        disc_basis(outwards, samples.spacing * SURFACE_SIGMA),
        colors=eye.rings[ring_of(eyeball.angle(points))],
        opacities=np.full(len(points), 0.95),
        part=Part.EYE,
        seen=np.zeros(len(points), bool),
    )
