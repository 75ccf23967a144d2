"""Eyelids that glide over the eyeball: closing, following the gaze, and lashes that ride on the margin.

Lids are a grid of loops around the eye's opening (`HeadAssets.lid_loops`): loop 0 deep in the socket, loop MARGIN the
lid's front edge, the last loop in the orbit's skin. Columns 0 to 13 run over the upper lid from the inner to the outer
corner, columns 14 to 27 back under the lower lid; column k closes against column 27 - k.

A shape is linear, so a lid moves along a straight line from its rest place: it keeps clear of the ball only if its end
lies far enough in front of it. Everything here is in the ball's polar coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.flame_lids import close_blinks

LOOPS, COLUMNS = 11, 28
INNER_EDGE, MARGIN = 2, 3
UPPER, LOWER = slice(0, 14), slice(14, 28)
PARTNER = COLUMNS - 1 - np.arange(COLUMNS)
UPPER_SHARE = 0.72
"""How much of the closing the upper lid does, as people blink."""
CLEARANCE = 0.00015
"""Metres that a lid keeps from the ball on its way (less where it already lies closer at rest)."""
LID_MOTIONS = {"eyeBlink": (1.0, 1.0), "eyeLookDown": (0.7, -0.7), "eyeLookUp": (-0.3, 0.5), "eyeWide": (-0.45, -0.15)}
"""What the upper and the lower lid do in a shape, in parts of their way to closing; shapes end in Left or Right."""
EYE_SHAPES = (*LID_MOTIONS, "eyeSquint", "eyeLookIn", "eyeLookOut")
RIDES, RESTS = 0.4, 0.75
"""Shares of the upper lid's outer skin, from its edge, up to which it goes with the edge, and from which it rests.
In between lies the crease, where a closing lid unrolls."""
OVERLAP, LAP = 0.07, 0.0004
"""The upper lid closes a little past the lower one, in parts of their way, and in front of it, metres, so that neither
light comes through nor the lower lid's wet rim is seen."""


@dataclass(frozen=True)
class Lids:
    """One eye's lids on a neutral head. L lash vertices."""

    loops: Int[np.ndarray, "11 28"]
    center: Float[np.ndarray, "3"]
    radius: float
    places: Float[np.ndarray, "11 28 3"]
    """Of the loops' vertices, from the ball's centre, metres."""
    lashes: Int[np.ndarray, "L"]
    lash_places: Float[np.ndarray, "L 3"]
    lash_columns: Float[np.ndarray, "L 28"]
    """Where a lash's root sits on the margin: weights of the columns, rows summing to one."""


def find_lids(
    v_neutral: Float[np.ndarray, "V 3"],
    *,
    loops: Int[np.ndarray, "11 28"],
    ball: Int[np.ndarray, "B"],
    center: Float[np.ndarray, "3"],
    lashes: Int[np.ndarray, "L"],
) -> Lids:
    """Take the lids of a neutral head; `ball` are the eyeball's vertices around `center` (the eye joint, metres)."""
    v = np.asarray(v_neutral, np.float64)
    center = np.asarray(center, np.float64)
    radius = float(np.linalg.norm(v[ball] - center, axis=1).mean())
    columns = root_columns(v[lashes], v[loops[MARGIN]])
    return Lids(loops, center, radius, v[loops] - center, lashes, v[lashes] - center, columns)


def fit_lids(
    assets: HeadAssets, v_neutral: Float[np.ndarray, "V 3"], joints: Float[np.ndarray, "J 3"]
) -> Float[np.ndarray, "V 3 E"]:
    """Return the expression directions with the eyes' shapes made anew for an identity, so that its own lids meet.

    A completed FLAME has no loops and a way of its own; a FLAME file as it is keeps its directions.
    """
    if assets.lid_loops is None:
        return close_blinks(assets, v_neutral) if "eyeBlinkLeft" in assets.expr_names else assets.exprdirs
    fitted = assets.exprdirs.copy()
    for eye, side in enumerate(("Left", "Right")):
        joint, lashes = 3 + eye, REGION_NAMES.index(f"lashes_{side.lower()}")
        lids = find_lids(
            v_neutral,
            loops=assets.lid_loops[eye],
            ball=np.flatnonzero(assets.lbs_weights[:, joint] == 1),
            center=joints[joint],
            lashes=np.unique(assets.faces[assets.face_region == lashes]),
        )
        for name in EYE_SHAPES:
            column = assets.expr_names.index(name + side)
            fitted[:, :, column] = fit_shape(lids, name, assets.exprdirs[:, :, column])
    return fitted


