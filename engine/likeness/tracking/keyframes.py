"""Which frames speak for the whole clip: spread over pose and expression, and nearly the same if one is missing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from likeness.tracking.landmarks import FEATURES

CANDIDATES = 1500


def choose_keyframes(
    landmarks: Float[np.ndarray, "T 478 2"], usable: Int[np.ndarray, "N"], count: int
) -> Int[np.ndarray, "K"]:
    """Return up to `count` of the `usable` frames, each once, in order of time.

    The first is the one nearest to the median face, each further one the farthest from those before (Gonzalez 1985),
    faces being compared by their features' places after the best similarity. Faces that are alike to the bit, as in a
    video made of one picture, count once.
    """
    usable = usable[:: -(-len(usable) // CANDIDATES)]
    shapes = _aligned(np.asarray(landmarks[usable][:, list(FEATURES)], np.float64))
    chosen = [int(((shapes - np.median(shapes, 0)) ** 2).sum((1, 2)).argmin())]
    nearest = np.full(len(usable), np.inf)
    while len(chosen) < min(count, len(usable)):
        nearest = np.minimum(nearest, ((shapes - shapes[chosen[-1]]) ** 2).sum((1, 2)))
        if not nearest.any():
            break
        chosen.append(int(nearest.argmax()))
    return np.sort(usable[chosen])


def _aligned(shapes: Float[np.ndarray, "N M 2"]) -> Float[np.ndarray, "N M 2"]:
    """Return the shapes moved, turned and scaled onto their mean (complex least squares, two rounds)."""
    z = shapes[..., 0] + 1j * shapes[..., 1]
    z = z - z.mean(1, keepdims=True)
    z = z / np.abs(z).mean(1, keepdims=True)
    reference = z[0]
    for _ in range(2):
        turn = (z.conj() * reference).sum(1) / (np.abs(z) ** 2).sum(1)
        aligned = z * turn[:, None]
        reference = aligned.mean(0)
    return np.stack([aligned.real, aligned.imag], -1)
