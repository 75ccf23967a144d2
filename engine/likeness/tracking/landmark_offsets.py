"""How a performer's landmarks lie beside the head's, and slide as it turns: shared by all frames (ridge regression)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from likeness.tracking.clip_head import ClipHead, Frames, landmark_points, turned
from likeness.tracking.landmarks import IRISES
from likeness.tracking.window import Observations, landmark_weights_in

DEVIATION, SLIDE_DEVIATION = 0.002, 0.006
"""Metres along an axis: of a displacement, and of how much more of it a turn with sine 1 would bring."""
IRIS_SLIDE = 0.0005
"""The same for irises: the gaze goes against the head's turns, and is no fault of the detector's."""
FRAMES_WORTH = 8.0
"""Frames of one clip repeat the same errors: together they count as so many."""


def fit_offsets(
    head: ClipHead, offsets: Float[np.ndarray, "478 3 3"], seen: Observations, frames: Frames
) -> Float[np.ndarray, "478 3 3"]:
    """Return the displacements (metres, head space) that bring the head's landmarks nearest to what is seen.

    The last axis: at rest, by the sine of yaw, of pitch. `head` is without offsets; `offsets` are those that the robust
    weights are taken at.
    """
    placed = head.moved_by(offsets)
    weights = landmark_weights_in(placed, seen, frames)
    weights *= np.sqrt(min(1.0, FRAMES_WORTH / max(np.count_nonzero(seen.weights), 1)))
    turned_points = landmark_points(placed, frames) @ frames.rotations.transpose(0, 2, 1)
    x, y, z = np.moveaxis(turned_points + frames.translations[:, None], -1, 0)
    off = placed.focal * np.stack([x / z, y / z], -1) + placed.center - seen.landmarks
    zero = np.zeros_like(z)
    slope = np.stack([np.stack([zero + 1, zero, -x / z], -1), np.stack([zero, zero + 1, -y / z], -1)], -2)
    slope *= (placed.focal * weights / z)[..., None, None]
    by_point = np.einsum("tnad,tdc->tnac", slope, frames.rotations)
    amounts = np.concatenate([np.ones((len(frames), 1)), turned(frames)], 1)
    rows = np.moveaxis(by_point[..., None] * amounts[:, None, None, None], 0, 1).reshape(len(head.base), -1, 9)
    loose = np.tile(np.tile([DEVIATION, SLIDE_DEVIATION, SLIDE_DEVIATION], 3) ** -2.0, (len(head.base), 1))
    loose[IRISES] = np.tile([DEVIATION, IRIS_SLIDE, IRIS_SLIDE], 3) ** -2.0
    columns = rows.transpose(0, 2, 1)
    wrong = np.moveaxis(off * weights[..., None], 0, 1).reshape(len(head.base), -1, 1)
    normal = columns @ rows + loose[:, :, None] * np.eye(9)
    right = (columns @ wrong)[..., 0] + loose * offsets.reshape(-1, 9)
    return offsets - np.linalg.solve(normal, right[..., None]).reshape(offsets.shape)
