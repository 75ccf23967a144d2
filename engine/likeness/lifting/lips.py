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
GAP_DARKNESS, CORNER = 0.62, 0.005
"""Brightness beside the lip's under which a pixel is a gap, and how far outside the outline it may lie, metres."""
CORNER_REACH = 0.15
"""Distance from a corner of the mouth up to which it may, in its widths: elsewhere dark is a lip's shade or a beard."""
SMOOTHNESS = 0.0004
"""Blur of the border found, metres."""
FADE, EVEN = 0.002, 0.0015
"""Distances over which skin beside a lip follows where that is moved to, and over which moves are evened out: unlike
moves of neighbours, as in the corners, would tear triangles; metres."""
MARGIN, MOST_MOVE = 0.0003, 0.005
"""How far outside the opening lips are moved, and how far at most; metres."""
BEYOND = 0.003
"""Distance from the opening up to which the other lip's side of it is no place for a lip, metres."""
ROUNDS = 6
"""Of moving and evening out."""
NEIGHBORS = 24
"""Lip vertices that a move is evened out over."""
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""MediaPipe's inner edge of each lip, from the subject's right to the left."""
MOST_STRETCH = 1.8
"""Times its length to which a triangle with lifted lip pixels may be drawn out."""
LEAST_EXPRESSION = 0.3
"""Sum of squares of the mouth's controls from which it is they alone that open the lips."""
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
    unsure = (outwards < min(UNSURE_OUT, inwards.max())) & ~sure
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
    dark = (brightness < GAP_DARKNESS * lip.mean(-1)) & (outwards < CORNER) & near_corners(scene)
    to_lip = np.linalg.norm(color - lip, axis=-1) * np.where(outline, 1.0, CLEARLY)
    inside = ndimage.binary_propagation(sure, mask=sure | dark | unsure & (to_inside < to_lip))
    inside = ndimage.binary_fill_holes(inside).astype(np.float64)
    return ndimage.gaussian_filter(inside, SMOOTHNESS / size) > 0.5


def near_corners(scene: Scene) -> Bool[np.ndarray, "S S"]:
    """Mark what is near the corners of the mouth, where gap, shade and skin run into each other."""
    y, x = np.indices(scene.portrait.alpha.shape) + 0.5
    corners = scene.portrait.landmarks[[UPPER_INNER[0], UPPER_INNER[-1]]]
    distance = np.min([np.hypot(x - corner[0], y - corner[1]) for corner in corners], 0)
    return distance < CORNER_REACH * np.linalg.norm(corners[1] - corners[0])


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
    """Move the lips off the pixels that show teeth or gap, by the portrait's expression: at rest they close as before.

    The displacement d is added to the mouth's shapes in proportion to their controls w, d w_i / max(|w|^2, e) each, so
    that a portrait whose expression opens the mouth has all of it and the neutral face nothing. What is left where
    the portrait has little expression belongs to a person whose lips part at rest, and goes to the neutral face.
    """
    if not inside.any():
        return scene
    names = scene.rig.control_names
    of_mouth = np.array([name.startswith(("mouth", "jawOpen")) and name != "mouthClose" for name in names])
    weights = np.where(of_mouth, scene.controls, 0.0).astype(np.float64)
    strength = max((weights**2).sum(), LEAST_EXPRESSION)
    move = _off_teeth(scene, inside)
    shapes = scene.rig.shapedirs + move[:, :, None] * (weights / strength)
    at_rest = scene.rig.v_neutral + move * (1 - (weights**2).sum() / strength)
    rig = replace(scene.rig, shapedirs=shapes.astype(np.float32), v_neutral=at_rest.astype(np.float32))
    return replace(scene, rig=rig, vertices=(scene.vertices + move).astype(scene.vertices.dtype))


def stretched(scene: Scene) -> Bool[np.ndarray, "F"]:
    """Mark triangles that the face at rest, or a mouth open at rest, draws out in some direction: pixels on them would
    be spikes.

    With the edges' inner products A and B in two poses, the greatest stretch is the root of the greatest eigenvalue
    of A^-1 B.
    """
    opened = scene.rig.v_neutral + scene.rig.shapedirs[:, :, scene.rig.control_names.index("jawOpen")]
    return np.maximum(_stretch(scene, opened), _stretch(scene, scene.rig.v_neutral)) > MOST_STRETCH


