"""What the animator sees of a face: its controls by group and readable name, their values, and their mirror images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from bpy.types import Object

from likeness.contract.arkit import mirrored_name
from likeness.contract.errors import InputError

from . import find

Direction = Literal["SWAP", "LEFT_TO_RIGHT", "RIGHT_TO_LEFT"]
Values = dict[str, float]

COEFFICIENTS = "FLAME Coefficients"
_GROUP_OF_PREFIX = {
    "brow": "Brows",
    "eye": "Eyes",
    "jaw": "Jaw",
    "mouth": "Mouth",
    "cheek": "Cheeks",
    "nose": "Nose",
    "tongue": "Tongue",
}
GROUPS = (*_GROUP_OF_PREFIX.values(), COEFFICIENTS)
"""The panel's order."""

WHOLE_FACE = frozenset(("jawLeft", "jawRight", "mouthLeft", "mouthRight"))
"""Directions, not sides: they move the middle of the face, so that one side has nothing to copy from the other."""


@dataclass(frozen=True)
class ControlRow:
    """A line of the panel: a readable name within its group, and one control or a left and right pair."""

    label: str
    names: tuple[str, ...]


@lru_cache(maxsize=1024)  # panels ask for every control at every redraw, during playback too
def group_of(name: str) -> str:
    """Return the group of a control: ARKit's names begin with what they move, all others are coefficients."""
    return _GROUP_OF_PREFIX.get(_words(name)[0], COEFFICIENTS)


def readable(name: str) -> str:
    """Return a control's name as people write it: mouthSmileLeft is Mouth Smile Left."""
    return " ".join(word.capitalize() for word in _words(name))


@lru_cache(maxsize=1024)
def matches(name: str, search: str) -> bool:
    """Tell whether every word of a search is in the control's own, readable or group name; case does not count."""
    haystack = f"{name} {readable(name)} {group_of(name)}".lower()
    return all(word in haystack for word in search.lower().split())


def rows(names: Iterable[str]) -> list[ControlRow]:
    """Put left and right of a pair into one row, in the order in which the first of them comes."""
    pairs: dict[str, list[str]] = {}
    for name in names:
        pairs.setdefault(_without_side(name), []).append(name)
    return [ControlRow(_row_label(members), tuple(sorted(members, key=side_of))) for members in pairs.values()]


def side_of(name: str) -> str:
    """Return Left, Right or an empty string."""
    return next((side for side in ("Left", "Right") if name.endswith(side)), "")


def mirrored(values: Mapping[str, float], direction: Direction) -> Values:
    """Return the values of the mirrored expression.

    SWAP is the face in a mirror. The one-sided directions overwrite one side with the other's mirror image and leave
    alone what belongs to neither (jaw and mouth sideways among it).
    """
    if direction == "SWAP":
        return {name: values.get(mirrored_name(name), 0.0) for name in values}
    target = "Right" if direction == "LEFT_TO_RIGHT" else "Left"
    return {
        name: values.get(mirrored_name(name), 0.0) if side_of(name) == target and name not in WHOLE_FACE else value
        for name, value in values.items()
    }


def blended(start: Mapping[str, float], target: Mapping[str, float], amount: float) -> Values:
    """Go from one expression part of the way to another; what the target does not name goes to zero."""
    return {name: (1 - amount) * value + amount * target.get(name, 0.0) for name, value in start.items()}


def control_values(mesh: Object) -> Values:
    """Return the value of every control of an avatar."""
    return {key.name: key.value for key in find.controls(mesh)}


def set_control_values(mesh: Object, values: Mapping[str, float]) -> list[str]:
    """Set controls; return those that changed.

    What the avatar lacks is left out and Blender clamps to a control's range. Raises InputError `avatar.linked`.
    """
    check_editable(mesh)
    changed = []
    for key in find.controls(mesh):
        if key.name in values and key.value != np.float32(values[key.name]):  # Blender keeps single precision
            key.value = values[key.name]
            changed.append(key.name)
    return changed


def is_editable(mesh: Object) -> bool:
    """Tell whether control values may be changed: not where the mesh's data is linked.

    Blender's library override of an object leaves its mesh, and thus the shape keys, linked.
    """
    keys = mesh.data.shape_keys
    return keys is not None and not any(key.is_property_readonly("value") for key in keys.key_blocks[1:2])


def check_editable(mesh: Object) -> None:
    """Raise InputError `avatar.linked` where Blender does not let control values be changed."""
    if not is_editable(mesh):
        raise InputError(
            "avatar.linked",
            f"The controls of {mesh.name} are linked from another file.",
            "Choose Object > Relations > Make Local > All.",
        )


@lru_cache(maxsize=1024)
def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)] or [name]


def _without_side(name: str) -> str:
    return name.removesuffix(side_of(name))


def _row_label(names: list[str]) -> str:
    """Return a row's name within its group: what it moves is in the group's heading already."""
    if group_of(names[0]) == COEFFICIENTS:
        return readable(names[0])
    base = _without_side(names[0]) if len(names) > 1 else names[0]
    return " ".join(word.capitalize() for word in _words(base)[1:]) or "Sideways"