def fit_shape(lids: Lids, name: str, shape: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
    """Return one shape (its name without a side) for these lids: moved as LID_MOTIONS says, or just kept clear."""
    if name in LID_MOTIONS:
        upper, lower = LID_MOTIONS[name]
        return lid_shape(lids, shape, upper=upper, lower=lower)
    return clear_ball(lids, shape)


def lid_shape(lids: Lids, guide: Float[np.ndarray, "V 3"], *, upper: float, lower: float) -> Float[np.ndarray, "V 3"]:
    """Return a shape (V, 3) that moves either lid by a part of its way to closing (1 closes, negative opens).

    `guide` gives the displacement of everything else, and of the outermost loop, which the lids blend into. A shape
    made here is a fine guide for another identity.
    """
    angle, axis = _closing_turns(lids)
    part = np.zeros(COLUMNS)
    part[UPPER], part[LOWER] = upper, lower
    follow = _follow(lids)
    turned = _rotate(lids.places, axis, angle * part * follow)
    turned += (1 - follow[..., None]) * guide[lids.loops[-1]]
    target = _seal(lids, turned) if min(upper, lower) >= 1 else turned
    return clear_ball(lids, _with_displacement(guide, lids.loops, target - lids.places))


def clear_ball(lids: Lids, shape: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
    """Push a shape's lids outwards until their straight way stays clear of the ball, and let the lashes ride."""
    goal = lids.places + shape[lids.loops]
    goal[INNER_EDGE:] = _cleared(lids.places[INNER_EDGE:], goal[INNER_EDGE:], lids.radius + CLEARANCE)
    moved = _with_displacement(shape, lids.loops, goal - lids.places)
    moved[lids.lashes] = _ride(lids, goal[MARGIN]) - lids.lash_places
    return moved


def _with_displacement(shape: np.ndarray, vertices: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    moved = np.array(shape, np.float64)
    moved[vertices] = displacement
    return moved


def _closing_turns(lids: Lids) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's angle (28,) and axis (28, 3) from rest to where the lids meet."""
    margin = _unit(lids.places[MARGIN])
    share = np.full(COLUMNS, UPPER_SHARE + OVERLAP)
    share[LOWER] = 1 - UPPER_SHARE
    axis = np.cross(margin, margin[PARTNER])
    opening = np.arctan2(np.linalg.norm(axis, axis=1), (margin * margin[PARTNER]).sum(1))
    return share * opening, axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-12)


def _follow(lids: Lids) -> np.ndarray:
    """Return how far (11, 28) each loop follows its margin: all of it inside, less and less along the outer skin.

    The upper lid slides in one piece and unrolls at the crease; the lower one stretches evenly.
    """
    step = np.linalg.norm(np.diff(lids.places[MARGIN:], axis=0), axis=2)
    along = np.concatenate([np.zeros((1, COLUMNS)), np.cumsum(step, 0)])
    follow = np.ones((LOOPS, COLUMNS))
    share = along / along[-1]
    follow[MARGIN:] = 1 - share
    rolled = np.clip((share[:, UPPER] - RIDES) / (RESTS - RIDES), 0, 1)
    follow[MARGIN:, UPPER] = 1 - rolled**2 * (3 - 2 * rolled)
    follow[0] = 0.5
    return follow


def _seal(lids: Lids, closed: np.ndarray) -> np.ndarray:
    """Lift the margins of closed lids to one common distance from the ball, so that they meet."""
    radius = np.linalg.norm(_cleared(lids.places, closed, lids.radius + CLEARANCE), axis=2)
    sealed = closed.copy()
    for loop in (INNER_EDGE, MARGIN):
        meeting = np.maximum(radius[loop], radius[loop][PARTNER])
        meeting[UPPER] += LAP
        sealed[loop] = _unit(closed[loop]) * meeting[:, None]
    return sealed


def _cleared(start: np.ndarray, goal: np.ndarray, floor: float) -> np.ndarray:
    """Scale goals (..., 3) up until the segments from start stay at least `floor` (or their start) from the origin."""
    needed = np.minimum(floor, np.linalg.norm(start, axis=-1))
    blocked = _nearest(start, goal) < needed - 1e-9
    start, kept, needed = start[blocked], goal[blocked], needed[blocked]
    low, high = np.ones(len(kept)), np.full(len(kept), 2.0)
    for _ in range(24 if len(kept) else 0):
        middle = (low + high) / 2
        outside = _nearest(start, kept * middle[:, None]) >= needed - 1e-9
        low, high = np.where(outside, low, middle), np.where(outside, middle, high)
    cleared = goal.copy()
    cleared[blocked] *= high[:, None]
    return cleared


def _nearest(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return the segments' least distance to the origin."""
    way = goal - start
    t = np.clip(-(start * way).sum(-1) / np.maximum((way * way).sum(-1), 1e-18), 0, 1)
    return np.linalg.norm(start + t[..., None] * way, axis=-1)


def _ride(lids: Lids, margin: np.ndarray) -> np.ndarray:
    """Return the lashes' places when their margin (28, 3) has moved: turned and lifted about the ball like it."""
    before, after = _unit(lids.places[MARGIN]), _unit(margin)
    axis = np.cross(before, after)
    angle = np.arctan2(np.linalg.norm(axis, axis=1), (before * after).sum(1))
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-12)
    lift = np.linalg.norm(margin, axis=1) / np.linalg.norm(lids.places[MARGIN], axis=1)
    carried = _rotate(np.repeat(lids.lash_places[:, None], COLUMNS, 1), axis, angle) * lift[:, None]
    return (lids.lash_columns[:, :, None] * carried).sum(1)


def root_columns(lashes: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Return the weights (L, 28) of each lash's nearest point on the margin's closed polyline."""
    edge = np.roll(margin, -1, 0) - margin
    t = ((lashes[:, None] - margin) * edge).sum(2) / (edge**2).sum(1)
    t = np.clip(t, 0, 1)
    distance = np.linalg.norm(margin + t[..., None] * edge - lashes[:, None], axis=2)
    nearest = distance.argmin(1)
    rows = np.arange(len(lashes))
    weights = np.zeros((len(lashes), COLUMNS))
    weights[rows, nearest] = 1 - t[rows, nearest]
    weights[rows, (nearest + 1) % COLUMNS] += t[rows, nearest]
    return weights


def _rotate(points: np.ndarray, axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotate points (..., 28, 3) about unit axes (28, 3) by angles that broadcast to (..., 28) (Rodrigues)."""
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
    along = (points * axis).sum(-1, keepdims=True) * axis
    return points * cos + np.cross(np.broadcast_to(axis, points.shape), points) * sin + along * (1 - cos)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
