"""Pixels of the person beside the modelled skin that are its all the same: holes, slivers, wider ears, islands."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.lifting.types import ALPHA_FLOOR, Scene

SLIVER = 0.005
"""Widest strip between the modelled skin and the outline that still is skin, metres."""
EAR_REACH = 0.01
"""How much wider an ear may be than the modelled one, metres."""
ISLAND = 1.2e-4
"""Area up to which a piece of hair or cloth that touches nothing but skin and outline is none, square metres."""
THREAD = 0.003
"""Width up to which a strip of hair or cloth between skin and outline is none, metres."""


def close_holes(
    triangle: Int[np.ndarray, "S S"],
    depth: Float[np.ndarray, "S S"],
    bary: Float[np.ndarray, "S S 3"],
    beside: Bool[np.ndarray, "S S"],
) -> None:
    """Give pixels in holes of the outer skin (parted lips, eyes) and those beside it to it, in place."""
    covered = triangle >= 0
    give_to_nearest((ndimage.binary_fill_holes(covered) | beside) & ~covered, triangle, depth, bary)


def beside_mesh(
    scene: Scene, triangle: Int[np.ndarray, "S S"], to_outline: Float[np.ndarray, "S S"]
) -> Bool[np.ndarray, "S S"]:
    """Mark slivers, where the outline passes a little beside the mesh, and what may be a wider ear than the model's.

    Inside the outline hair lies over an ear; only an ear that makes the outline tells how wide it is.
    `to_outline` is the distance from the person's outline, pixels, 0 outside.
    """
    distance, (row, column) = ndimage.distance_transform_edt(triangle < 0, return_indices=True)
    distance, inwards = distance * scene.metres_per_pixel, to_outline * scene.metres_per_pixel
    nearest = triangle[row, column]
    ear = scene.triangles_in("ears")[nearest] & (nearest >= 0) & (distance < EAR_REACH) & (inwards < EAR_REACH)
    return (to_outline > 0) & ((distance + inwards < SLIVER) | ear)


def islands(
    scene: Scene,
    volume: Bool[np.ndarray, "S S"],
    triangle: Int[np.ndarray, "S S"],
    to_outline: Float[np.ndarray, "S S"],
) -> Bool[np.ndarray, "S S"]:
    """Mark small pieces and thin strips of the volume at the outline beside the skin: what a matte lets in there."""
    person = volume & (scene.portrait.alpha >= ALPHA_FLOOR)
    pieces, _ = ndimage.label(person, np.ones((3, 3)))
    small = np.bincount(pieces.ravel()) * scene.metres_per_pixel**2 < ISLAND
    distance, (row, column) = ndimage.distance_transform_edt(triangle < 0, return_indices=True)
    skin = (triangle[row, column] >= 0) & scene.skin_triangles()[triangle[row, column]]
    away = np.maximum(distance, to_outline) * scene.metres_per_pixel
    thin = person & ~_opened(person, THREAD / 2 / scene.metres_per_pixel) & (away < THREAD)
    return skin & (thin | person & small[pieces] & (away < SLIVER))


def _opened(mask: Bool[np.ndarray, "S S"], radius: float) -> Bool[np.ndarray, "S S"]:
    """Keep what discs of that radius, pixels, inside the mask cover."""
    return ndimage.distance_transform_edt(ndimage.distance_transform_edt(mask) <= radius) <= radius


def give_to_nearest(
    pixels: Bool[np.ndarray, "S S"],
    triangle: Int[np.ndarray, "S S"],
    depth: Float[np.ndarray, "S S"],
    bary: Float[np.ndarray, "S S 3"],
) -> None:
    """Give the marked pixels the triangle, depth and place of the nearest that have one, in place."""
    nearest = ndimage.distance_transform_edt(triangle < 0, return_distances=False, return_indices=True)
    row, column = nearest[:, pixels]
    triangle[pixels], depth[pixels], bary[pixels] = triangle[row, column], depth[row, column], bary[row, column]
