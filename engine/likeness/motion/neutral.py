"""The performer's face at rest, found in the take or named, and the performance relative to it.

A tracker does not give 0 for a face at rest: ARKit's raw values stand 0.05 to 0.2 above it, and the phone stands
somewhere below the face. What is measured:

- For each control, its fifth percentile over the calm frames (the half in which the face moves least): a floor to
  which the performer keeps coming back. The value v becomes (v - floor) / (1 - floor), so that 0 is rest and 1 stays 1.
- A floor above 0.2 is taken for a held expression, not for the rest: somebody who smiles through the whole take keeps
  the smile. Left and right are judged together. It is told which.
- For gaze, head and place: the median over the calm frames, for people look ahead most of the time; a gaze that is
  more than 0.4 off is kept.
- FLAME's coefficients and jaw stay as they are: they have no floor, and trackers fit them around the person's rest.

A frame that is named is taken at its word: everything there becomes 0. A take shorter than a second, such as a picture,
does not show its rest: only its place is counted from where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from likeness.contract.arkit import ARKIT_NAMES, mirrored_name
from likeness.contract.errors import UsageError
from likeness.contract.motion import Motion
from likeness.motion.edit import without_camera
from likeness.motion.reading import listed
from likeness.motion.regions import COEFFICIENTS, region_of

CALM = 0.5
FLOOR_PERCENTILE = 5
HELD = 0.2
WORTH_TELLING = 0.05
LOOKS_AWAY = 0.4
SHORTEST = 1.0
"""Seconds of a take in which a rest is looked for."""
MOST = 0.8
"""A control above this in a named frame: that face is not at rest."""
NECK_ABOVE_ROOT = np.array([0.0, 0.068, 0.004])
"""From the root joint to the neck's, metres: Open Head's, near FLAME's."""
LOOKS = tuple(
    tuple(f"eyeLook{way}{side}" for way in ways)
    for side in ("Left", "Right")
    for ways in (("In", "Out"), ("Up", "Down"))
)
"""Gaze controls that are two ends of one turn."""


@dataclass(frozen=True)
class Rest:
    """A performer's face at rest."""

    expr: Float[np.ndarray, "E"]
    """Floors of controls, a named frame's coefficients. Gaze is in `gaze`."""
    gaze: Float[np.ndarray, "4"]
    """First end of each pair of `LOOKS` minus the second, signed."""
    head: Float[np.ndarray, "3"]
    """Rotation vector of root and neck together."""
    jaw: Float[np.ndarray, "3"]
    eyes: Float[np.ndarray, "6"]
    place: Float[np.ndarray, "3"]
    """Of the neck's joint, metres."""
    notes: tuple[str, ...] = ()


def find_rest(motion: Motion) -> Rest:
    """Measure the performer's rest over the whole take."""
    calm = calm_frames(motion)
    if motion.times[-1] - motion.times[0] + 1 / motion.fps < SHORTEST:
        return _unknown_rest(motion, calm)
    expr, notes = _floors(motion, calm)
    gaze = np.median(_gaze(motion)[calm], 0)
    away = np.abs(gaze) > LOOKS_AWAY
    if away.any():
        notes.append("The eyes look away through most of the take; that was kept.")
    head = head_rotations(motion)
    return Rest(
        expr=expr,
        gaze=np.where(away, 0, gaze),
        head=_median_rotation(head[calm]),
        jaw=np.zeros(3),
        eyes=np.median(motion.eyes_pose[calm], 0),
        place=_usual_place(motion, calm),
        notes=tuple(notes),
    )


def _unknown_rest(motion: Motion, calm: np.ndarray) -> Rest:
    note = f"It is shorter than {SHORTEST:g} s and does not show the performer's rest: nothing was taken off."
    zeros = np.zeros(motion.expr.shape[1])
    place = _usual_place(motion, calm)
    return Rest(zeros, np.zeros(len(LOOKS)), np.zeros(3), np.zeros(3), np.zeros(6), place, (note,))


def _usual_place(motion: Motion, calm: np.ndarray) -> Float[np.ndarray, "3"]:
    return np.median(neck_places(motion)[calm], 0)


def rest_at(motion: Motion, seconds: float) -> Rest:
    """Take the frame nearest to a time of the source as the rest.

    Errors: UsageError `motion.range` for a time outside, `motion.not_neutral` for a face that is far from rest there.
    """
    first, last, step = float(motion.times[0]), float(motion.times[-1]), 1 / motion.fps
    if not first - step <= seconds <= last + step:
        message = f"There is no frame at {seconds:g} s to take as the rest."
        raise UsageError("motion.range", message, f"Name a time from {first:.2f} to {last:.2f} s.")
    frame = int(np.abs(motion.times - seconds).argmin())
    expr = motion.expr[frame].astype(np.float64)
    controls = np.isin(motion.expr_names, ARKIT_NAMES)
    if (expr[controls] > MOST).any():
        largest = int(np.where(controls, expr, 0).argmax())
        shown = f"{motion.expr_names[largest]} is {expr[largest]:.2f}"
        message = f"At {motion.times[frame]:.2f} s {shown}: that face is not at rest."
        raise UsageError("motion.not_neutral", message, "Name another time, or leave it to `auto`.")
    looks = [name in sum(LOOKS, ()) for name in motion.expr_names]
    return Rest(
        expr=np.where(looks, 0, expr),
        gaze=np.clip(_gaze(motion)[frame], -MOST, MOST),
        head=head_rotations(motion)[frame],
        jaw=motion.jaw_pose[frame].astype(np.float64),
        eyes=motion.eyes_pose[frame].astype(np.float64),
        place=neck_places(motion)[frame],
    )


