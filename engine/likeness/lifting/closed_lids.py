"""The part of the upper lids that an open eye hides: a plate that slides out from under the fold as the lid closes.

A lid's outer skin is one sheet that the model stretches from the orbit to the lid's edge. What a portrait shows of it,
the fold and its shade, would be drawn out over the whole lid. So a second sheet is laid where the shut lid will be, and
rides on the upper lashes, which turn about the eyeball with the lid's edge. Where that takes it as the eye opens, the
skin is squeezed and lies further out: put between the two, the plate is hidden by the open lid and hides the stretched
skin of the shut one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.binding.affine import bind
from likeness.contract.avatar import Part
from likeness.geometry.frames import triangle_frames
from likeness.lifting.appearance import SkinColors
from likeness.lifting.eyes import fit_sphere
from likeness.lifting.lids import Folds, near_opening
from likeness.lifting.sampling import SURFACE_SIGMA, disc_basis, make_layer, posed_samples, sample_triangles
from likeness.lifting.types import Layer, Scene
from likeness.lifting.visibility import Label, Visibility, pixel_of

SPACING, DENSE = 0.0007, 0.0005
"""Spacing of the plate's samples and of those that tell where the open lid's skin is, metres."""
DESCENT = 0.0005
"""Metres by which a triangle of the upper lashes sinks as the eye shuts, at least."""
CANDIDATES = 12
"""Lash triangles that a sample may ride on: the one that keeps its distance from the eyeball best carries it."""
SMALL_DRIFT = 0.0002
"""Change of that distance that does not matter, metres."""
DISC = 0.0004
"""Least distance of the plate from the eyeball, metres."""
SHARE = 0.8
"""Where the plate lies between the shut lid's skin (0) and the open one's (1)."""
MOST_RISE = 0.0012
"""By which it lies in front of the shut lid's skin at most, metres."""
LEAST_GAP = 0.00015
"""Between the two, metres: nearer to the edge, lifted pixels ride along and need no plate."""
SLACK = 0.0006
"""How far beside the open lid's skin the plate may come to lie, metres: further out it would show on the eye."""
FOLLOWS = (0.15, 0.5)
"""How far the shut lid's skin has come, in the longest way of that eye, where the plate dives under it and is whole."""
DIVE = 0.0012
"""Depth to which it dives at its border, metres, so that the border is not seen."""
LID_BLUR = 0.0025
"""Over which the colour of the open lid's skin is spread to the plate, metres."""
LID_REACH = 0.009
"""Distance from the eye's opening within which skin is the lid's, metres."""
FILL_SHARE = 0.5
"""Of the colour of the skin around the eye in the plate's: what is seen of the open lid lies in its shade."""
LINE_STEPS = 3
"""Samples of the lash line along one lash triangle's root."""
ROOT_REACH = 0.0006
"""How much further than the roots from the eyeball an edge may lie that still is one, metres."""
LINE_WIDTH, LINE_INSET = 0.0004, 0.0004
"""Standard deviation of the lash line, and how far it lies behind the lifted pixels, metres."""
LINE_OPACITY = 0.5
LASH_SHADE = 0.5
"""Brightness of lashes that are not seen relative to the lid's skin."""
GRAIN_FROM = 0.017
"""The plate's grain is that of the skin so far below it, on the cheek, metres."""
MOST_GRAIN = 0.04


