"""Live Link Face's CSV (Epic Games' app for the iPhone; calibrated and raw files, `_cal` and `_raw` as well).

A row is a frame: Timecode, BlendShapeCount (old files: BlendshapeCount; 0 while no face is seen), ARKit's 52 blend
shapes, then yaw, pitch and roll of the head and of each eye, radians, in Unreal's sense: an FRotator about axes that
point from the camera to the face (x), to the subject's left (y) and up (z). In head space that is

    rotation = Ry(-yaw) Rx(pitch) Rz(-roll)

so that positive yaw turns towards the subject's right, positive pitch down, positive roll tilts to the subject's left.
For the eyes the take itself shows it: EyeLookOutLeft goes with negative LeftEyeYaw, EyeLookDownLeft with positive
LeftEyePitch. Worked example: HeadYaw 0.3, the rest 0, is the rotation vector (0, -0.3, 0).

Error codes: motion.unreadable, motion.empty, motion.no_controls, motion.too_large.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError
from likeness.motion import timecode
from likeness.motion.live_link_table import Table, read_table
from likeness.motion.reading import (
    GAP,
    MAX_MAGNITUDE,
    Reading,
    check_rate,
    filled,
    listed,
    nominal_rate,
    open_motion,
)

LOOKS = tuple(index for index, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook"))
NO_FACE = 0.5
"""A row with fewer of its controls than this part shows no face."""


def read_live_link(data: bytes, name: str) -> Reading:
    """Read a take; `name` is for messages. Times begin at its first frame."""
    table = read_table(data, name)
    clock = timecode.find_clock(table.seconds, table.frames, table.marked_drop)
    when = timecode.to_seconds(table.seconds, table.frames, clock)
    order = np.argsort(when, kind="stable")
    order = order[table.frames[order] < clock.rate]
    fresh = np.diff(when[order], prepend=-np.inf) > 0
    rows = order[fresh]
    times = when[rows] - when[rows[0]]
    check_rate(times, name)
    values = table.values[rows]
    known = np.abs(values) < MAX_MAGNITUDE
    seen = _seen(known[:, : len(ARKIT_NAMES)])
    if not seen.any():
        raise InputError("motion.empty", f"{name} shows no face in any frame.", "Record the take again.")
    values = filled(times, values, known & seen[:, None])
    controls, head, eyes = values[:, : len(ARKIT_NAMES)], rotvec(values[:, 52:55]), _eyes(values[:, 55:])
    by_angles = bool(eyes.any()) and not controls[:, LOOKS].any()
    motion = open_motion(
        times,
        controls,
        fps=_rate(times, clock),
        head=head,
        eyes=eyes if by_angles else None,
        observed=seen.astype(np.uint8),
    )
    notes = [
        *_column_notes(table),
        *_time_notes(table, times, order, fresh, clock),
        *_gap_notes(seen, known),
        *_turn_notes(head, eyes, by_angles),
    ]
    return Reading("Live Link Face CSV", motion, _holds(table, head, eyes), tuple(notes))


def rotvec(angles: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Turn yaw, pitch and roll (radians, Unreal's) into head space's rotation vectors."""
    return Rotation.from_euler("YXZ", angles * [-1, 1, -1]).as_rotvec()


def _eyes(angles: Float[np.ndarray, "T 6"]) -> Float[np.ndarray, "T 6"]:
    return np.concatenate([rotvec(angles[:, :3]), rotvec(angles[:, 3:])], 1)


def _rate(times: Float[np.ndarray, "T"], clock: timecode.Clock) -> float:
    rate = nominal_rate(times, clock.fps)
    return rate * 1000 / 1001 if clock.drop_frame and rate in timecode.DROPPED else rate


def _seen(known: np.ndarray) -> np.ndarray:
    """Tell which frames show a face: they have at least half of the controls that the take has at all."""
    count = known.sum(1)
    return (count > 0) & (count >= NO_FACE * known.any(0).sum())


def _column_notes(table: Table) -> list[str]:
    controls = [name for name in table.missing if name in ARKIT_NAMES]
    notes = []
    if controls:
        notes.append(f"Columns that are missing stay at zero: {listed(controls)}.")
    if table.extra:
        notes.append(f"Columns that are not understood were left out: {listed(table.extra)}.")
    return notes


def _time_notes(
    table: Table, times: np.ndarray, order: np.ndarray, fresh: np.ndarray, clock: timecode.Clock
) -> list[str]:
    notes = []
    without_time = table.without_time + len(table.frames) - len(order)
    if without_time:
        notes.append(f"Rows without a sensible timecode were left out: {without_time}.")
    jumps = int((np.diff(order) < 0).sum())
    if jumps:
        notes.append(f"The rows were not in the order of their timecodes and were sorted; jumps back: {jumps}.")
    if not fresh.all():
        notes.append(f"Rows with a timecode that another row has were left out: {int((~fresh).sum())}.")
    if clock.drop_frame:
        notes.append(f"Its timecode is drop-frame: {clock.fps:.2f} frames a second.")
    steps = np.diff(times)
    gaps = steps[steps > GAP * np.median(steps)] if len(steps) else steps
    if len(gaps):
        lost = int(np.round(gaps / np.median(steps) - 1).sum())
        notes.append(f"{lost} frames were dropped by the phone, at {len(gaps)} places; the longest gap is "
                     f"{gaps.max():.2f} s.")  # fmt: skip
    return notes


def _gap_notes(seen: np.ndarray, known: np.ndarray) -> list[str]:
    notes = []
    if not seen.all():
        notes.append(f"{int((~seen).sum())} of {len(seen)} frames show no face and were filled in between.")
    has = known.any(0)
    empty = int((~known[seen][:, has]).sum())
    if empty:
        notes.append(f"{empty} empty cells were filled from their neighbours.")
    return notes


def _turn_notes(head: np.ndarray, eyes: np.ndarray, by_angles: bool) -> list[str]:
    notes = []
    if not head.any():
        notes.append("It has no head rotation: the app's setting Stream Head Rotation was off.")
    if by_angles:
        notes.append("The gaze was taken from the eyes' angles, for the eyeLook controls are all zero.")
    elif eyes.any():
        notes.append("The gaze is that of the eyeLook controls; the eyes' angles say the same and were left out.")
    return notes


def _holds(table: Table, head: np.ndarray, eyes: np.ndarray) -> tuple[str, ...]:
    count = sum(name not in table.missing for name in ARKIT_NAMES)
    return tuple(filter(None, [f"{count} controls", "head" if head.any() else "", "eyes" if eyes.any() else ""]))
