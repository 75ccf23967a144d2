"""Lashes: the dark pixels along and above the eye's opening, which ride on the lids' edges.

A photograph shows upper lashes lying over lid and fold. In space they stand out from the lid's edge, forwards and up,
and so they are lifted: as the eye shuts they turn down with the edge and foreshorten to a dark line along it, and the
lid's skin, filled in under them, comes to light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.lids import Folds
from likeness.lifting.sampling import disc_basis, lift_pixels, make_layer
from likeness.lifting.types import Layer, Scene
from likeness.lifting.upper_lids import UpperLids
from likeness.lifting.visibility import Label, Visibility, pixel_of, raster_of

LASH_LINE = 0.0012
"""Width of the lash line around the eye's opening, metres."""
LASH_DARKNESS = 0.8
"""Brightness of lashes beside that of the lid's skin, at most."""
RIM_BRIGHTNESS = 1.0
"""Brightness of the lower lid's wet rim beside the lids' skin, at least."""
RIM_INSET = 0.0004
"""How far rims lie inside the eyeball, metres: a shut lid hides them."""
LASH_OFFSET = 0.0004
"""How far in front of the lids' skin lashes lie at least, metres."""
LASH_RISE = 0.8
"""How far lashes stand out before the lid, per metre above its edge."""
LINE_STEPS = 3
"""Samples of the lash line along one lash triangle's root."""
ROOT_REACH = 0.0006
"""How much further than the roots from the eyeball an edge may lie that still is one, metres."""
LINE_WIDTH, LINE_INSET = 0.0004, 0.0004
"""Standard deviation of the lash line, and how far it lies behind the lifted pixels, metres."""
LINE_OPACITY = 0.5
"""Of its samples (0..1)."""
LASH_SHADE = 0.5
"""Brightness of lashes that are not seen relative to the lid's skin."""


@dataclass(frozen=True)
class LidEdges:
    """Pixels along the eyes' openings that do not lie on the lids' skin. S is the working square's side."""

    lashes: Bool[np.ndarray, "S S"]
    """Dark ones of the upper lids' edges."""
    rims: Bool[np.ndarray, "S S"]
    """Bright ones: white of the eye, wet rims and glints between lashes, which a shut eye hides."""


def find_lid_edges(scene: Scene, view: Visibility, upper: UpperLids) -> LidEdges:
    """Tell lashes and rims from the lids' skin by their brightness beside it."""
    to_eye = ndimage.distance_transform_edt(view.label != Label.EYE) * scene.metres_per_pixel
    line = (view.label == Label.SKIN) & (to_eye < max(LASH_LINE, 1.1 * scene.metres_per_pixel))
    brightness = np.asarray(scene.portrait.foreground, np.float64).mean(-1) / np.maximum(upper.bare.mean(-1), 1e-3)
    lashes = upper.riding & (brightness < LASH_DARKNESS)
    return LidEdges(lashes, line & ~lashes & (upper.riding | (brightness > RIM_BRIGHTNESS)))


def lift_lid_edges(scene: Scene, view: Visibility, folds: Folds, edges: LidEdges) -> list[Layer]:
    """Hang the lashes on the skin that goes with the lids' edges, and set the rims still behind the lids."""
    to_eye = ndimage.distance_transform_edt(view.label != Label.EYE) * scene.metres_per_pixel
    balls = raster_of(scene, scene.triangles_in("eye_left", "eye_right"))
    offset = -LASH_OFFSET - LASH_RISE * np.maximum(to_eye - LASH_LINE, 0)
    return [
        _pixels(scene, view, edges.lashes, folds, folds.upper_lashes, view.depth + offset, LASH_RISE),
        _pixels(
            scene,
            view,
            edges.rims,
            folds,
            folds.resting,
            np.where(balls.covered, balls.depth + RIM_INSET, view.depth + 4 * RIM_INSET),
            0.0,
        ),
    ]


def _pixels(
    scene: Scene,
    view: Visibility,
    mask: Bool[np.ndarray, "S S"],
    folds: Folds,
    carriers: Bool[np.ndarray, "F"],
    depth: Float[np.ndarray, "S S"],
    rise: float,
) -> Layer:
    """Lift pixels to a depth (metres) and hang them on the nearest carriers; `rise` is their slope."""
    if not carriers.any():
        mask = np.zeros_like(mask)
    cells = adaptive_cells(scene.portrait, mask, coarsest=1)
    place = cells.row, cells.column
    surface = scene.camera.unproject(cells.center, view.depth[place].astype(np.float64))
    slope = np.tile([0.0, rise], (len(surface), 1))
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth[place].astype(np.float64), slope)
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        folds.nearest(scene, surface, carriers),
        means,
        basis,
        colors=cells.color,
        opacities=cells.opacity,
        part=Part.LASH,
        seen=np.ones(len(means), bool),
    )


def lash_line(
    scene: Scene, view: Visibility, colors: SkinColors, folds: Folds, lashes: Bool[np.ndarray, "S S"]
) -> list[Layer]:
    """Underlay the upper lashes' roots with a dark line, which the seen lash line's pixels leave gaps in."""
    carriers = np.flatnonzero(folds.upper_lashes)
    if not len(carriers):
        return []
    faces = scene.rig.faces[carriers]
    vertices = scene.vertices.astype(np.float64)
    eye = vertices[np.unique(scene.rig.faces[scene.triangles_in("eye_left", "eye_right")])]
    # Of each lash triangle the edge nearest to the eyeballs is its root.
    reach = cKDTree(eye).query(vertices[faces])[0]
    order = np.argsort(reach, 1)
    rows = np.arange(len(faces))
    first, second = vertices[faces[rows, order[:, 0]]], vertices[faces[rows, order[:, 1]]]
    share = (np.arange(LINE_STEPS) + 0.5) / LINE_STEPS
    points = (first[:, None] + share[:, None] * (second - first)[:, None]).reshape(-1, 3)
    triangle = np.repeat(carriers, LINE_STEPS)
    rooted = np.repeat(reach[rows, order[:, 1]] < np.median(reach[rows, order[:, 0]]) + ROOT_REACH, LINE_STEPS)
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    # Over the seen eyeball it would be seen while the eye is open.
    used = np.flatnonzero(rooted & (view.label != Label.EYE)[row, column])
    to_camera = scene.camera.center - points[used]
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    line = make_layer(
        scene.vertices,
        scene.rig.faces,
        triangle[used],
        points[used] - to_camera * LINE_INSET,
        disc_basis(to_camera, np.full(len(used), LINE_WIDTH)),
        colors=_lash_color(scene, view, colors, lashes) + np.zeros((len(used), 3)),
        opacities=np.full(len(used), LINE_OPACITY),
        part=Part.LASH,
        seen=np.zeros(len(used), bool),
    )
    return [line]


def _lash_color(
    scene: Scene, view: Visibility, colors: SkinColors, lashes: Bool[np.ndarray, "S S"]
) -> Float[np.ndarray, "3"]:
    """The darker quarter of the lash line, or a shade of the skin where none is seen."""
    skin = colors.vertex[np.unique(scene.rig.faces[scene.triangles_in("lids_left", "lids_right")])].mean(0)
    if not lashes.any():
        return skin * LASH_SHADE
    seen = colors.foreground[lashes]
    return seen[seen.mean(1) <= np.percentile(seen.mean(1), 25)].mean(0)
