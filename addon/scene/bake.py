"""A performance as keys: onto the active action, into a new one, or into a new NLA strip; whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import bpy
import numpy as np
from bpy.types import ID, Action, FCurve, Object

from likeness.contract.errors import InputError

from . import actions, expressions
from .curve_keys import SAME, add_straight
from .head_bones import head_bones, is_editable
from .layers import add_layer
from .performance import STILL, Part
from .punch import frames_within, replace_stretch

Array = Annotated


@dataclass(frozen=True)
class Placement:
    """Where a performance goes."""

    name: str
    """Of what is made for it."""
    how: Literal["ACTIVE", "ACTION", "STRIP"]
    is_additive: bool = False
    """Of a strip: on top of what is animated below."""
    punch: tuple[float, float] | None = None
    """Of the active action: replace these frames alone."""
    blend: float = 0.0
    """Frames at either end of the punch over which it fades."""


def bake(mesh: Object, parts: Sequence[Part], frames: Array[np.ndarray, "T"], placement: Placement) -> list[str]:
    """Key what an avatar's properties do at frames of the scene; return what else was changed, as sentences.

    If anything fails everything is as it was. Errors: InputError `avatar.linked`, `performance.*`.
    """
    check(mesh, placement)
    frames = frames.astype(np.float32).astype(float)  # as keys are stored, so that none is missed by rounding
    chosen = _apart(frames)
    frames, parts = frames[chosen], [replace(part, values=part.values[chosen]) for part in parts]
    with ExitStack() as undo:
        notes = _WAYS[placement.how](undo, _by_owner(parts), frames, placement)
        undo.pop_all()
    for owner in _by_owner(parts):
        owner.update_tag()
    return notes


def _apart(frames: Array[np.ndarray, "T"]) -> Array[np.ndarray, "K"]:
    """Return the samples that can be keys beside each other: live frames may arrive at almost the same time."""
    chosen = [0]
    for number in range(1, len(frames)):
        if frames[number] - frames[chosen[-1]] > SAME:
            chosen.append(number)
    return np.array(chosen)


def check(mesh: Object, placement: Placement) -> None:
    """Raise InputError where an avatar's animation cannot be changed so."""
    expressions.check_editable(mesh)
    bones = head_bones(mesh)
    if not all(map(is_editable, bones)):
        raise InputError(
            "avatar.linked",
            f"The bones of {bones[0].id_data.name} are linked from another file.",
            "Choose Object > Relations > Make Local > All, or Library Override > Make.",
        )
    for owner in (mesh.data.shape_keys, *({bones[0].id_data} if bones else ())):
        _check_animation(owner, placement)


def _check_animation(owner: ID, placement: Placement) -> None:
    data = owner.animation_data
    if data is None:
        return
    if data.use_tweak_mode:
        raise InputError(
            "performance.tweak", f"An NLA strip of {owner.name} is being tweaked.", "Leave Tweak Mode first."
        )
    if placement.how == "ACTIVE" and data.action is not None:
        _check_action(data.action, actions.animation_curves(owner))


def _check_action(action: Action, curves: Sequence[FCurve]) -> None:
    if action.library is not None:
        remedy = "Import as a new action, or make this one local."
        raise InputError("avatar.linked", f"The action {action.name} is linked from another file.", remedy)
    locked = next((curve.data_path for curve in curves if curve.lock), None)
    if locked is not None:
        remedy = "Unlock it in the Dope Sheet, or import as a new action."
        raise InputError("performance.locked", f"The channel {locked} of {action.name} is locked.", remedy)


def _onto_active(undo: ExitStack, owned: dict[ID, list[Part]], frames: np.ndarray, placement: Placement) -> list[str]:
    grid = frames_within(frames, placement.punch)
    made: list[Action] = []
    for owner, parts in owned.items():
        curves = {(curve.data_path, curve.array_index): curve for curve in actions.animation_curves(owner)}
        wanted = [part for part in parts if _is_wanted(part, {path for path, _ in curves})]
        if wanted and (owner.animation_data is None or owner.animation_data.action is None):
            _assign(undo, owner, _action_for(undo, owner, placement.name, made))
        channels = actions.ensure_animation_curves(owner) if wanted else None
        for part in wanted:
            there = [curves.get((part.channel.path, index)) for index in range(part.values.shape[1])]
            replace_stretch(undo, channels, part.at(frames, grid), there, grid, placement.blend)
    return []