def lift_closed_lids(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    folds: Folds,
    lashes: Bool[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> list[Layer]:
    """Return the upper lids' plates; none for a head without lashes. `lashes` marks the pixels of the lash line."""
    layers = []
    for side in ("left", "right"):
        carriers = _upper_lashes(scene, folds, side)
        if len(carriers):
            layers.append(_plate(scene, view, colors, folds, lashes, side, carriers, rng))
            layers.append(_lash_line(scene, view, colors, lashes, carriers))
    return layers


def _upper_lashes(scene: Scene, folds: Folds, side: str) -> Int[np.ndarray, "L"]:
    lashes = np.flatnonzero(scene.triangles_in(f"lashes_{side}"))
    sinks = (scene.vertices - folds.pose)[scene.rig.faces[lashes], 1].mean(1)
    return lashes[sinks > DESCENT]


def _plate(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    folds: Folds,
    lashes: Bool[np.ndarray, "S S"],
    side: str,
    carriers: Int[np.ndarray, "L"],
    rng: np.random.Generator,
) -> Layer:
    faces = scene.rig.faces
    center, radius = fit_sphere(scene.vertices[np.unique(faces[scene.triangles_in(f"eye_{side}")])])
    open_skin = _OpenSkin(scene, side, center, rng)
    spacing = np.where(scene.triangles_in(f"lids_{side}"), SPACING, np.inf)
    samples = sample_triangles(folds.pose, faces, spacing, rng)
    shut, normals = posed_samples(samples, folds.pose, faces)
    at_rest, _ = posed_samples(samples, scene.vertices, faces)
    triangle = _carriers(scene, folds, shut, carriers, center)
    way = np.clip(at_rest - shut, 0, None)[:, 1]
    whole = np.clip((way / way.max() - FOLLOWS[0]) / (FOLLOWS[1] - FOLLOWS[0]), 0, 1)
    gap, _ = open_skin.before(_carried(scene, folds, shut, triangle))
    distance = np.linalg.norm(shut - center, axis=1)
    placed = distance + whole * np.minimum(SHARE * gap, MOST_RISE) - (1 - whole) * DIVE
    points = center + (shut - center) * (placed / distance)[:, None]
    opened = _carried(scene, folds, points, triangle)
    gap, beside = open_skin.before(opened)
    row, column = pixel_of(scene.camera.project(opened)[0], len(view.label))
    hidden = (gap > LEAST_GAP) & (beside < SLACK) & ~near_opening(view)[row, column]
    outer = ((shut - center) * normals).sum(1) > 0
    used = np.flatnonzero(outer & hidden & (whole > 0) & (placed > radius + DISC))
    points = points[used]
    fill = np.einsum("nk,nkc->nc", samples.bary[used], colors.vertex[faces[samples.triangle[used]]])
    lid = _lid_colors(scene, view, colors, lashes, at_rest[used], whole[used])
    color = lid + FILL_SHARE * whole[used, None] * (fill - lid) + _grain(scene, view, colors, points)
    return make_layer(
        folds.pose,
        faces,
        triangle[used],
        points,
        disc_basis(normals[used], samples.spacing[used] * SURFACE_SIGMA),
        colors=color,
        opacities=np.full(len(used), 0.95),
        part=Part.SKIN,
        seen=np.zeros(len(used), bool),
    )


def _lash_line(
    scene: Scene, view: Visibility, colors: SkinColors, lashes: Bool[np.ndarray, "S S"], carriers: Int[np.ndarray, "L"]
) -> Layer:
    """Underlay the upper lashes' roots with a dark line, which the seen lash line's pixels leave gaps in."""
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
    return make_layer(
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


def _lash_color(
    scene: Scene, view: Visibility, colors: SkinColors, lashes: Bool[np.ndarray, "S S"]
) -> Float[np.ndarray, "3"]:
    """The darker quarter of the lash line, or a shade of the skin where none is seen."""
    skin = colors.vertex[np.unique(scene.rig.faces[scene.triangles_in("lids_left", "lids_right")])].mean(0)
    if not lashes.any():
        return skin * LASH_SHADE
    seen = colors.foreground[lashes]
    return seen[seen.mean(1) <= np.percentile(seen.mean(1), 25)].mean(0)


def _carried(
    scene: Scene, folds: Folds, shut: Float[np.ndarray, "N 3"], triangle: Int[np.ndarray, "N"]
) -> Float[np.ndarray, "N 3"]:
    """Where triangles take points on the shut lid in the portrait."""
    frames, origins = triangle_frames(scene.vertices.astype(np.float64), scene.rig.faces[triangle])
    local, _ = bind(shut, np.zeros((len(shut), 3, 3)), triangle, folds.pose, scene.rig.faces)
    return origins + np.einsum("nij,nj->ni", frames, local)


def _carriers(
    scene: Scene,
    folds: Folds,
    shut: Float[np.ndarray, "N 3"],
    carriers: Int[np.ndarray, "L"],
    center: Float[np.ndarray, "3"],
) -> Int[np.ndarray, "N"]:
    """Choose each point's triangle among the nearest lashes: the one that best keeps its distance from the ball."""
    faces = scene.rig.faces
    count = min(CANDIDATES, len(carriers))
    _, nearest = cKDTree(folds.pose[faces[carriers]].mean(1)).query(shut, k=count)
    nearest = nearest.reshape(len(shut), count)
    distance = np.linalg.norm(shut - center, axis=1)
    drift = np.empty((len(shut), count))
    for column in range(count):
        opened = _carried(scene, folds, shut, carriers[nearest[:, column]])
        drift[:, column] = np.abs(np.linalg.norm(opened - center, axis=1) - distance)
    # Neighbours should share a triangle, so a nearer one wins unless it drifts much more.
    best = (np.maximum(drift, SMALL_DRIFT) * (1 + 0.1 * np.arange(count))).argmin(1)
    return carriers[nearest[np.arange(len(shut)), best]]


class _OpenSkin:
    """The outer skin around one eye in the portrait, seen from the eyeball's centre."""

    def __init__(self, scene: Scene, side: str, center: Float[np.ndarray, "3"], rng: np.random.Generator) -> None:
        near = scene.triangles_in(f"lids_{side}", "face")
        near &= np.linalg.norm(scene.vertices[scene.rig.faces].mean(1) - center, axis=1) < 0.05
        samples = sample_triangles(scene.vertices, scene.rig.faces, np.where(near, DENSE, np.inf), rng)
        skin, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
        away = (skin - center)[((skin - center) * normals).sum(1) > 0]
        self.center, self.distance = center, np.linalg.norm(away, axis=1)
        self.tree = cKDTree(away / self.distance[:, None])

    def before(self, points: Float[np.ndarray, "N 3"]) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N"]]:
        """Return how far the skin lies in front of points, and how far beside it they lie; metres."""
        away = points - self.center
        distance = np.linalg.norm(away, axis=1)
        angle, nearest = self.tree.query(away / distance[:, None])
        return self.distance[nearest] - distance, angle * self.distance[nearest]


def _lid_colors(
    scene: Scene,
    view: Visibility,
    colors: SkinColors,
    lashes: Bool[np.ndarray, "S S"],
    points: Float[np.ndarray, "N 3"],
    whole: Float[np.ndarray, "N"],
) -> Float[np.ndarray, "N 3"]:
    """Spread the brighter part of the open lid's skin smoothly: the darker one is the fold, its shade, and lashes.

    At the plate's border (`whole` is 0) all of the skin there counts, so that the plate goes over into it.
    """
    to_eye = ndimage.distance_transform_edt(view.label != Label.EYE) * scene.metres_per_pixel
    lid = (view.label == Label.SKIN) & ~lashes & (to_eye < LID_REACH)
    lid &= scene.triangles_in("lids_left", "lids_right")[view.triangle]
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    if not lid.any():
        return colors.vertex.mean(0) + np.zeros((len(points), 3))
    brightness = colors.foreground.mean(-1)
    sigma = LID_BLUR / scene.metres_per_pixel
    typical = _spread(brightness, lid, 2 * sigma)
    spread = np.sqrt(_spread((brightness - typical) ** 2, lid, 2 * sigma))
    bright = lid & (brightness >= typical + spread / 2)
    image = colors.foreground
    smooth, own = (np.stack([_spread(image[..., k], m, sigma) for k in range(3)], -1) for m in (bright, lid))
    return own[row, column] + whole[:, None] * (smooth - own)[row, column]


def _spread(image: Float[np.ndarray, "S S"], mask: Bool[np.ndarray, "S S"], sigma: float) -> Float[np.ndarray, "S S"]:
    """Blur inside a mask and continue beyond it."""
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma)
    blurred = ndimage.gaussian_filter(image * mask, sigma) / np.maximum(weight, 1e-9)
    near = weight > 1e-3
    if near.all() or not near.any():
        return blurred
    row, column = ndimage.distance_transform_edt(~near, return_distances=False, return_indices=True)
    return blurred[row, column]


def _grain(
    scene: Scene, view: Visibility, colors: SkinColors, points: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N 3"]:
    """Take the fine detail of the cheek under the eye."""
    projected, _ = scene.camera.project(points - np.array([0.0, GRAIN_FROM, 0.0]))
    row, column = pixel_of(projected, len(view.label))
    detail = np.clip(colors.detail[row, column], -MOST_GRAIN, MOST_GRAIN)
    return detail * colors.trusted[row, column, None]
