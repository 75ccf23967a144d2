"""Which pixels show the inside of an open mouth: the landmarks' outline, set right by what looks like lip.

The outline of the inner lips is a millimetre off here and there. A tooth left on a lip would glare on the closed
mouth, a lip left on the teeth would hang from them in the open one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.lifting.types import Scene

UNSURE_IN, UNSURE_OUT = 0.0025, 0.0018
"""How far inside and outside the outline a pixel's looks decide, metres."""
CLEARLY = 0.6
"""Outside, what is inside must be nearer to its looks than to the lip's by this factor: lips have highlights."""
GAP_DARKNESS, CORNER = 0.5, 0.004
"""Brightness beside the lip's under which a pixel is a gap, and how far outside the outline it may lie, metres."""
SMOOTHNESS = 0.0004
"""Blur of the border found, metres."""
FADE, EVEN = 0.004, 0.002
"""Distances over which skin beside a lip follows where that is moved to, and over which moves are evened out: unlike
moves of neighbours, as in the corners, would tear triangles; metres."""
MARGIN, MOST_MOVE = 0.0003, 0.003
"""How far outside the opening lips are moved, and how far at most; metres."""
NEIGHBORS = 24
LEAST_EXPRESSION = 0.3
"""Sum of squares of the mouth's controls from which it is they that open the lips."""
BESIDE_LIPS = 0.003
"""Distance from the lips over which all of the person is skin, metres: their dark corners are no hair."""
LIP_WIDTH = 0.006
"""Reach of the lips' own colour beyond that, metres."""
LIP_BLUR = 0.003
"""Over which the lips' colour is gathered: their light changes from side to side, metres."""
LEAST_INSIDE = 12
"""Pixels surely inside from which the inside's looks are known."""


def inside_mouth(scene: Scene, outline: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Return the pixels of teeth and gap: `outline` with its border moved to where the lips' colour begins."""
    size = scene.metres_per_pixel
    inwards, outwards = (ndimage.distance_transform_edt(mask) * size for mask in (outline, ~outline))
    sure = inwards > min(UNSURE_IN, inwards.max() / 2)
    unsure = (outwards < UNSURE_OUT) & ~sure
    lips = (outwards >= UNSURE_OUT) & (outwards < UNSURE_OUT + LIP_WIDTH)
    if sure.sum() < LEAST_INSIDE:
        return outline
    color = np.asarray(scene.portrait.foreground, np.float64)
    lip = _gathered(color, lips, LIP_BLUR / size)
    brightness = color.mean(-1)
    bright = brightness >= np.median(brightness[sure])
    kinds = [np.median(color[sure & bright], 0), np.median(color[sure & ~bright], 0)]
    to_inside = np.min([np.linalg.norm(color - kind, axis=-1) for kind in kinds], 0)
    # Much darker than a lip is the gap, however dark its teeth are; it reaches far into the corners.
    dark = (brightness < GAP_DARKNESS * lip.mean(-1)) & (outwards < CORNER)
    to_lip = np.linalg.norm(color - lip, axis=-1) * np.where(outline, 1.0, CLEARLY)
    inside = ndimage.binary_propagation(sure, mask=sure | dark | unsure & (to_inside < to_lip))
    inside = ndimage.binary_fill_holes(inside).astype(np.float64)
    return ndimage.gaussian_filter(inside, SMOOTHNESS / size) > 0.5


def beside_lips(scene: Scene, triangle: Int[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Mark pixels on the lips and next to them; `triangle` is the one behind each pixel, -1 for none."""
    on_lips = (triangle >= 0) & scene.triangles_in("lips")[triangle]
    if not on_lips.any():
        return on_lips
    return ndimage.distance_transform_edt(~on_lips) * scene.metres_per_pixel < BESIDE_LIPS


def _gathered(
    image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"], sigma: float
) -> Float[np.ndarray, "S S 3"]:
    """Blur what a mask shows, and continue it beyond."""
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma)
    total = ndimage.gaussian_filter(image * mask[..., None], (sigma, sigma, 0))
    return total / np.maximum(weight, 1e-9)[..., None]


def cover_gap(
    scene: Scene,
    outline: Bool[np.ndarray, "S S"],
    triangle: Int[np.ndarray, "S S"],
    depth: Float[np.ndarray, "S S"],
    bary: Float[np.ndarray, "S S 3"],
) -> None:
    """Give pixels that see through the modelled lips' opening to the nearest lip, in place."""
    lips = (triangle >= 0) & scene.triangles_in("lips")[triangle]
    through = outline & ~((triangle >= 0) & scene.skin_triangles()[triangle])
    if lips.any():
        row, column = ndimage.distance_transform_edt(~lips, return_distances=False, return_indices=True)[:, through]
        triangle[through], depth[through], bary[through] = triangle[row, column], depth[row, column], bary[row, column]


def open_lips(scene: Scene, inside: Bool[np.ndarray, "S S"]) -> Scene:
    """Move the lips off the pixels that show teeth, by the portrait's expression alone: at rest they close as before.

    The displacement d is added to the mouth's shapes in proportion to their controls w, d w_i / |w|^2 each, so that
    the portrait's expression has all of it and the neutral one nothing.
    """
    names = scene.rig.control_names
    of_mouth = np.array([name.startswith(("mouth", "jawOpen")) and name != "mouthClose" for name in names])
    weights = np.where(of_mouth, scene.controls, 0.0).astype(np.float64)
    if not inside.any() or (weights**2).sum() < LEAST_EXPRESSION:
        return scene
    move = _off_teeth(scene, inside)
    shapes = scene.rig.shapedirs + move[:, :, None] * (weights / (weights**2).sum())
    rig = replace(scene.rig, shapedirs=shapes.astype(np.float32))
    return replace(scene, rig=rig, vertices=(scene.vertices + move).astype(scene.vertices.dtype))


def _off_teeth(scene: Scene, inside: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "V 3"]:
    """Return the displacements, parallel to the picture, that bring lip vertices outside; skin beside them follows."""
    lips = np.unique(scene.rig.faces[scene.triangles_in("lips")])
    projected, depth = scene.camera.project(scene.vertices[lips])
    away, nearest = ndimage.distance_transform_edt(inside, return_indices=True)
    index = np.clip(np.floor(projected).astype(np.int64), 0, len(inside) - 1)
    row, column = index[:, 1], index[:, 0]
    step = np.stack([nearest[1][row, column] - column, nearest[0][row, column] - row], 1).astype(np.float64)
    length = np.linalg.norm(step, axis=1)
    step *= (away[row, column] > 0)[:, None]
    wanted = length + MARGIN / scene.metres_per_pixel
    step *= (np.minimum(wanted, MOST_MOVE / scene.metres_per_pixel) / np.maximum(length, 1e-9))[:, None]
    moved = scene.camera.unproject(projected + step, depth) - scene.vertices[lips]
    move = np.zeros(scene.vertices.shape)
    near = np.unique(scene.rig.faces[scene.triangles_in("lips", "face")])
    distance, neighbor = cKDTree(scene.vertices[lips]).query(scene.vertices[near], k=NEIGHBORS)
    share = np.exp(-0.5 * (distance**2 - distance[:, :1] ** 2) / EVEN**2)
    share /= share.sum(1, keepdims=True)
    move[near] = (share[..., None] * moved[neighbor]).sum(1) * np.exp(-((distance[:, :1] / FADE) ** 2))
    return move
