"""Choosing whose performance a clip shows, in the first frame that shows a face.

Error codes: face.none, face.index, face.too_small, clip.range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from likeness.contract.errors import InputError, UsageError
from likeness.contract.progress import Progress
from likeness.portrait.appearance import Colours, face_colours
from likeness.portrait.clip import Clip, ClipFrame
from likeness.portrait.faces import find_faces
from likeness.portrait.types import DetectedFace, Photograph

MIN_WIDTH = 32
PASSER_BY = 0.3
"""A face narrower than this part of the largest is nobody who performs."""
FIRST_LOOKS, LATER_LOOKS = 0.2, 1.0
"""Seconds between two looks, in the first ten seconds and later."""
MANY_SECONDS = 10.0
WAIT_FOR_OTHERS = 1.0
"""Seconds after the first face in which a performer of a higher number may come."""
COUNTED = ("No", "One person is", "Two people are", "Three people are", "Four people are", "Five people are")


@dataclass(frozen=True)
class Chosen:
    """A performer in the frame in which he was chosen."""

    center: Float[np.ndarray, "2"]
    """Of the face, pixels."""
    size: float
    """The face's larger extent, pixels."""
    colours: Colours
    """What the face looks like."""
    others: list[Colours]
    """What the other faces look like."""
    note: str
    """Who else was there; empty where nobody was."""


def choose_performer(clip: Clip, performer: int | None, start: float, end: float | None, progress: Progress) -> Chosen:
    """Choose the `performer`-th face from the left (from 1), or the largest.

    Errors: InputError `face.none`, `face.too_small`; UsageError `face.index`, `clip.range`.
    """
    if performer is not None and performer < 1:
        raise UsageError("face.index", f"There is no performer {performer}.", "Count from 1, from the left.")
    too_small, most, until = False, 0, np.inf
    for frame, faces in _looks(clip, start, end, progress):
        too_small |= bool(faces) and faces[0].width < MIN_WIDTH
        people = _performers(faces)
        if len(people) >= (performer or 1):
            return _choice(frame.rgb, people, performer)
        most = max(most, len(people))
        if people:
            until = min(until, frame.time + WAIT_FOR_OTHERS)
        if frame.time >= until:
            break
    if most:
        count = "only one person is" if most == 1 else f"only {most} people are"
        raise UsageError("face.index", f"There is no performer {performer}; {count} seen.", "Choose another.")
    if too_small:
        raise InputError(
            "face.too_small",
            f"Every face in the clip is less than {MIN_WIDTH} pixels wide.",
            "Use a clip that is filmed from nearer, or a larger version of it.",
        )
    raise InputError(
        "face.none",
        "No face was found in the clip.",
        "Use a clip in which the face is upright, clear and at least 100 pixels wide.",
    )


def _looks(
    clip: Clip, start: float, end: float | None, progress: Progress
) -> Iterator[tuple[ClipFrame, list[DetectedFace]]]:
    """Yield some frames with their faces, largest first; the first frame is among them."""
    due = None
    for frame in clip.frames(start, end):
        if due is None or frame.time >= due:
            yield frame, find_faces(Photograph(frame.rgb, None, ""))
            due = frame.time + (FIRST_LOOKS if frame.time - start < MANY_SECONDS else LATER_LOOKS)
        progress.update("looking for a face", 0.0)
    if due is None:
        length = f" {clip.info.seconds:.1f} s long" if clip.info.seconds else " shorter"
        raise UsageError("clip.range", f"No frame lies in that range; the clip is{length}.", "Choose another range.")


def _performers(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Return those who count, from the left."""
    near = [face for face in faces if face.width >= max(MIN_WIDTH, PASSER_BY * faces[0].width)]
    return sorted(near, key=lambda face: face.landmarks[:, 0].mean())


def _choice(rgb: UInt8[np.ndarray, "H W 3"], people: list[DetectedFace], performer: int | None) -> Chosen:
    number = performer or 1 + int(np.argmax([face.width for face in people]))
    landmarks = people[number - 1].landmarks
    low, high = landmarks.min(0), landmarks.max(0)
    colours = [face_colours(rgb, face.landmarks) for face in people]
    own = colours.pop(number - 1)
    return Chosen((low + high) / 2, float((high - low).max()), own, colours, _note(len(people), number))


def _note(count: int, number: int) -> str:
    if count == 1:
        return ""
    seen = COUNTED[count] if count < len(COUNTED) else f"{count} people are"
    if count == 2:
        side, other = ("left", 2) if number == 1 else ("right", 1)
        return f"{seen} seen; took the one on the {side}; --performer {other} takes the other."
    return f"{seen} seen; took number {number} from the left; --performer N takes another."
