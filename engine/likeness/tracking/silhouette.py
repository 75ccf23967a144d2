"""The matte's edge as a constraint on the mesh's: skin meets it, and nothing reaches beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter

from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.portrait.types import Portrait
from likeness.rendering.mesh import MeshRaster

SKIN_LANDMARKS = (50, 280, 101, 330, 205, 425, 4, 195, 151, 9, 108, 337, 187, 411, 36, 266)
"""On cheeks, nose and forehead."""
OUTLINE_REGIONS = ("face", "neck", "ears", "scalp")
SKIN_REGIONS = ("face", "neck")
"""Where the mesh's edge may be pulled outwards; elsewhere hair may stand between the skin and the matte's edge."""
REACH_INWARD, REACH_OUTWARD = 0.15, 0.05
SKIN_DEPTH = 0.045
"""How far inside the matte's edge its colour is looked at, interocular distances."""
CHROMA_TOLERANCE, SHADE_TOLERANCE = 0.035, 0.8
"""Standard deviations of the skin's chromaticity and of its log brightness."""


@dataclass(frozen=True)
class MatteField:
    """The signed distance to the matte's edge, and what the nearest edge is like. S the square's side."""

    distance: Float[np.ndarray, "S S"]
    """Pixels, positive outside."""
    gradient: Float[np.ndarray, "S S 2"]
    """Of the distance, in x and y."""
    real: Bool[np.ndarray, "S S"]
    """The nearest edge is the person's, not the photograph's border."""
    skin: Bool[np.ndarray, "S S"]
    """The nearest edge is bare skin."""

    def sample(self, pixels: Float[np.ndarray, "N 2"]) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
        """Return the rows and columns that hold the pixels."""
        column, row = np.clip(pixels.astype(int), 0, len(self.distance) - 1).T
        return row, column


@dataclass(frozen=True)
class Outline:
    """Pixels on the mesh's own edge. N of them."""

    triangle: Int[np.ndarray, "N"]
    bary: Float[np.ndarray, "N 3"]
    pixels: Float[np.ndarray, "N 2"]


def matte_field(portrait: Portrait, unit: float) -> MatteField:
    """Prepare a portrait's matte; `unit` is the interocular distance in pixels."""
    inside = portrait.alpha > 0.5
    inwards, nearest_out = distance_transform_edt(inside, return_indices=True)
    outwards, nearest_in = distance_transform_edt(~inside, return_indices=True)
    distance = np.where(inside, 0.5 - inwards, outwards - 0.5)
    smooth = gaussian_filter(distance, 1.5)
    gradient = np.stack(np.gradient(smooth)[::-1], -1)
    gradient /= np.maximum(np.linalg.norm(gradient, axis=-1, keepdims=True), 1e-3)
    row, column = np.where(inside, nearest_out, nearest_in)
    skin = skin_likeness(portrait, unit)
    step = gradient[row, column] * SKIN_DEPTH * unit
    limit = len(distance) - 1
    inner_row = np.clip(row - step[..., 1], 0, limit).astype(int)
    inner_column = np.clip(column - step[..., 0], 0, limit).astype(int)
    real = binary_erosion(portrait.valid, iterations=3)[row, column]
    return MatteField(distance, gradient, real, skin[inner_row, inner_column] & real)


def skin_likeness(portrait: Portrait, unit: float) -> Bool[np.ndarray, "S S"]:
    """Tell which pixels have the colour of the face's skin, by chromaticity and, loosely, brightness."""
    smooth = np.stack([gaussian_filter(portrait.foreground[..., k], 0.015 * unit) for k in range(3)], -1) + 0.02
    column, row = np.clip(portrait.landmarks[list(SKIN_LANDMARKS)].astype(int), 0, len(smooth) - 1).T
    brightness = smooth.sum(-1)
    chroma = smooth[..., :2] / brightness[..., None]
    chroma_off = np.linalg.norm(chroma - np.median(chroma[row, column], 0), axis=-1) / CHROMA_TOLERANCE
    shade_off = np.log(brightness / np.median(brightness[row, column])) / SHADE_TOLERANCE
    return chroma_off**2 + shade_off**2 < 1.0


def mesh_outline(raster: MeshRaster, assets: HeadAssets, limit: int) -> Outline:
    """Return at most `limit` pixels on the edge of the rendered mesh, evenly thinned out."""
    covered = raster.covered
    edge = covered & ~binary_erosion(covered, border_value=1)
    row, column = np.nonzero(edge)
    region = assets.face_region[raster.triangle[row, column]]
    keep = np.flatnonzero(np.isin(region, [REGION_NAMES.index(name) for name in OUTLINE_REGIONS]))
    keep = keep[:: max(1, -(-len(keep) // limit))]
    row, column = row[keep], column[keep]
    pixels = np.stack([column, row], 1) + 0.5
    return Outline(raster.triangle[row, column], raster.bary[row, column].astype(np.float64), pixels)


def outline_pull(
    field: MatteField, outline: Outline, assets: HeadAssets, *, unit: float
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N 2"], Bool[np.ndarray, "N"]]:
    """Return how far (pixels) each outline pixel is outside the matte, the outward direction, and which ones count.

    What lies outside counts up to REACH_INWARD from the edge; what lies inside only if mesh and picture both show skin
    there, and up to REACH_OUTWARD (of `unit`, the interocular distance).
    """
    row, column = field.sample(outline.pixels)
    # the mesh's edge lies half a pixel outside the centres of its outermost pixels
    outside = field.distance[row, column] + 0.5
    is_skin = np.isin(assets.face_region[outline.triangle], [REGION_NAMES.index(name) for name in SKIN_REGIONS])
    inward = (outside > 0) & (outside < REACH_INWARD * unit)
    outward = (outside <= 0) & (outside > -REACH_OUTWARD * unit) & is_skin & field.skin[row, column]
    return outside, field.gradient[row, column], field.real[row, column] & (inward | outward)
