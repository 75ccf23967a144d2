"""Teeth, tongue and the cavity behind them: as seen where the portrait's mouth is open, plausible elsewhere."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.sampling import (
    SURFACE_SIGMA,
    disc_basis,
    lift_pixels,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.types import Layer, Scene, keep
from likeness.lifting.visibility import Label, Visibility, raster_of

SPACING = {"teeth_upper": 0.0012, "teeth_lower": 0.0012, "tongue": 0.002, "mouth_inside": 0.0028}
COLOR = {
    "teeth_upper": (0.87, 0.83, 0.76),
    "teeth_lower": (0.82, 0.78, 0.71),
    "tongue": (0.66, 0.36, 0.35),
    "mouth_inside": (0.36, 0.15, 0.14),
}
"""In the light of skin of luminance `SKIN_LUMINANCE` and saturation `SKIN_SATURATION`."""
SKIN_LUMINANCE, SKIN_SATURATION = 0.62, 0.3
DARKEST = {"teeth_upper": 0.15, "teeth_lower": 0.15, "tongue": 0.5, "mouth_inside": 0.3}
"""Least share of the light: even a throat is dark red and not black."""
TURNED_AWAY = 0.45
"""Share of the light on what of tongue and wall does not face the opening."""
SHADE_DEPTH = 0.018
"""Depth behind the front teeth over which the light falls to 1/e, metres."""
TOOTH_BRIGHTNESS = 0.5
"""Luminance of teeth relative to the brightest between the lips."""
OPEN_ASPECT = 0.4
"""Height of the opening in its widths from which lower teeth may show."""
POCKET = 0.002
"""Behind the teeth's face: from there on the mouth's wall is drawn, metres."""
INSET = 0.0004
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def lift_mouth(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return the mouth's layers."""
    mask = view.label == Label.MOUTH
    layers = [_filled_layer(scene, region, colors, rng) for region in SPACING]
    return [_pixel_layer(scene, view, mask), *layers] if mask.any() else layers


def _pixel_layer(scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"]) -> Layer:
    """Lift what shows between the lips: bright pixels onto the teeth, the others where the modelled mouth is.

    The fitted teeth are not the person's: in a smile all bright pixels are the upper teeth's, and only a mouth that
    stands open shows lower teeth in its lower half.
    """
    cells = adaptive_cells(scene.portrait, mask, coarsest=1)
    triangle, depth = view.triangle.copy(), view.depth.astype(np.float64)
    luminance = scene.portrait.foreground @ LUMINANCE
    bright = mask & (luminance > TOOTH_BRIGHTNESS * np.percentile(luminance[mask], 95))
    rows, columns = np.nonzero(mask)
    stands_open = np.ptp(rows) > OPEN_ASPECT * np.ptp(columns)
    lower = bright & stands_open & (np.arange(len(mask))[:, None] > rows.mean())
    for region, pixels in (("teeth_upper", bright & ~lower), ("teeth_lower", lower)):
        _put_on(scene, region, pixels, triangle, depth)
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
    """Give pixels, in place, the triangle and depth of a region: its own there, or its nearest beside them."""
    raster = raster_of(scene, scene.triangles_in(region))
    if not raster.covered.any():
        return
    nearest = ndimage.distance_transform_edt(~raster.covered, return_distances=False, return_indices=True)
    row, column = nearest[:, pixels]
    triangle[pixels] = raster.triangle[row, column]
    depth[pixels] = raster.depth[row, column]


def _filled_layer(scene: Scene, region: str, colors: SkinColors, rng: np.random.Generator) -> Layer:
    """Cover one part with its usual colour in the portrait's light, darker towards the throat."""
    faces = scene.rig.faces
    spacing = np.where(scene.triangles_in(region), SPACING[region], np.inf)
    samples = sample_triangles(scene.vertices, faces, spacing, rng)
    points, normals = posed_samples(samples, scene.vertices, faces)
    front = scene.vertices[np.unique(faces[scene.triangles_in("teeth_upper")]), 2].max()
    shade = np.exp(-np.clip(front - points[:, 2], 0, None) / SHADE_DEPTH)
    # The pocket between lips and teeth would show through the skin before it when that folds.
    behind_teeth = _behind_teeth(scene, points) | (region != "mouth_inside")
    if not region.startswith("teeth"):
        shade *= TURNED_AWAY + (1 - TURNED_AWAY) * np.clip(normals[:, 2], 0, 1)
    color = _in_portrait_light(np.array(COLOR[region]), colors) * np.clip(shade, DARKEST[region], 1)[:, None]
    layer = make_layer(
        scene.vertices,
        faces,
        samples.triangle,
        points - normals * INSET,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=color,
        opacities=np.full(len(points), 0.95),
        part=Part.MOUTH,
        seen=np.zeros(len(points), bool),
    )
    return keep(layer, behind_teeth)


def _behind_teeth(scene: Scene, points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, "N"]:
    """Tell which points lie further back than the teeth that are nearest to them as seen from the front."""
    teeth = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("teeth_upper", "teeth_lower")])]
    _, nearest = cKDTree(teeth[:, :2]).query(points[:, :2], k=4)
    return points[:, 2] < teeth[nearest, 2].max(1) - POCKET


def _in_portrait_light(color: Float[np.ndarray, "3"], colors: SkinColors) -> Float[np.ndarray, "3"]:
    """Scale a colour with the skin's brightness, and its chroma with the skin's: a grey photograph has grey gums."""
    skin = colors.foreground[colors.trusted].mean(0) if colors.trusted.any() else np.full(3, SKIN_LUMINANCE)
    saturation = np.ptp(skin) / max(skin.max(), 1e-6)
    luminance = float(color @ LUMINANCE)
    tinted = luminance + (color - luminance) * np.clip(saturation / SKIN_SATURATION, 0, 1)
    return np.clip(tinted * np.clip(skin @ LUMINANCE / SKIN_LUMINANCE, 0.3, 1.1), 0, 1)