def _into_new(undo: ExitStack, owned: dict[ID, list[Part]], frames: np.ndarray, placement: Placement) -> list[str]:
    made: list[Action] = []
    notes = []
    for owner, parts in owned.items():
        wanted = _of_new(owner, parts)
        if not wanted:
            continue
        old = owner.animation_data.action if owner.animation_data else None
        action = _action_for(undo, owner, placement.name, made)
        _fill(actions.ensure_curves(action, owner.id_type), wanted, frames)
        _assign(undo, owner, action)
        if old is not None and old.users == 0:
            undo.callback(setattr, old, "use_fake_user", False)
            old.use_fake_user = True
            notes.append(f"{old.name}, which was active before, is kept with a fake user.")
    return notes


def _as_strip(undo: ExitStack, owned: dict[ID, list[Part]], frames: np.ndarray, placement: Placement) -> list[str]:
    made: list[Action] = []
    notes: list[str] = []
    for owner, parts in owned.items():
        wanted = _on_top(parts, notes) if placement.is_additive else _of_new(owner, parts)
        if wanted:
            action = _action_for(undo, owner, placement.name, made)
            _fill(actions.ensure_curves(action, owner.id_type), wanted, frames)
            channels = [part.channel for part in wanted]
            notes += add_layer(undo, owner, action, channels, is_additive=placement.is_additive)
    return notes


_WAYS = {"ACTIVE": _onto_active, "ACTION": _into_new, "STRIP": _as_strip}


def _of_new(owner: ID, parts: Sequence[Part]) -> list[Part]:
    """Return the parts that need keys in a new action."""
    animated = {curve.data_path for curve in actions.animation_curves(owner)} | actions.strip_paths(owner)
    return [part for part in parts if _is_wanted(part, animated)]


def _on_top(parts: Sequence[Part], notes: list[str]) -> list[Part]:
    """Return the parts that can be added to others, which is not said of an axis with its angle."""
    moving = [part for part in parts if not part.is_still]
    added = [part for part in moving if part.channel.prop != "rotation_axis_angle"]
    if len(added) < len(moving):
        notes.append("Bones in Axis Angle mode have no additive layer: choose an Euler mode or Quaternion for them.")
    return added


def _is_wanted(part: Part, animated: set[str]) -> bool:
    """Tell whether a property needs keys: one that rests throughout only where it would not rest without them."""
    now = np.abs(np.subtract(part.channel.values(), part.channel.rest())).max()
    return not part.is_still or part.channel.path in animated or bool(now > STILL)


def _fill(channels: bpy.types.bpy_prop_collection, parts: Sequence[Part], frames: np.ndarray) -> None:
    """Key parts in an empty action; those that rest with one key."""
    for part in parts:
        kept = np.zeros(1, int) if part.is_still else part.kept(frames)
        for index, column in enumerate(part.values.T):
            curve = actions.new_curve(channels, part.channel.path, index, part.channel.group)
            add_straight(curve, frames[kept], column[kept])


def _action_for(undo: ExitStack, owner: ID, name: str, made: list[Action]) -> Action:
    """Return a new action for an owner; with slots one serves all, before them each has its own."""
    if made and actions.SLOTTED:
        return made[0]
    action = bpy.data.actions.new(f"{name} Bones" if made else name)
    undo.callback(bpy.data.actions.remove, action)
    made.append(action)
    return action


def _assign(undo: ExitStack, owner: ID, action: Action) -> None:
    """Let a new action animate an owner; undone, the former one does."""
    data = owner.animation_data
    former, slot = (data.action, getattr(data, "action_slot", None)) if data else (None, None)

    def back() -> None:
        owner.animation_data.action = former
        if slot is not None:
            owner.animation_data.action_slot = slot

    undo.callback(back)
    actions.assign(owner, action)


def _by_owner(parts: Sequence[Part]) -> dict[ID, list[Part]]:
    owned: dict[ID, list[Part]] = {}
    for part in parts:
        owned.setdefault(part.channel.owner, []).append(part)
    return owned
