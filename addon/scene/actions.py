"""Actions of shape keys: the one way into F-curves from Blender 4.2 to 5.x, and actions that hold one expression.

From 4.4 on an action has slots, layers and strips, and the F-curves lie in a channelbag for each slot; 5.0 took
`Action.fcurves` away. Everybody else reads and writes F-curves through `ensure_curves`, `ensure_animation_curves`,
`new_curve`, `curves` and `animation_curves` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
from bpy.types import ID, Action, FCurve

SLOTTED = "slots" in Action.bl_rna.properties
"""Whether actions have slots and layers (from 4.4)."""

EXPRESSION_FRAME = 1.0
_PREFIX, _SUFFIX = 'key_blocks["', '"].value'


def control_path(name: str) -> str:
    """Return the data path of a control's value, seen from the mesh's shape keys."""
    return f"{_PREFIX}{bpy.utils.escape_identifier(name)}{_SUFFIX}"


def control_name(data_path: str) -> str | None:
    """Return the control that a data path drives, or None if it is no control's value."""
    if not (data_path.startswith(_PREFIX) and data_path.endswith(_SUFFIX)):
        return None
    return bpy.utils.unescape_identifier(data_path[len(_PREFIX) : -len(_SUFFIX)])


def ensure_curves(action: Action, id_type: str = "KEY") -> bpy.types.bpy_prop_collection:
    """Return the F-curves that animate data-blocks of a type; on slotted actions make slot, layer and strip if need be.

    The collection's `new(data_path, index=...)` and `remove(curve)` are the same in all versions.
    """
    if not SLOTTED:
        action.id_root = id_type
        return action.fcurves
    return _ensure_slot_curves(action, _slot(action, id_type) or action.slots.new(id_type, id_type.title()))


def ensure_animation_curves(owner: ID) -> bpy.types.bpy_prop_collection:
    """Return the F-curves of the action that a data-block is animated by, as `ensure_curves`; it has one."""
    data = owner.animation_data
    if SLOTTED and data.action_slot is None:
        assign(owner, data.action)
    return _ensure_slot_curves(data.action, data.action_slot) if SLOTTED else data.action.fcurves


def assign(owner: ID, action: Action) -> None:
    """Let a data-block be animated by an action, by the action's first slot for such data-blocks."""
    ensure_curves(action, owner.id_type)
    data = owner.animation_data_create()
    data.action = action
    if SLOTTED:
        data.action_slot = _slot(action, owner.id_type)


def new_curve(channels: bpy.types.bpy_prop_collection, data_path: str, index: int, group: str) -> FCurve:
    """Add an F-curve to a group of its action's."""
    curve, groups = channels.new(data_path, index=index), channels.data.groups
    curve.group = groups.get(group) or groups.new(group)
    return curve


def curves(action: Action, id_type: str = "KEY") -> Sequence[FCurve]:
    """Return the F-curves that animate data-blocks of a type, none where the action has none; change nothing."""
    if not SLOTTED:
        return action.fcurves if action.id_root == id_type else ()
    return _slot_curves(action, _slot(action, id_type))


def animation_curves(owner: ID) -> Sequence[FCurve]:
    """Return the F-curves of the action that a data-block is animated by now; drivers and NLA strips are not in it."""
    data = owner.animation_data
    if data is None or data.action is None:
        return ()
    return _slot_curves(data.action, data.action_slot) if SLOTTED else data.action.fcurves


def strip_paths(owner: ID) -> set[str]:
    """Return the data paths that the NLA strips of a data-block animate, muted ones left out."""
    data = owner.animation_data
    strips = [strip for track in data.nla_tracks if not track.mute for strip in track.strips] if data else []
    played = [strip for strip in strips if strip.action is not None and not strip.mute]
    return {curve.data_path for strip in played for curve in _strip_curves(strip)}


def new_expression(name: str, values: Mapping[str, float]) -> Action:
    """Make an action that holds an expression: one constant key for each control, at frame 1.

    It has a fake user, so that it is saved though nothing uses it. Blender may number the name.
    """
    action = bpy.data.actions.new(name)
    action.use_fake_user = True
    set_expression(action, values)
    return action


def set_expression(action: Action, values: Mapping[str, float]) -> None:
    """Let an action hold this expression and nothing else for shape keys."""
    channels = ensure_curves(action)
    for curve in list(channels):
        channels.remove(curve)
    for control, value in values.items():
        points = channels.new(control_path(control), index=0).keyframe_points
        points.add(1)
        points[0].co = (EXPRESSION_FRAME, value)
        points[0].interpolation = "CONSTANT"


def expression_values(action: Action) -> dict[str, float]:
    """Return the controls that an action holds with their values at frame 1; what moves no control is left out."""
    named = ((control_name(curve.data_path), curve) for curve in curves(action))
    return {name: curve.evaluate(EXPRESSION_FRAME) for name, curve in named if name is not None}


def _strip_curves(strip: bpy.types.NlaStrip) -> Sequence[FCurve]:
    return _slot_curves(strip.action, strip.action_slot) if SLOTTED else strip.action.fcurves


def _ensure_slot_curves(action: Action, slot: bpy.types.ActionSlot) -> bpy.types.bpy_prop_collection:
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def _slot(action: Action, id_type: str) -> bpy.types.ActionSlot | None:
    return next((slot for slot in action.slots if slot.target_id_type == id_type), None)


def _slot_curves(action: Action, slot: bpy.types.ActionSlot | None) -> Sequence[FCurve]:
    if slot is None or not action.layers or not action.layers[0].strips:
        return ()
    bag = action.layers[0].strips[0].channelbag(slot)
    return bag.fcurves if bag else ()
