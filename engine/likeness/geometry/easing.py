"""Smooth transitions between two values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def smoothstep(values: Float[np.ndarray, "*n"], low: float, high: float) -> Float[np.ndarray, "*n"]:
    """Rise from 0 at `low` to 1 at `high`, level at both ends: t^2 (3 - 2 t)."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
