"""A first camera from landmarks alone: scaled orthography (POSIT's first step; DeMenthon and Davis 1995)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from likeness.tracking.parameters import FitState, LinearPoints


def initial_state(
    points: LinearPoints,
    observed: Float[np.ndarray, "N 2"],
    weights: Float[np.ndarray, "N"],
    *,
    center: Float[np.ndarray, "2"],
    distance: float,
    identity: int,
) -> FitState:
    """Return the mean head's pose at `distance` metres; the first `identity` directions are betas."""
    share = weights / weights.sum()
    middle, pixel_middle = share @ points.base, share @ observed
    model, pixels = points.base - middle, observed - pixel_middle
    root = np.sqrt(share)[:, None]
    affine = np.linalg.lstsq(model * root, pixels * root, rcond=None)[0].T
    rotation, scale = _nearest_rotation(affine)
    focal = scale * distance
    ahead = np.append((pixel_middle - center) / focal, 1.0) * distance
    return FitState(
        rotation=rotation,
        translation=ahead - rotation @ middle,
        log_focal=float(np.log(focal)),
        center=center,
        betas=np.zeros(identity),
        controls=np.zeros(points.directions.shape[-1] - identity),
    )


def _nearest_rotation(affine: Float[np.ndarray, "2 3"]) -> tuple[Float[np.ndarray, "3 3"], float]:
    """Return the rotation whose first two rows, scaled, are nearest to the matrix, and the scale."""
    u, singular, vt = np.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    return np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])]), float(singular.mean())
