"""Which frames speak for the whole clip: drawn by what they show, so that the same are drawn if others are missing."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from jaxtyping import Float, Int


def draw_frames(
    landmarks: Float[np.ndarray, "T 478 2"], usable: Int[np.ndarray, "N"], count: int
) -> Int[np.ndarray, "K"]:
    """Return up to `count` of the `usable` frames, each once, in order of time.

    Those are drawn whose landmarks have the lowest hashes (bottom-k sampling; Cohen and Kaplan 2007): as good as
    chance, and without one frame at most one other takes its place, where with every n-th frame, or the farthest from
    those before, all would be others. Faces alike to the bit, as in a video made of one picture, count once.
    """
    first_with = {}
    for frame in usable.tolist():
        first_with.setdefault(blake2b(np.ascontiguousarray(landmarks[frame]).tobytes(), digest_size=8).digest(), frame)
    return np.sort(np.array([first_with[key] for key in sorted(first_with)[:count]]))
