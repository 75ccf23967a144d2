"""Keyframes of an avatar's expression: on its controls and on its bones' rotations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bpy.types import ID, Context, Object, PoseBone, Scene, ShapeKey

from . import actions, expressions, find
from .head_bones import head_bones, is_editable, rotation_property

TOLERANCE = 1e-5
"""Below this a value counts as unchanged: single precision through an F-curve is a little off."""


@dataclass(frozen=True)
class Channel:
    """A property that the animator keys: a control's value, or the rotation of a bone."""

    struct: ShapeKey | PoseBone
    prop: str
    group: str

    @property
    def owner(self) -> ID:
        """The data-block that carries the animation."""
        return self.struct.id_data

    @property
    def path(self) -> str:
        """The data path, seen from the owner."""
        return self.struct.path_from_id(self.prop)

    def values(self) -> tuple[float, ...]:
        """Return what the property is now."""
        value = getattr(self.struct, self.prop)
        return (value,) if isinstance(value, float) else tuple(value)

    def rest(self) -> tuple[float, ...]:
        """Return what the property is in the neutral head."""
        described = self.struct.bl_rna.properties[self.prop]
        return tuple(described.default_array) if described.is_array else (0.0,)


def channels(mesh: Object) -> list[Channel]:
    """Return all that an expression consists of: every control, and the rotation of every bone."""
    return control_channels(mesh) + bone_channels(head_bones(mesh))


def control_channels(mesh: Object, names: Iterable[str] | None = None) -> list[Channel]:
    """Return the channels of controls, of all unless names are given; those linked or set by a driver are left out."""
    if not expressions.is_editable(mesh):
        return []
    wanted = None if names is None else set(names)
    driven = _driven_paths(mesh.data.shape_keys)
    chosen = [key for key in find.controls(mesh) if wanted is None or key.name in wanted]
    return [
        Channel(key, "value", expressions.group_of(key.name))
        for key in chosen
        if actions.control_path(key.name) not in driven
    ]


def bone_channels(bones: Iterable[PoseBone]) -> list[Channel]:
    """Return the channels of bones that can be turned."""
    return [Channel(bone, rotation_property(bone), bone.name) for bone in bones if is_editable(bone)]


def changed(of: Iterable[Channel], frame: float) -> list[Channel]:
    """Return the channels that differ from their animation at a frame, or from rest where they have none.

    What only NLA strips animate counts as changed: their blended value cannot be asked for.
    """
    found = []
    for owner, members in _by_owner(of).items():
        curves = {(curve.data_path, curve.array_index): curve for curve in actions.animation_curves(owner)}
        strips = actions.strip_paths(owner)
        time = _action_time(owner, frame)
        for channel in members:
            expected = [
                curves[channel.path, index].evaluate(time) if (channel.path, index) in curves else rest
                for index, rest in enumerate(channel.rest())
            ]
            unknown = channel.path in strips and (channel.path, 0) not in curves
            if unknown or _differ(channel.values(), expected):
                found.append(channel)
    return found


def insert_keys(of: Iterable[Channel], frame: float, options: set[str] | None = None) -> int:
    """Key channels at a frame; return how many were: Blender refuses some that an override lets change."""
    return sum(
        bool(channel.struct.keyframe_insert(channel.prop, frame=frame, group=channel.group, options=options or set()))
        for channel in of
    )


def delete_keys(of: Iterable[Channel], frame: float) -> int:
    """Take away the keys of channels at a frame; return how many channels had one."""
    count = 0
    for owner, members in _by_owner(of).items():
        keyed = {curve.data_path for curve in actions.animation_curves(owner) if _has_key(curve, owner, frame)}
        for channel in members:
            if channel.path in keyed:
                channel.struct.keyframe_delete(channel.prop, frame=frame)
                count += 1
    return count


def auto_key(context: Context, of: Iterable[Channel]) -> int:
    """Key channels at the current frame if auto-keying is on, as its settings say; return how many were."""
    if not context.scene.tool_settings.use_keyframe_insert_auto:
        return 0
    return insert_keys(of, current_frame(context.scene), _auto_key_options(context))


def current_frame(scene: Scene) -> float:
    """Return the playhead's place, subframe included."""
    return scene.frame_current_final


def _auto_key_options(context: Context) -> set[str]:
    edit = context.preferences.edit
    chosen = {
        "INSERTKEY_REPLACE": context.scene.tool_settings.auto_keying_mode == "REPLACE_KEYS",
        "INSERTKEY_AVAILABLE": edit.use_keyframe_insert_available,
        "INSERTKEY_NEEDED": edit.use_auto_keyframe_insert_needed,
    }
    return {option for option, on in chosen.items() if on}


def _by_owner(of: Iterable[Channel]) -> dict[ID, list[Channel]]:
    grouped: dict[ID, list[Channel]] = {}
    for channel in of:
        grouped.setdefault(channel.owner, []).append(channel)
    return grouped


def _driven_paths(owner: ID) -> set[str]:
    data = owner.animation_data
    return {curve.data_path for curve in data.drivers} if data else set()


def _action_time(owner: ID, frame: float) -> float:
    """Return the frame of the action that plays at a frame of the scene: another one only in NLA's tweak mode."""
    data = owner.animation_data
    if data is None or not data.use_tweak_mode:
        return frame
    return data.nla_tweak_strip_time_to_scene(frame, invert=True)


def _has_key(curve: object, owner: ID, frame: float) -> bool:
    time = _action_time(owner, frame)
    return any(abs(point.co.x - time) < 0.01 for point in curve.keyframe_points)


def _differ(values: Iterable[float], expected: Iterable[float]) -> bool:
    return any(abs(a - b) > TOLERANCE for a, b in zip(values, expected, strict=True))
