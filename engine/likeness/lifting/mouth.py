"""Teeth, tongue and the cavity behind them: as seen where the portrait's mouth is open, plausible elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.lids import unfolded_pose
from likeness.lifting.sampling import (
    SURFACE_SIGMA,
    disc_basis,
    lift_pixels,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.teeth import GUM, along_row, crowns
from likeness.lifting.types import Layer, Scene, SurfaceSamples, keep
from likeness.lifting.visibility import Label, Visibility, pixel_of, raster_of

SPACING = {"teeth_upper": 0.0007, "teeth_lower": 0.0009, "tongue": 0.002, "mouth_inside": 0.0025}
COLOR = {"tongue": (0.66, 0.36, 0.35), "mouth_inside": (0.36, 0.15, 0.14)}
IVORY = np.array([0.90, 0.85, 0.76])
"""In the light of skin of luminance `SKIN_LUMINANCE` and saturation `SKIN_SATURATION`."""
SKIN_LUMINANCE, SKIN_SATURATION = 0.62, 0.3
DARKEST = {"teeth_upper": 0.15, "teeth_lower": 0.15, "tongue": 0.4, "mouth_inside": 0.3}
"""Least share of the light: even a throat is dark red and not black."""
TURNED_AWAY = 0.45
"""Share of the light on what of tongue and wall does not face the opening."""
SHADE_DEPTH = 0.018
"""Depth behind the front teeth over which the light falls to 1/e, metres."""
TOOTH_BRIGHTNESS = 0.5
"""Luminance of teeth relative to the brightest between the lips."""
DARKEST_TOOTH = 0.6
"""Luminance beside the skin's that the brightest between the lips must have to be teeth."""
LEAST_SEEN = 40
"""Pixels of teeth from which their colour is known."""
OPEN_ASPECT = 0.4
"""Height of the opening in its widths from which lower teeth may show."""
POCKET = 0.002
"""Behind the teeth's face: from there on the mouth's wall is drawn, metres."""
INSET = 0.0004
PIXEL_LIFT, GAP_DEPTH = 0.0002, 0.004
"""How far seen teeth lie in front of the modelled ones, and the gap between lips and teeth behind them, metres."""
ARCH_BLUR = 0.002
"""Of the rows' depth: the person's teeth do not stand where the modelled ones do, metres."""
RIM = 0.0004
"""By which teeth end before their band does, for splats reach further, metres."""
COVERED = 0.001
"""Width of the gap under teeth up to which the lip is taken to cover their edge, metres."""
MIDDLE = 0.006
"""Half width of the incisors, whose edge is looked for, metres."""
MOST_SHIFT = 0.004
USUAL_DROP = 0.0016
"""How much further down teeth go that are not seen: two or three millimetres show under a resting lip; metres."""
LOWER_LIGHT = 0.85
"""Of the upper row's light: the lower one stands in its shadow."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def lift_mouth(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return the mouth's layers."""
    seen = _seen_teeth(scene, view)
    layers = [_wall(scene, region, colors, rng) for region in ("tongue", "mouth_inside")]
    layers += [_row_of_teeth(scene, region, colors, seen, rng) for region in ("teeth_upper", "teeth_lower")]
    return [_pixel_layer(scene, seen), *layers] if seen.mask.any() else layers


@dataclass(frozen=True)
class SeenTeeth:
    """What shows between the lips. S is the working square's side."""

    mask: Bool[np.ndarray, "S S"]
    """Teeth and gap."""
    bright: Bool[np.ndarray, "S S"]
    """The teeth among them."""
    lower: Bool[np.ndarray, "S S"]
    """What goes with the lower jaw."""


def _seen_teeth(scene: Scene, view: Visibility) -> SeenTeeth:
    """Tell teeth from gap and upper from lower jaw.

    The fitted teeth are not the person's: in a smile all is the upper jaw's, and only a mouth that stands open shows
    lower teeth and tongue in its lower half.
    """
    mask = view.label == Label.MOUTH
    if not mask.any():
        return SeenTeeth(mask, mask, mask)
    luminance = scene.portrait.foreground @ LUMINANCE
    skin = np.median(luminance[view.label == Label.SKIN])
    brightest = np.percentile(luminance[mask], 95)
    bright = mask & (luminance > TOOTH_BRIGHTNESS * brightest) & (brightest > DARKEST_TOOTH * skin)
    rows, columns = np.nonzero(mask)
    stands_open = np.ptp(rows) > OPEN_ASPECT * np.ptp(columns)
    lower = mask & stands_open & (np.arange(len(mask))[:, None] > rows.mean())
    return SeenTeeth(mask, bright, lower)


