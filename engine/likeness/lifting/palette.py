"""How common a colour is among some pixels of a picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

BINS = 16
"""Of each channel."""
BLUR = 0.8
"""Of the histogram, bins."""


def commonness(image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "S S"]:
    """Look up every pixel's share in the blurred colour histogram of the masked ones; 0 where there are none."""
    index = (np.clip(image, 0, 1) * (BINS - 1)).round().astype(int)
    counts = np.zeros((BINS,) * 3)
    np.add.at(counts, tuple(index[mask].T), 1)
    shares = ndimage.gaussian_filter(counts / max(mask.sum(), 1), BLUR)
    return shares[tuple(np.moveaxis(index, -1, 0))]
