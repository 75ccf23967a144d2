"""Fewer keys for densely sampled values: which samples stay as keys, within a stated bound; NumPy alone.

The curve between keys is straight. Performances are noisy enough that curves with handles would need nearly as many
keys (on Live Link Face's takes 85 to 90 % of them), and straight ones are within the bound between the samples too.
T samples, C components that are keyed together, K keys.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

Array = Annotated
SAFETY = 0.98
"""Part of the bound that is used: Blender keeps and evaluates curves in single precision."""


def kept_samples(
    times: Array[np.ndarray, "T"], values: Array[np.ndarray, "T C"], bound: float
) -> Array[np.ndarray, "K"]:
    """Return the samples to keep so that nowhere a component is further off than `bound`; the first and the last stay.

    Douglas and Peucker's way (1973), all segments at once: a key goes where a segment is furthest off, until none is.
    Segments that are within the bound are not looked at again; a take of minutes has thousands.
    """
    is_kept = np.zeros(len(times), bool)
    is_kept[[0, -1]] = True
    samples = np.arange(len(times))
    while True:
        kept = np.flatnonzero(is_kept)
        error = np.abs(straight(times[samples], times[kept], values[kept]) - values[samples]).max(axis=1)
        _, begins, segment = np.unique(np.searchsorted(kept, samples, "right"), return_index=True, return_inverse=True)
        greatest = np.maximum.reduceat(error, begins)[segment]
        is_off = greatest > bound * SAFETY
        if not is_off.any():
            return kept
        furthest = np.flatnonzero(is_off & (error == greatest))
        is_kept[samples[furthest[np.unique(segment[furthest], return_index=True)[1]]]] = True
        samples = samples[is_off]


def straight(
    times: Array[np.ndarray, "T"], known: Array[np.ndarray, "N"], values: Array[np.ndarray, "N C"]
) -> Array[np.ndarray, "T C"]:
    """Return values on straight lines between known ones, which hold before the first and after the last."""
    return np.stack([np.interp(times, known, column) for column in values.T], axis=1)
