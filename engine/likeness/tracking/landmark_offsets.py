"""How a performer's landmarks lie beside the head's: one displacement for each, shared by all frames."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from likeness.tracking.clip_head import ClipHead, Frames
from likeness.tracking.window import Observations, landmark_weights_in

DEVIATION = 0.002
"""Metres; of a displacement along an axis."""
FRAMES_WORTH = 8.0
"""Frames of one clip repeat the same errors: together they count as so many."""


def fit_offsets(
    head: ClipHead, offsets: Float[np.ndarray, "478 3"], seen: Observations, frames: Frames
) -> Float[np.ndarray, "478 3"]:
    """Return the displacements (metres, head space) that bring the head's landmarks nearest to what is seen.

    `head` is without offsets; `offsets` are those that the robust weights are taken at.
    """
    placed = head.moved_by(offsets)
    weights = landmark_weights_in(placed, seen, frames)
    weights *= np.sqrt(min(1.0, FRAMES_WORTH / max(np.count_nonzero(seen.weights), 1)))
    points = placed.base + np.einsum("nce,te->tnc", placed.directions, frames.controls)
    x, y, z = np.moveaxis(np.einsum("tnc,tdc->tnd", points, frames.rotations) + frames.translations[:, None], -1, 0)
    off = placed.focal * np.stack([x / z, y / z], -1) + placed.center - seen.landmarks
    zero = np.zeros_like(z)
    by_camera = (
        placed.focal
        / z[..., None, None]
        * np.stack([np.stack([zero + 1, zero, -x / z], -1), np.stack([zero, zero + 1, -y / z], -1)], -2)
    )
    jacobian = np.einsum("tnad,tdc->tnac", by_camera, frames.rotations) * weights[..., None, None]
    normal = np.einsum("tnac,tnad->ncd", jacobian, jacobian) + np.eye(3) / DEVIATION**2
    right = np.einsum("tnac,tna->nc", jacobian, off * weights[..., None]) + offsets / DEVIATION**2
    return offsets - np.linalg.solve(normal, right[..., None])[..., 0]
