"""Teeth, tongue and the cavity behind them: as seen where the portrait's mouth is open, plausible elsewhere."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.head.model import landmarks
from likeness.lifting.appearance import SkinColors
from likeness.lifting.lids import unfolded_pose
from likeness.lifting.lips import LOWER_INNER, UPPER_INNER
from likeness.lifting.sampling import (
    SURFACE_SIGMA,
    disc_basis,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.seen_teeth import LUMINANCE, TINT, SeenTeeth, find_teeth, lift_teeth
from likeness.lifting.teeth import GUM, along_row, crowns
from likeness.lifting.types import Layer, Scene, SurfaceSamples, keep
from likeness.lifting.visibility import Visibility, pixel_of

SPACING = {"teeth_upper": 0.0007, "teeth_lower": 0.0009, "tongue": 0.002, "mouth_inside": 0.0025}
COLOR = {"tongue": (0.66, 0.36, 0.35), "mouth_inside": (0.36, 0.15, 0.14)}
IVORY = np.array([0.90, 0.85, 0.76])
"""In the light of skin of luminance `SKIN_LUMINANCE` and saturation `SKIN_SATURATION`."""
SKIN_LUMINANCE, SKIN_SATURATION = 0.62, 0.3
DARKEST = 0.25
"""Least share of a tooth's light."""
SHADE_DEPTH = 0.03
"""Depth behind the front teeth over which the light on teeth falls to 1/e, metres."""
AMBIENT = 0.03
"""Light (linear) on what does not see the opening, beside that on skin: even a throat is dark red and not black."""
FULLY_LIT = 0.25
"""Share of its sky that the opening takes up for a place that is as light as the skin."""
SHOWN = 3
"""Pixels beside seen teeth up to which modelled ones have their colours."""
LEAST_SEEN = 40
"""Pixels of teeth from which their colour is known."""
POCKET = 0.002
"""Behind the teeth's face: from there on the mouth's wall is drawn, metres."""
INSET = 0.0004
RIM = 0.0004
"""By which teeth end before their band does, for splats reach further, metres."""
COVERED = 0.001
"""Width of the gap under teeth up to which the lip is taken to cover their edge, metres."""
MIDDLE = 0.006
"""Half width of the incisors, whose edge is looked for, metres."""
MOST_SHIFT = 0.004
USUAL_DROP = 0.0016
"""How much further down teeth go that are not seen: two or three millimetres show under a resting lip; metres."""
GAMMA = 2.2
"""Of sRGB, roughly."""
INNER_SIDE = np.array([0.30, 0.19, 0.18])
"""Light on the teeth's inner sides, beside that on the outer: little, and red from the mouth's walls."""
LOWER_LIGHT = 0.85
"""Of the upper row's light: the lower one stands in its shadow."""