def _stretch(scene: Scene, pose: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "F"]:
    """Return the greatest stretch of every triangle from the portrait's pose to another, as a factor."""
    (a, b, c), (d, e, f) = (_edge_products(vertices[scene.rig.faces]) for vertices in (scene.vertices, pose))
    area = np.maximum(a * c - b * b, 1e-20)
    trace, determinant = (c * d - 2 * b * e + a * f) / area, (d * f - e * e) / area
    return np.sqrt((trace + np.sqrt(np.maximum(trace**2 - 4 * determinant, 0))) / 2)


def _edge_products(corners: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "3 F"]:
    first, second = (corners[:, i].astype(np.float64) - corners[:, 0] for i in (1, 2))
    return np.stack([(first * first).sum(1), (first * second).sum(1), (second * second).sum(1)])


def _off_teeth(scene: Scene, inside: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "V 3"]:
    """Return the displacements, parallel to the picture, that bring each lip to its side; skin beside them follows."""
    lips = np.unique(scene.rig.faces[scene.triangles_in("lips")])
    near = np.unique(scene.rig.faces[scene.triangles_in("lips", "face")])
    jaw = scene.rig.shapedirs[:, :, scene.rig.control_names.index("jawOpen")]
    lower = jaw[lips, 1] < jaw[lips, 1].min() / 2
    # With the jaw open the two lips lie apart, so that each follows its own neighbours.
    apart = scene.vertices + jaw
    tree = cKDTree(apart[lips])
    near = near[tree.query(apart[near])[0] < 3 * FADE]
    distance, neighbor = tree.query(apart[near], k=NEIGHBORS)
    share = np.exp(-0.5 * (distance**2 - distance[:, :1] ** 2) / EVEN**2)
    share *= np.exp(-((distance[:, :1] / FADE) ** 2)) / share.sum(1, keepdims=True)
    sides = [_nearest_free(blocked) for blocked in _blocked(scene, inside)]
    move = np.zeros(scene.vertices.shape)
    for _ in range(ROUNDS):
        places = scene.vertices[lips] + move[lips]
        step = np.where(lower[:, None], _way_out(scene, places, sides[1]), _way_out(scene, places, sides[0]))
        move[near] += (share[..., None] * step[neighbor]).sum(1)
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return move * np.minimum(1, MOST_MOVE / np.maximum(length, 1e-9))


def _blocked(scene: Scene, inside: Bool[np.ndarray, "S S"]) -> list[Bool[np.ndarray, "S S"]]:
    """Return where the upper and where the lower lip must not be: on the opening and beyond it."""
    upper, lower = scene.portrait.landmarks[list(UPPER_INNER)], scene.portrait.landmarks[list(LOWER_INNER)]
    right, left = upper[0], upper[-1]
    across = (left - right) / np.linalg.norm(left - right)
    down = np.array([-across[1], across[0]])
    middle = ((upper + lower) / 2 - right) @ np.stack([across, down], 1)
    rows, columns = np.indices(inside.shape) + 0.5
    along, below = (((columns - right[0]) * way[0] + (rows - right[1]) * way[1]) for way in (across, down))
    beyond = below - np.interp(along, *middle.T)
    near = ndimage.distance_transform_edt(~inside) * scene.metres_per_pixel < BEYOND
    return [inside | near & (beyond > 0), inside | near & (beyond < 0)]


def _nearest_free(blocked: Bool[np.ndarray, "S S"]) -> tuple[Float[np.ndarray, "S S"], Int[np.ndarray, "2 S S"]]:
    return ndimage.distance_transform_edt(blocked, return_indices=True)


def _way_out(
    scene: Scene,
    points: Float[np.ndarray, "N 3"],
    free: tuple[Float[np.ndarray, "S S"], Int[np.ndarray, "2 S S"]],
) -> Float[np.ndarray, "N 3"]:
    """Return the displacements to the nearest pixels that are not blocked, and `MARGIN` further."""
    away, nearest = free
    projected, depth = scene.camera.project(points)
    column, row = np.clip(np.floor(projected).astype(np.int64), 0, len(away) - 1).T
    step = np.stack([nearest[1][row, column] - column, nearest[0][row, column] - row], 1).astype(np.float64)
    length = np.linalg.norm(step, axis=1)
    step *= ((length + MARGIN / scene.metres_per_pixel) * (length > 0) / np.maximum(length, 1e-9))[:, None]
    return scene.camera.unproject(projected + step, depth) - points
