"""More of a texture than a picture shows: image quilting.

Square patches of the picture are laid side by side so that they overlap, each chosen among those that agree with its
left and upper neighbours there (Efros and Freeman, Image Quilting for Texture Synthesis and Transfer, 2001; the seam is
blended instead of cut).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

PATCH, OVERLAP = 28, 8
"""Side of a patch and width of the overlap, pixels."""
SMALLEST = 12
"""Least side of patches where few of the picture's pixels belong to the texture."""
CANDIDATES = 300
"""Most patches among which each place chooses."""
FEW = 12
"""Patches from which a texture can be laid."""
BEST = 4
"""Out of so many best ones the patch is drawn."""


def quilt(
    image: Float[np.ndarray, "H W"], mask: Bool[np.ndarray, "H W"], shape: tuple[int, int], rng: np.random.Generator
) -> Float[np.ndarray, "h w"] | None:
    """Return a picture of the given shape with the masked part's texture; None where too little of it is seen."""
    patch = PATCH
    while len(corners := _corners(mask, patch)) < FEW:
        patch = patch * 2 // 3
        if patch < SMALLEST:
            return None
    chosen = corners[rng.permutation(len(corners))[:CANDIDATES]]
    offset = np.arange(patch)
    patches = image[chosen[:, :1, None] + offset[:, None], chosen[:, 1:, None] + offset]
    patches = np.concatenate([patches, patches[:, :, ::-1]]).astype(np.float32)
    return _lay(patches, shape, min(OVERLAP, patch // 3), rng)


def _corners(mask: Bool[np.ndarray, "H W"], patch: int) -> Int[np.ndarray, "N 2"]:
    """Upper left corners of the patches that lie in the mask whole."""
    total = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    count = total[patch:, patch:] - total[:-patch, patch:] - total[patch:, :-patch] + total[:-patch, :-patch]
    return np.argwhere(count == patch * patch)


def _lay(
    patches: Float[np.ndarray, "N P P"], shape: tuple[int, int], overlap: int, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    side = patches.shape[1]
    step = side - overlap
    rows, columns = (-(-length // step) for length in shape)
    canvas = np.zeros((rows * step + overlap, columns * step + overlap), np.float32)
    ramp = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
    upper, left = _Edge.of(patches[:, :overlap]), _Edge.of(patches[:, :, :overlap])
    for row in range(rows):
        for column in range(columns):
            place = canvas[row * step : row * step + side, column * step : column * step + side]
            error = np.zeros(len(patches), np.float32)
            blend = np.ones((side, side), np.float32)
            if row:
                error += upper.error(place[:overlap])
                blend[:overlap] *= ramp[:, None]
            if column:
                error += left.error(place[:, :overlap])
                blend[:, :overlap] *= ramp
            best = np.argpartition(error, BEST)[:BEST] if row or column else np.arange(BEST)
            place += blend * (patches[rng.choice(best)] - place)
    return canvas[: shape[0], : shape[1]]


@dataclass(frozen=True)
class _Edge:
    """The patches' parts that overlap a neighbour, and half of each one's sum of squares."""

    values: Float[np.ndarray, "N K"]
    energy: Float[np.ndarray, "N"]

    @classmethod
    def of(cls, parts: Float[np.ndarray, "N _ _"]) -> _Edge:
        values = np.ascontiguousarray(parts.reshape(len(parts), -1))
        return cls(values, 0.5 * (values**2).sum(1))

    def error(self, place: Float[np.ndarray, "_ _"]) -> Float[np.ndarray, "N"]:
        """Half the squared differences, less what is the same for all patches: |p - q|^2 = |p|^2 - 2 pq + |q|^2."""
        return self.energy - self.values @ place.ravel()


def strandedness(image: Float[np.ndarray, "H W"], mask: Bool[np.ndarray, "H W"], sigma: float) -> float:
    """How much the masked texture runs in one direction, 0 (curls, fur, knitwear) to 1 (straight hair).

    The mean coherence of the structure tensor, weighted by its energy.
    """
    down, right = np.gradient(ndimage.gaussian_filter(image, 1.0))
    inner = ndimage.binary_erosion(mask, iterations=2)
    products = right * right, down * down, right * down
    xx, yy, xy = (ndimage.gaussian_filter(product * inner, sigma) for product in products)
    energy = (xx + yy)[inner]
    split = np.hypot(xx - yy, 2 * xy)[inner]
    return float(split.sum() / max(energy.sum(), 1e-12))
