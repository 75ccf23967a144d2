"""What the overlay remembers between redraws, without bpy and gpu: changes, counts, and why an avatar is not drawn.

Objects are known by `session_uid`, never by reference: Blender may free what a reference points to.
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from likeness.contract.errors import LikenessError

if TYPE_CHECKING:
    import bpy

WHOLE_OVERLAY = 0
"""Stands for an object in `failures`: no object has this session_uid."""


@dataclass(frozen=True)
class Failure:
    """An unforeseen error: what to say, and after how many changes it happened."""

    text: str
    changes: int


@dataclass
class State:
    """Changes that Blender has told of; counts of what was drawn, for tests; and what is wrong."""

    files: int = 0
    """Raised when objects may have been exchanged altogether: another file, undo, redo."""
    changes: int = 0
    """Raised by every update of the dependency graph but those of playback, which only moves things."""
    geometry: Counter[int] = field(default_factory=Counter)
    """How often each object's or datablock's geometry has changed, by session_uid."""
    transforms: int = 0
    """Raised by every update of anything, playback included."""
    drawn: Counter[str] = field(default_factory=Counter)
    """How often `splats`, `occluders` and `composite` were drawn."""
    problems: dict[int, LikenessError] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)


current = State()


def problem(mesh: bpy.types.Object) -> str | None:
    """Return why the avatar's splats are not drawn, in one or two sentences; None if nothing is wrong."""
    known = current.problems.get(mesh.session_uid)
    if known is not None:
        return f"{known.message} {known.remedy}"
    failure = current.failures.get(mesh.session_uid) or current.failures.get(WHOLE_OVERLAY)
    return failure.text if failure is not None else None


def texts() -> dict[int, str]:
    """Return all that is wrong, to see whether panels have something new to show."""
    foreseen = {uid: error.message for uid, error in current.problems.items()}
    return foreseen | {uid: failure.text for uid, failure in current.failures.items()}


def exchange() -> None:
    """Forget everything about objects: another file, undo or redo."""
    current.files += 1
    current.changes += 1
    current.transforms += 1
    current.geometry.clear()
    current.problems.clear()
    current.failures.clear()


def note_updates(depsgraph: bpy.types.Depsgraph, *, playback: bool) -> None:
    """Take in what the dependency graph has just evaluated; a render's own graph is no concern of the viewports."""
    if depsgraph.mode != "VIEWPORT":
        return
    current.transforms += 1
    if not playback or depsgraph.id_type_updated("COLLECTION"):  # objects may come with a change of frame
        current.changes += 1
    for update in depsgraph.updates:
        if update.is_updated_geometry:
            current.geometry[update.id.original.session_uid] += 1


def is_off(uid: int) -> bool:
    """Whether this object failed in a way nobody foresaw, and nothing has changed since."""
    failure = current.failures.get(uid)
    return failure is not None and failure.changes == current.changes


def note_failure(uid: int, name: str, error: Exception) -> None:
    """Keep an unforeseen error for the panels; its traceback goes to the console, once for the same error."""
    text = f"{name} cannot be drawn: {type(error).__name__}: {error}. Blender's console holds the details."
    known = current.failures.get(uid)
    if known is None or known.text != text:
        traceback.print_exception(error, file=sys.stderr)
    current.failures[uid] = Failure(text, current.changes)


def note_success(uid: int) -> None:
    """Forget what was wrong."""
    current.problems.pop(uid, None)
    current.failures.pop(uid, None)
