"""A performance as a layer of the NLA: a strip on a track of its own, above all that is animated already."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from math import floor

import bpy
from bpy.types import ID, Action, AnimData, NlaStrip

from . import actions
from .keys import Channel


def add_layer(
    undo: ExitStack, owner: ID, action: Action, channels: Sequence[Channel], *, is_additive: bool
) -> list[str]:
    """Play an action's slot for an owner from a new strip, where its keys are; return what else was changed.

    The active action would hide the strip, so it is pushed down first, as Blender's own button does.
    """
    data = owner.animation_data_create()
    notes = _push_down(undo, data)
    is_lowest = not actions.strip_paths(owner)
    if is_additive or not is_lowest:
        _add_base(undo, owner, f"{action.name} Base", channels)
    strip = _add_strip(undo, data, owner, action, action.name)
    if not is_lowest:  # as Blender has it: only the lowest holds its first frame, any other would hide what is earlier
        strip.extrapolation = "HOLD_FORWARD"
    if is_additive:
        strip.extrapolation = "NOTHING"
        # Combine adds as Add does, but turns quaternions; a control's default in Blender 5 is no rest for it.
        strip.blend_type = "ADD" if owner.id_type == "KEY" else "COMBINE"
    return notes


def _push_down(undo: ExitStack, data: AnimData) -> list[str]:
    action = data.action
    if action is None:
        return []
    slot = getattr(data, "action_slot", None)
    strip = _add_strip(undo, data, data.id_data, action, action.name)
    strip.extrapolation, strip.blend_type = data.action_extrapolation, data.action_blend_type
    strip.influence = data.action_influence

    def back() -> None:
        data.action = action
        if slot is not None:
            data.action_slot = slot

    undo.callback(back)
    data.action = None
    return [f"{action.name}, which was active, is pushed down to a strip below."]


def _add_base(undo: ExitStack, owner: ID, name: str, channels: Sequence[Channel]) -> None:
    """Hold what nothing animates as it is now: where no strip says anything Blender puts the properties' defaults."""
    known = actions.strip_paths(owner)
    bare = [channel for channel in channels if channel.path not in known]
    if not bare:
        return
    action = bpy.data.actions.new(name)
    undo.callback(bpy.data.actions.remove, action)
    curves = actions.ensure_curves(action, owner.id_type)
    for channel in bare:
        for index, value in enumerate(channel.values()):
            points = actions.new_curve(curves, channel.path, index, channel.group).keyframe_points
            points.add(1)
            points[0].co = (actions.EXPRESSION_FRAME, value)
            points[0].interpolation = "CONSTANT"
    _add_strip(undo, owner.animation_data, owner, action, name)


def _add_strip(undo: ExitStack, data: AnimData, owner: ID, action: Action, name: str) -> NlaStrip:
    """Add a strip above all others that plays an action where its keys are, fractions of frames included."""
    track = data.nla_tracks.new()
    undo.callback(data.nla_tracks.remove, track)
    track.name = name
    start, end = action.frame_range
    strip = track.strips.new(name, floor(start), action)
    if actions.SLOTTED:
        slots = (slot for slot in action.slots if slot.target_id_type == owner.id_type)
        strip.action_slot = data.action_slot if data.action == action else next(slots)
    if end > start:
        strip.action_frame_end, strip.action_frame_start = end, start  # the end first: Blender keeps them in order
        strip.frame_end_raw, strip.frame_start_raw = end, start
        strip.scale = 1.0
    return strip