def _pixel_layer(scene: Scene, seen: SeenTeeth) -> Layer:
    """Lift what shows between the lips onto the rows of teeth, the gap behind them.

    On the mouth's walls, which go with the lips, it would come to lie on the lips as they close.
    """
    cells = adaptive_cells(scene.portrait, seen.mask, coarsest=1)
    triangle = np.zeros(seen.mask.shape, np.int32)
    depth = np.zeros(seen.mask.shape)
    for region, pixels in (("teeth_upper", seen.mask & ~seen.lower), ("teeth_lower", seen.lower)):
        _put_on(scene, region, pixels, triangle, depth)
    depth += np.where(seen.bright, -PIXEL_LIFT, GAP_DEPTH)
    means, basis = lift_pixels(
        scene.camera, cells.center, cells.size, depth[cells.row, cells.column], np.zeros((len(cells.size), 2))
    )
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        triangle[cells.row, cells.column],
        means,
        basis,
        colors=cells.color,
        opacities=cells.opacity,
        part=Part.MOUTH,
        seen=np.ones(len(cells.size), bool),
    )


def _put_on(
    scene: Scene,
    region: str,
    pixels: Bool[np.ndarray, "S S"],
    triangle: Int[np.ndarray, "S S"],
    depth: Float[np.ndarray, "S S"],
) -> None:
    """Give pixels, in place, the triangle of a row of teeth nearest to them and its depth, smoothly continued."""
    raster = raster_of(scene, scene.triangles_in(region))
    if not raster.covered.any():
        return
    row, column = ndimage.distance_transform_edt(~raster.covered, return_distances=False, return_indices=True)
    smooth = ndimage.gaussian_filter(raster.depth[row, column].astype(np.float64), ARCH_BLUR / scene.metres_per_pixel)
    triangle[pixels] = raster.triangle[row, column][pixels]
    depth[pixels] = smooth[pixels]


def _wall(scene: Scene, region: str, colors: SkinColors, rng: np.random.Generator) -> Layer:
    """Cover tongue or wall evenly as the open mouth shows it, darker towards the throat."""
    faces, pose = scene.rig.faces, unfolded_pose(scene)
    spacing = np.where(scene.triangles_in(region), SPACING[region], np.inf)
    samples = sample_triangles(pose, faces, spacing, rng)
    points, normals = posed_samples(samples, pose, faces)
    at_rest, _ = posed_samples(samples, scene.vertices, faces)
    front = pose[np.unique(faces[scene.triangles_in("teeth_upper")]), 2].max()
    shade = np.exp(-np.clip(front - points[:, 2], 0, None) / SHADE_DEPTH)
    shade *= TURNED_AWAY + (1 - TURNED_AWAY) * np.clip(normals[:, 2], 0, 1)
    color = _in_portrait_light(np.array(COLOR[region]), colors) * np.clip(shade, DARKEST[region], 1)[:, None]
    layer = _discs(scene, pose, samples, points, normals, color)
    # The pocket between lips and teeth would show through the skin before it when that folds.
    behind = _behind_teeth(scene, scene.vertices, at_rest) & _behind_teeth(scene, pose, points)
    return keep(layer, behind | (region != "mouth_inside"))


def _discs(
    scene: Scene,
    pose: Float[np.ndarray, "V 3"],
    samples: SurfaceSamples,
    points: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    colors: Float[np.ndarray, "N 3"],
) -> Layer:
    """Turn points of the posed mouth into discs that no portrait shows."""
    return make_layer(
        pose,
        scene.rig.faces,
        samples.triangle,
        points - normals * INSET,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=colors,
        opacities=np.full(len(points), 0.95),
        part=Part.MOUTH,
        seen=np.zeros(len(points), bool),
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
    light = np.clip(depth, DARKEST[region], 1) * shade * (1.0 if region == "teeth_upper" else LOWER_LIGHT)
    color = (white + gum[:, None] * (pink - white)) * light[:, None]
    if region == "teeth_upper":
        row, column = pixel_of(scene.camera.project(points)[0], len(seen.mask))
        shown = (seen.bright & ~seen.lower)[row, column]
        color[shown] = scene.portrait.foreground[row, column][shown]
    layer = _discs(scene, scene.vertices, samples, points, normals, color)
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
    if seen.bright.sum() < LEAST_SEEN:
        return _in_portrait_light(IVORY, colors)
    return np.median(scene.portrait.foreground[seen.bright], 0)


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
