"""Operators on expression presets: apply, save, rename, delete."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import FloatProperty, StringProperty
from bpy.types import Context, Event, Object, Operator

from likeness.contract.errors import LikenessError

from ..scene import expressions, find, presets
from .expression import AvatarOperator, finish


class ApplyPreset(AvatarOperator, Operator):
    """Set the face to a preset; other controls go to zero, bones stay"""

    bl_idname = "likeness.apply_preset"
    bl_label = "Apply Expression Preset"

    name: StringProperty(name="Preset", description="The preset's name", options={"SKIP_SAVE"})
    amount: FloatProperty(
        name="Amount",
        description="How far to go from the present expression to the preset",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: Context, properties: bpy.types.OperatorProperties) -> str:
        """Name the preset."""
        return f"Set the face to {properties.name}; other controls go to zero, bones stay"

    def act(self, context: Context, mesh: Object) -> set[str]:
        """Blend towards the preset; say which of its controls this avatar lacks."""
        target = presets.preset_values(self.name)
        current = expressions.control_values(mesh)
        missing = len(target.keys() - current.keys())
        if missing:
            self.report({"WARNING"}, f"{missing} of the preset's {len(target)} controls are not on this head")
        changed = expressions.set_control_values(mesh, expressions.blended(current, target, self.amount))
        return finish(context, mesh, changed)


class SavePreset(AvatarOperator, Operator):
    """Save the present expression as a preset: its controls that are not zero"""

    bl_idname = "likeness.save_preset"
    bl_label = "Save Expression Preset"

    name: StringProperty(name="Name", description="The new preset's name", default="My Expression")

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an active avatar; a linked one will do."""
        if find.active_avatar(context) is None:
            cls.poll_message_set("Select an avatar first")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask for the name."""
        return context.window_manager.invoke_props_dialog(self)

    def act(self, _context: Context, mesh: Object) -> set[str]:
        """Make the preset's action, or overwrite it."""
        action = presets.save_preset(self.name, expressions.control_values(mesh))
        self.report({"INFO"}, f"Saved {action.name}")
        return {"FINISHED"}


class PresetOperator:
    """What operators on a user's preset share; they need no avatar."""

    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, _context: Context) -> set[str]:
        """Act on the named preset; errors become reports."""
        try:
            self.act()
        except LikenessError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}
        return {"FINISHED"}


class RenamePreset(PresetOperator, Operator):
    """Give this preset another name"""

    bl_idname = "likeness.rename_preset"
    bl_label = "Rename Expression Preset"

    name: StringProperty(name="Preset", description="The preset's present name", options={"HIDDEN", "SKIP_SAVE"})
    new_name: StringProperty(name="Name", description="The preset's new name", options={"SKIP_SAVE"})

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask for the name, beginning with the present one."""
        self.new_name = self.name
        return context.window_manager.invoke_props_dialog(self)

    def act(self) -> None:
        """Rename the preset's action."""
        presets.rename_preset(self.name, self.new_name)


class DeletePreset(PresetOperator, Operator):
    """Delete this preset"""

    bl_idname = "likeness.delete_preset"
    bl_label = "Delete Expression Preset"

    name: StringProperty(name="Preset", description="The preset's name", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask before deleting."""
        return context.window_manager.invoke_confirm(self, event)

    def act(self) -> None:
        """Remove the preset."""
        presets.delete_preset(self.name)


CLASSES = (
    ApplyPreset,
    SavePreset,
    RenamePreset,
    DeletePreset,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
