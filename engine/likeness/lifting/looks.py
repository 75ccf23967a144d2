"""What a pixel's material is told by: its colour, and the grain around it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

BINS, RANGE = (34, 40, 40), ((0.0, 102.0), (-60.0, 60.0), (-60.0, 60.0))
"""Of the histograms of lightness, a and b."""
BIN_SIGMA = 1.3
"""Blur of the histograms, bins."""
SURPRISE = 2e-6
"""Density given to every colour, per bin: what was never seen is no proof."""
GRAIN_SIGMA = 2.0
"""Reach over which grain is measured, pixels."""
GRAIN_LEAST, GRAIN_PER_OCTAVE, GRAIN_BINS = 0.5, 2, 12
"""Least standard deviation of lightness that is told apart, bins per doubling of it, and their number."""
GRAIN_WEIGHT = 0.5
"""Exponent of the grain's density beside the colour's: near an edge every material has some."""
GRAIN_SURPRISE = 2e-3
"""Density given to every grain, per bin."""


@dataclass(frozen=True)
class Looks:
    """Colour and grain of every pixel, and the histogram bin of each. S is the picture's side."""

    rgb: Float[np.ndarray, "S S 3"]
    lab: Float[np.ndarray, "S S 3"]
    """CIELAB: lightness 0..100."""
    color_bin: Int[np.ndarray, "S S"]
    grain_bin: Int[np.ndarray, "S S"]
    """Of the standard deviation of lightness nearby: strands and weaves have more of it than skin."""

    @classmethod
    def of(cls, rgb: Float[np.ndarray, "S S 3"]) -> Looks:
        """Measure a picture's (sRGB 0..1)."""
        lab = _to_lab(rgb)
        mean, square = (cv2.GaussianBlur(lab[..., 0] ** k, (0, 0), GRAIN_SIGMA) for k in (1, 2))
        octave = np.log2(np.sqrt(np.maximum(square - mean**2, 0)) / GRAIN_LEAST + 1e-6)
        grain = np.clip(octave * GRAIN_PER_OCTAVE, 0, GRAIN_BINS - 1)
        return cls(rgb, lab, _color_bins(lab), grain.astype(np.int64))

    def density(
        self, where: Bool[np.ndarray, "S S"], shades: dict[float, float] | None = None, grain_floor: float = 0.0
    ) -> Float[np.ndarray, "S S"]:
        """How often each pixel's colour and grain occur where a material is sure.

        `shades` maps factors on the colours' brightness to weights; `grain_floor` is the share of any grain at all.
        """
        counts = np.zeros(int(np.prod(BINS)))
        for shade, weight in (shades or {1.0: 1.0}).items():
            lab = self.lab[where] if shade == 1.0 else _to_lab(self.rgb[where][None] * shade)[0]
            counts += weight * np.bincount(_color_bins(lab), minlength=len(counts))
        share = counts.reshape(BINS) / max(counts.sum(), 1.0)
        color = ndimage.gaussian_filter(share, BIN_SIGMA, mode="nearest").ravel() + SURPRISE
        grains = np.bincount(self.grain_bin[where], minlength=GRAIN_BINS) / max(where.sum(), 1)
        grain = ndimage.gaussian_filter1d(grains, BIN_SIGMA, mode="nearest")
        grain = (1 - grain_floor) * grain + grain_floor / GRAIN_BINS + GRAIN_SURPRISE
        return color[self.color_bin] * grain[self.grain_bin] ** GRAIN_WEIGHT


def _to_lab(rgb: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    return cv2.cvtColor(np.asarray(rgb, np.float32), cv2.COLOR_RGB2LAB)


def _color_bins(lab: Float[np.ndarray, "*N 3"]) -> Int[np.ndarray, "*N"]:
    low, high = np.array(RANGE, np.float32).T
    index = ((lab - low) * (np.array(BINS, np.float32) / (high - low))).astype(np.int64)
    return np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), BINS, mode="clip")