def lift_mouth(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return the mouth's layers."""
    seen = find_teeth(scene, view)
    layers = [_wall(scene, region, colors, rng) for region in ("tongue", "mouth_inside")]
    layers += [_row_of_teeth(scene, region, colors, seen, rng) for region in ("teeth_upper", "teeth_lower")]
    return [lift_teeth(scene, seen), *layers] if seen.mask.any() else layers


def _wall(scene: Scene, region: str, colors: SkinColors, rng: np.random.Generator) -> Layer:
    """Cover tongue or wall evenly as the open mouth shows it, lit through the lips."""
    faces, pose = scene.rig.faces, unfolded_pose(scene)
    spacing = np.where(scene.triangles_in(region), SPACING[region], np.inf)
    samples = sample_triangles(pose, faces, spacing, rng)
    points, normals = posed_samples(samples, pose, faces)
    at_rest, _ = posed_samples(samples, scene.vertices, faces)
    lit = AMBIENT + (1 - AMBIENT) * np.clip(seen_share(_opening(scene, pose), points, normals) / FULLY_LIT, 0, 1)
    color = _in_portrait_light(np.array(COLOR[region]), colors) * lit[:, None] ** (1 / GAMMA)
    layer = _discs(scene, pose, samples, points, normals, color, seen=np.zeros(len(points), bool))
    # The pocket between lips and teeth would show through the skin before it when that folds.
    behind = _behind_teeth(scene, scene.vertices, at_rest) & _behind_teeth(scene, pose, points)
    return keep(layer, behind | (region != "mouth_inside"))


def _opening(scene: Scene, pose: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "K 3"]:
    """Return the inner edge of the open lips, turned so that it lights what lies behind it."""
    marks = landmarks(pose[: scene.rig.head_vertices], scene.assets)
    return marks[[*LOWER_INNER, *UPPER_INNER[-2:0:-1]]].astype(np.float64)


def seen_share(
    polygon: Float[np.ndarray, "K 3"], points: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N"]:
    """Return the share (0..1) of the light from all around that comes to points through a polygon before them.

    The polygon runs counter-clockwise about the way from the points to it.

    Lambert's formula: the sum over its edges, seen under the angle theta in the plane of normal g, of theta (n . g)
    / 2 pi. What lies under a point's horizon counts less than nothing, and 0 is returned when that prevails.
    """
    way = polygon - points[:, None]
    way /= np.maximum(np.linalg.norm(way, axis=2, keepdims=True), 1e-9)
    following = np.roll(way, -1, 1)
    plane = np.cross(way, following)
    sine = np.linalg.norm(plane, axis=2)
    angle = np.arctan2(sine, (way * following).sum(2))
    share = (angle / np.maximum(sine, 1e-12) * np.einsum("nkc,nc->nk", plane, normals)).sum(1) / (2 * np.pi)
    return np.clip(share, 0, 1)


def _discs(
    scene: Scene,
    pose: Float[np.ndarray, "V 3"],
    samples: SurfaceSamples,
    points: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    colors: Float[np.ndarray, "N 3"],
    seen: Bool[np.ndarray, "N"],
) -> Layer:
    """Turn points of the posed mouth into discs."""
    return make_layer(
        pose,
        scene.rig.faces,
        samples.triangle,
        points - normals * INSET,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=colors,
        opacities=np.full(len(points), 0.95),
        part=Part.MOUTH,
        seen=seen,
        tint=TINT,
    )


def _row_of_teeth(scene: Scene, region: str, colors: SkinColors, seen: SeenTeeth, rng: np.random.Generator) -> Layer:
    """Cut a row of teeth out of its band and colour it: the person's white where it shows, ivory elsewhere."""
    faces = scene.rig.faces
    own = scene.triangles_in(region)
    samples = sample_triangles(scene.vertices, faces, np.where(own, SPACING[region], np.inf), rng)
    points, normals = posed_samples(samples, scene.vertices, faces)
    band = scene.vertices[np.unique(faces[own])].astype(np.float64)
    down = 1.0 if region == "teeth_upper" else -1.0
    edge = (down * band[:, 1]).min() + RIM
    inside, gum, shade = crowns(region, along_row(band, points), down * points[:, 1] - edge)
    if region == "teeth_upper":
        points[:, 1] += _edge_shift(scene, seen, band)
    white = _tooth_color(scene, colors, seen)
    pink = _in_portrait_light(GUM, colors)
    depth = np.exp(-np.clip(band[:, 2].max() - points[:, 2], 0, None) / SHADE_DEPTH)
    light = np.clip(depth, DARKEST, 1) * shade * (1.0 if region == "teeth_upper" else LOWER_LIGHT)
    color = (white + gum[:, None] * (pink - white)) * light[:, None]
    centre = np.array([band[:, 0].mean(), band[:, 2].min()])
    inwards = (normals[:, [0, 2]] * (points[:, [0, 2]] - centre)).sum(1) < 0
    color[inwards] *= INNER_SIDE
    shown = np.zeros(len(points), bool)
    teeth = seen.pure & ~seen.lower
    if region == "teeth_upper" and teeth.any():
        away, nearest = ndimage.distance_transform_edt(~teeth, return_indices=True)
        row, column = pixel_of(scene.camera.project(points)[0], len(teeth))
        shown = (away[row, column] < SHOWN) & (gum < 0.5)
        color[shown] = scene.portrait.foreground[*nearest[:, row, column]][shown]
    layer = _discs(scene, scene.vertices, samples, points, normals, color, seen=shown)
    used = inside > 0
    if region == "teeth_upper":
        used &= ~_stood_for(scene, seen, points)
    return keep(layer, used)


def _stood_for(scene: Scene, seen: SeenTeeth, points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, "N"]:
    """Mark upper teeth where the portrait shows a gap, and those under a seen edge that no lip covers."""
    row, column = pixel_of(scene.camera.project(points)[0], len(seen.mask))
    rows = np.arange(len(seen.mask))[:, None]
    lowest = np.where(seen.mask.any(0), np.where(seen.mask, rows, -1).max(0), len(seen.mask))
    lowest_bright = np.where(seen.bright & ~seen.lower, rows, -1).max(0)
    runs_on = lowest - lowest_bright < COVERED / scene.metres_per_pixel
    return (seen.mask & ~seen.bright)[row, column] | (row > lowest[column]) & ~runs_on[column]


def _edge_shift(scene: Scene, seen: SeenTeeth, band: Float[np.ndarray, "V 3"]) -> float:
    """Return how far up the modelled teeth must go for their edge to be where the person's is seen, metres.

    Where a lip covers the edge, it is known to lie under what is seen only.
    """
    upper = seen.bright & ~seen.lower
    middle = band[:, 0].mean(), band[:, 1].min(), band[:, 2].max()
    x, y = scene.camera.project(np.array([middle]))[0][0]
    reach = MIDDLE / scene.metres_per_pixel
    columns = [c for c in range(int(x - reach), int(x + reach) + 1) if upper[:, c].any()]
    if not columns:
        return -USUAL_DROP
    ends = np.array([np.flatnonzero(upper[:, c]).max() for c in columns])
    lips = np.array([np.flatnonzero(seen.mask[:, c]).max() for c in columns])
    shift = (y - RIM / scene.metres_per_pixel - np.median(ends) - 1) * scene.metres_per_pixel
    if np.median(lips - ends) < COVERED / scene.metres_per_pixel:
        shift = min(shift, 0.0)
    return float(np.clip(shift, -MOST_SHIFT, MOST_SHIFT))


def _tooth_color(scene: Scene, colors: SkinColors, seen: SeenTeeth) -> Float[np.ndarray, "3"]:
    if seen.pure.sum() < LEAST_SEEN:
        return _in_portrait_light(IVORY, colors)
    return np.median(scene.portrait.foreground[seen.pure], 0)


def _behind_teeth(
    scene: Scene, vertices: Float[np.ndarray, "V 3"], points: Float[np.ndarray, "N 3"]
) -> Bool[np.ndarray, "N"]:
    """Tell which points lie further back than the teeth that are nearest to them as seen from the front."""
    teeth = vertices[np.unique(scene.rig.faces[scene.triangles_in("teeth_upper", "teeth_lower")])]
    _, nearest = cKDTree(teeth[:, :2]).query(points[:, :2], k=4)
    return points[:, 2] < teeth[nearest, 2].max(1) - POCKET


def _in_portrait_light(color: Float[np.ndarray, "3"], colors: SkinColors) -> Float[np.ndarray, "3"]:
    """Scale a colour with the skin's brightness, and its chroma with the skin's: a grey photograph has grey gums."""
    skin = colors.foreground[colors.trusted].mean(0) if colors.trusted.any() else np.full(3, SKIN_LUMINANCE)
    saturation = np.ptp(skin) / max(skin.max(), 1e-6)
    luminance = float(color @ LUMINANCE)
    tinted = luminance + (color - luminance) * np.clip(saturation / SKIN_SATURATION, 0, 1)
    return np.clip(tinted * np.clip(skin @ LUMINANCE / SKIN_LUMINANCE, 0.3, 1.1), 0, 1)