def relative(motion: Motion, rest: Rest) -> Motion:
    """Return the performance relative to the rest; the head's motion is all the neck's, as shoulders hold still."""
    turned = Rotation.from_rotvec(rest.head).inv()
    head = turned * Rotation.from_rotvec(head_rotations(motion))
    expr = _without_floors(motion, rest.expr)
    expr = _without_gaze(motion, expr, rest.gaze)
    eyes = [_turned_back(rest.eyes[eye], motion.eyes_pose[:, eye]) for eye in (slice(0, 3), slice(3, 6))]
    return replace(
        without_camera(motion),
        expr=expr.astype(np.float32),
        rotation=np.zeros_like(motion.rotation),
        neck_pose=head.as_rotvec().astype(np.float32),
        jaw_pose=_turned_back(rest.jaw, motion.jaw_pose).astype(np.float32),
        eyes_pose=np.concatenate(eyes, 1).astype(np.float32),
        translation=turned.apply(neck_places(motion) - rest.place).astype(np.float32),
    )


def calm_frames(motion: Motion) -> Int[np.ndarray, "N"]:
    """Return the indices of the half of the seen frames in which the face moves least."""
    frames = np.flatnonzero(motion.observed) if motion.observed.any() else np.arange(len(motion.times))
    if len(frames) < 8:
        return frames
    face = [region_of(name) not in ("gaze", "eyes") for name in motion.expr_names]
    speed = np.abs(np.gradient(motion.expr[:, face].astype(np.float64), motion.times, axis=0)).sum(1)
    return frames[np.argsort(speed[frames], kind="stable")[: max(4, int(CALM * len(frames)))]]


def head_rotations(motion: Motion) -> Float[np.ndarray, "T 3"]:
    """Return how the head is turned: root and neck together."""
    return (Rotation.from_rotvec(motion.rotation) * Rotation.from_rotvec(motion.neck_pose)).as_rotvec()


def neck_places(motion: Motion) -> Float[np.ndarray, "T 3"]:
    """Return where the neck's joint is, against its place at rest: the root carries it along as it turns."""
    carried = Rotation.from_rotvec(motion.rotation).apply(NECK_ABOVE_ROOT) - NECK_ABOVE_ROOT
    return carried + motion.translation


def _floors(motion: Motion, calm: np.ndarray) -> tuple[Float[np.ndarray, "E"], list[str]]:
    """Return each control's floor, zero for gaze, coefficients and what is held; and notes."""
    floor = np.percentile(motion.expr[calm].astype(np.float64), FLOOR_PERCENTILE, axis=0)
    place = {name: index for index, name in enumerate(motion.expr_names)}
    floors, held = np.zeros_like(floor), []
    for name, index in place.items():
        if region_of(name) in ("gaze", COEFFICIENTS):
            continue
        if max(floor[index], floor[place.get(mirrored_name(name), index)]) > HELD:
            held.append(name)
        else:
            floors[index] = max(floor[index], 0)
    told = [f"{name} {floors[index]:.2f}" for name, index in place.items() if floors[index] >= WORTH_TELLING]
    notes = [f"Taken off as the performer's rest: {listed(told, 12)}."] if told else []
    if held:
        notes.append(f"Never near rest, so taken as held and not as the performer's neutral: {listed(held)}.")
    return floors, notes


def _without_floors(motion: Motion, floors: Float[np.ndarray, "E"]) -> Float[np.ndarray, "T E"]:
    controls = np.isin(motion.expr_names, ARKIT_NAMES)
    moved = motion.expr - floors
    return np.where(controls, np.maximum(moved, 0) / np.where(controls, 1 - floors, 1), moved)


def _turned_back(rest: Float[np.ndarray, "3"], rotvecs: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    return (Rotation.from_rotvec(rest).inv() * Rotation.from_rotvec(rotvecs)).as_rotvec()


def _gaze(motion: Motion) -> Float[np.ndarray, "T 4"]:
    """Return each pair of `LOOKS` as one signed number."""
    place = {name: index for index, name in enumerate(motion.expr_names)}
    if not all(name in place for pair in LOOKS for name in pair):
        return np.zeros((len(motion.times), len(LOOKS)))
    return np.stack([motion.expr[:, place[a]] - motion.expr[:, place[b]] for a, b in LOOKS], 1).astype(np.float64)


def _without_gaze(motion: Motion, expr: np.ndarray, rest: Float[np.ndarray, "4"]) -> np.ndarray:
    """Move each signed gaze so that the rest is 0 and the ends stay 1, and write it back into its two controls."""
    if not rest.any():
        return expr
    place = {name: index for index, name in enumerate(motion.expr_names)}
    for (a, b), signed, at_rest in zip(LOOKS, _gaze(motion).T, rest, strict=True):
        moved = signed - at_rest
        moved = np.where(moved > 0, moved / (1 - at_rest), moved / (1 + at_rest))
        expr[:, place[a]], expr[:, place[b]] = np.maximum(moved, 0), np.maximum(-moved, 0)
    return expr


def _median_rotation(rotvecs: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "3"]:
    """Return a rotation in the middle: the mean, then the median of what the rotations are relative to it."""
    rotations = Rotation.from_rotvec(rotvecs)
    mean = rotations.mean()
    return (mean * Rotation.from_rotvec(np.median((mean.inv() * rotations).as_rotvec(), 0))).as_rotvec()
