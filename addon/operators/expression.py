"""Operators on the active avatar's expression: reset, mirror, key, and the photograph's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty
from bpy.types import Context, Object, Operator, PoseBone

from likeness.contract.errors import LikenessError

from ..scene import actions, expressions, find, head_bones, keys

GROUP_ITEMS = (
    ("ALL", "All", "The whole face and the bones"),
    *((group.upper().replace(" ", "_"), group, f"The group {group}") for group in expressions.GROUPS),
    ("HEAD", "Head Pose", "The bones: neck, jaw and eyes"),
)
GROUP_OF_ITEM = {item: name for item, name, _ in GROUP_ITEMS}
ITEM_OF_GROUP = {name: item for item, name, _ in GROUP_ITEMS}
DIRECTION_ITEMS = (
    ("SWAP", "Swap Sides", "Mirror the whole expression: left goes right, right goes left"),
    ("LEFT_TO_RIGHT", "Left to Right", "Let the subject's right side do what the left side does"),
    ("RIGHT_TO_LEFT", "Right to Left", "Let the subject's left side do what the right side does"),
)
WHICH_ITEMS = (
    ("ALL", "All", "Key every control and every bone of the avatar"),
    ("CHANGED", "Changed", "Key only what differs from its animation here, or from rest where it is not animated"),
)


class AvatarOperator:
    """What operators on the active avatar share: when they can run, and how they say why they cannot."""

    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an active avatar of which anything may be changed."""
        mesh = find.active_avatar(context)
        if mesh is None:
            cls.poll_message_set("Select an avatar first")
            return False
        if not (expressions.is_editable(mesh) or any(map(head_bones.is_editable, head_bones.head_bones(mesh)))):
            cls.poll_message_set("The avatar is linked: Object > Relations > Make Local > All lets you change it here")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Act on the active avatar; errors become reports."""
        try:
            return self.act(context, find.active_avatar(context))
        except LikenessError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}


def set_controls(operator: Operator, mesh: Object, values: Mapping[str, float]) -> list[str]:
    """Set controls and return those that changed; say so where they are linked and only bones can follow."""
    if expressions.is_editable(mesh):
        return expressions.set_control_values(mesh, values)
    operator.report({"WARNING"}, f"The controls of {mesh.name} are linked: only its bones were changed")
    return []


def finish(context: Context, mesh: Object, names: Iterable[str], bones: Iterable[PoseBone] = ()) -> set[str]:
    """Key what changed if auto-keying is on, and end the operator."""
    keys.auto_key(context, [*keys.control_channels(mesh, names), *keys.bone_channels(bones)])
    return {"FINISHED"}


class ResetExpression(AvatarOperator, Operator):
    """Put the face to rest, all of it or one group of controls"""

    bl_idname = "likeness.reset_expression"
    bl_label = "Reset Expression"

    group: EnumProperty(
        items=GROUP_ITEMS, name="Group", description="What to reset", default="ALL", options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, _context: Context, properties: bpy.types.OperatorProperties) -> str:
        """Name what the button resets."""
        if properties.group == "ALL":
            return "Put all controls and bones of the avatar to rest"
        return f"Put {GROUP_OF_ITEM[properties.group]} to rest"

    def act(self, context: Context, mesh: Object) -> set[str]:
        """Set the group's controls to zero, and its bones to rest."""
        group = GROUP_OF_ITEM[self.group]
        names = [name for name in expressions.control_values(mesh) if group in ("All", expressions.group_of(name))]
        changed = set_controls(self, mesh, dict.fromkeys(names, 0.0)) if names else []
        bones = head_bones.reset_bones(mesh) if self.group in ("ALL", "HEAD") else []
        return finish(context, mesh, changed, bones)


class MirrorExpression(AvatarOperator, Operator):
    """Mirror the expression, gaze and bones included"""

    bl_idname = "likeness.mirror_expression"
    bl_label = "Mirror Expression"

    direction: EnumProperty(
        items=DIRECTION_ITEMS,
        name="Direction",
        description="Which side gives; left and right are the subject's own",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: Context, properties: bpy.types.OperatorProperties) -> str:
        """Say what the chosen direction does."""
        return next(text for item, _, text in DIRECTION_ITEMS if item == properties.direction)

    def act(self, context: Context, mesh: Object) -> set[str]:
        """Mirror controls and bones; FLAME's coefficients have no sides and stay."""
        values = expressions.control_values(mesh)
        changed = set_controls(self, mesh, expressions.mirrored(values, self.direction))
        bones = head_bones.mirror_bones(mesh, self.direction)
        if any(
            abs(value) > 0 for name, value in values.items() if expressions.group_of(name) == expressions.COEFFICIENTS
        ):
            self.report({"WARNING"}, "FLAME coefficients have no left and right: they were left as they are")
        return finish(context, mesh, changed, bones)


class KeyExpression(AvatarOperator, Operator):
    """Key the expression at the current frame"""

    bl_idname = "likeness.key_expression"
    bl_label = "Key Expression"

    which: EnumProperty(
        items=WHICH_ITEMS, name="Which", description="What to key", default="CHANGED", options={"SKIP_SAVE"}
    )
    clear: BoolProperty(
        name="Clear",
        description="Take away the avatar's keys at the current frame instead",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: Context, properties: bpy.types.OperatorProperties) -> str:
        """Say what the button does to the keys."""
        if properties.clear:
            return "Take away the avatar's keys at the current frame"
        return next(text for item, _, text in WHICH_ITEMS if item == properties.which)

    def act(self, context: Context, mesh: Object) -> set[str]:
        """Insert or delete keys at the playhead and report how many."""
        frame = keys.current_frame(context.scene)
        channels = keys.channels(mesh)
        if self.clear:
            return self._told("Cleared", keys.delete_keys(channels, frame), frame)
        if self.which == "CHANGED":
            channels = keys.changed(channels, frame)
        count = keys.insert_keys(channels, frame)
        if count < len(channels):
            refused = f"Blender refused to key {len(channels) - count} of {len(channels)} channels"
            self.report({"WARNING"}, f"{refused}: their action or shape keys are linked. Make them local.")
        return self._told("Keyed", count, frame)

    def _told(self, done: str, count: int, frame: float) -> set[str]:
        if count:
            self.report({"INFO"}, f"{done} {count} {'channel' if count == 1 else 'channels'} at frame {frame:g}")
            return {"FINISHED"}
        self.report({"INFO"}, "No keys at this frame" if self.clear else "Nothing to key has changed here")
        return {"CANCELLED"}


class PortraitExpression(AvatarOperator, Operator):
    """Let the face do what it does in the photograph"""

    bl_idname = "likeness.portrait_expression"
    bl_label = "Portrait Expression"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an avatar that still has its photograph's expression."""
        if not super().poll(context):
            return False
        if find.active_avatar(context).likeness.portrait.expression is None:
            cls.poll_message_set("The action with the photograph's expression was removed from this file")
            return False
        return True

    def act(self, context: Context, mesh: Object) -> set[str]:
        """Set the photograph's controls, all others to zero, and the joints as they were."""
        target = actions.expression_values(mesh.likeness.portrait.expression)
        current = expressions.control_values(mesh)
        changed = set_controls(self, mesh, expressions.blended(current, target, 1.0))
        return finish(context, mesh, changed, head_bones.pose_as_in_portrait(mesh))


CLASSES = (
    ResetExpression,
    MirrorExpression,
    KeyExpression,
    PortraitExpression,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
