"""Frames in which the face is not seen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from likeness.tracking.clip_head import Frames

SHORT = 0.6
"""Seconds. The smoothness of motion bridges shorter gaps better than anything; over longer ones it swings."""


def fill_gaps(times: Float[np.ndarray, "T"], seen: Bool[np.ndarray, "T"], cuts: list[int], frames: Frames) -> Frames:
    """Ease over long gaps from the frame before to the one after; hold at the ends of shots, and a whole blind shot."""
    ends = [0, *cuts, len(times)]
    known = np.flatnonzero(seen)
    rotations, translations, controls = (
        np.array(part) for part in (frames.rotations, frames.translations, frames.controls)
    )
    for begin, end in pairwise(ends):
        inside = known[(known >= begin) & (known < end)]
        if not len(inside):
            inside = known[[np.abs(known - begin).argmin()]]
        for first, last, before, after in _gaps(seen, begin, end, inside):
            if before != after and times[after] - times[before] < SHORT:
                continue
            part = (times[first:last] - times[before]) / max(times[after] - times[before], 1e-9)
            eased = np.where(before == after, 0.0, part * part * (3 - 2 * part))
            turn = Rotation.from_matrix(frames.rotations[after] @ frames.rotations[before].T).as_rotvec()
            rotations[first:last] = Rotation.from_rotvec(eased[:, None] * turn).as_matrix() @ frames.rotations[before]
            for filled, values in ((translations, frames.translations), (controls, frames.controls)):
                filled[first:last] = values[before] + eased[:, None] * (values[after] - values[before])
    return Frames(rotations, translations, controls)


def _gaps(
    seen: Bool[np.ndarray, "T"], begin: int, end: int, inside: Int[np.ndarray, "N"]
) -> list[tuple[int, int, int, int]]:
    """Return the gaps of one shot: first frame, end, the seen frame before and the one after (one for both at ends)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen[begin:end], [True]]).astype(int))) + begin
    found = []
    for first, last in edges.reshape(-1, 2).tolist():
        before, after = inside[inside < first], inside[inside >= last]
        outer = before[-1] if len(before) else (after if len(after) else inside)[0]
        other = after[0] if len(after) and len(before) else outer
        found.append((first, last, int(outer), int(other)))
    return found
