"""Operators on whole avatars: open a .likeness file, remove, select, and go to the bones and back."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import CollectionProperty, StringProperty
from bpy.types import Context, Event, FileHandler, Object, Operator, OperatorFileListElement

from likeness.contract.avatar_file import read_avatar

from ..scene import find
from ..scene.prepare import prepare
from ..scene.remove import remove_avatar
from .maker import HIDDEN, AvatarMaker, Made, enter_object_mode, names_of
from .work import Work


class OpenAvatar(AvatarMaker, Operator):
    """Add an avatar from a .likeness file to the scene"""

    bl_idname = "likeness.open_avatar"
    bl_label = "Open Avatar"

    filepath: StringProperty(name="File", description=".likeness file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options=HIDDEN)
    files: CollectionProperty(type=OperatorFileListElement, options=HIDDEN)
    filter_glob: StringProperty(default="*.likeness", options=HIDDEN)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Let the user choose a file unless one is given."""
        return self.begin(context) if self.paths() else self.browse(context)

    def invoke_for(self, paths: list[Path]) -> None:
        """Begin again, modal, with these files."""
        if paths:
            bpy.ops.likeness.open_avatar("INVOKE_DEFAULT", **names_of(paths))

    def execute(self, context: Context) -> set[str]:
        """Block until the avatars are there. Without a file there is nothing to do, which is an error."""
        if not self.paths():
            self.report({"ERROR"}, "No file is given. Give its path as filepath.")
            return {"CANCELLED"}
        return super().execute(context)

    def start_work(self, path: Path) -> Work[Made]:
        """Start reading the file."""
        return Work(lambda work: _read(work, path))


class OnAvatar:
    """What operators on the active avatar share."""

    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an active avatar."""
        if find.active_avatar(context) is None:
            cls.poll_message_set("Select an avatar first")
            return False
        return True


class RemoveAvatar(OnAvatar, Operator):
    """Remove this avatar whole: its mesh, rig and splats, and its photograph where nothing else uses it"""

    bl_idname = "likeness.remove_avatar"
    bl_label = "Remove Avatar"

    def execute(self, context: Context) -> set[str]:
        """Remove it; what another avatar or the user's own objects use stays."""
        mesh = find.active_avatar(context)
        if mesh.library is not None:
            self.report({"ERROR"}, "The avatar is linked from another file. Remove its collection instance instead.")
            return {"CANCELLED"}
        enter_object_mode(context)
        name = mesh.name
        remove_avatar(mesh)
        self.report({"INFO"}, f"Removed {name}")
        return {"FINISHED"}


class SelectAvatar(Operator):
    """Make this avatar the active object"""

    bl_idname = "likeness.select_avatar"
    bl_label = "Select Avatar"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    name: StringProperty(name="Avatar", description="Name of the avatar's mesh", options={"SKIP_SAVE"})

    def execute(self, context: Context) -> set[str]:
        """Select its mesh alone."""
        mesh = context.scene.objects.get(self.name)
        if mesh is None or find.avatar_of(mesh) is not mesh:
            self.report({"ERROR"}, f"There is no avatar named {self.name} in this scene. Choose another.")
            return {"CANCELLED"}
        return _go_to(self, context, mesh)


class SelectRig(OnAvatar, Operator):
    """Go to the bones of neck, jaw and eyes in Pose Mode; from there, back to the avatar's mesh"""

    bl_idname = "likeness.select_rig"
    bl_label = "Pose Bones"

    def execute(self, context: Context) -> set[str]:
        """Enter pose mode on the rig, or leave it for the mesh."""
        mesh = find.active_avatar(context)
        rig = find.armature_of(mesh)
        if rig is None:
            self.report({"ERROR"}, "The avatar has lost its rig. Undo, or create the avatar again.")
            return {"CANCELLED"}
        if context.mode == "POSE" and context.object == rig:
            return _go_to(self, context, mesh)
        if not _may_be_posed(rig):
            self.report({"ERROR"}, "The bones are linked. Choose Object > Library Override > Make to pose them.")
            return {"CANCELLED"}
        ended = _go_to(self, context, rig)
        if ended == {"FINISHED"}:
            bpy.ops.object.mode_set(mode="POSE")
        return ended


class AvatarDrop(FileHandler):
    """Avatar files dropped on the 3D view"""

    bl_idname = "LIKENESS_FH_avatar"
    bl_label = "Likeness Avatar"
    bl_import_operator = "likeness.open_avatar"
    bl_file_extensions = ".likeness"

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Take them in a 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


def _read(work: Work[Made], path: Path) -> Made:
    work.stage = "Reading the avatar"
    avatar = read_avatar(path)
    work.stage, work.fraction = "Preparing the avatar", 0.5
    return Made(prepare(avatar))


def _may_be_posed(rig: Object) -> bool:
    """Tell whether Blender lets the rig into Pose Mode: not a linked one, nor an override that it made by itself."""
    override = rig.override_library
    return rig.library is None and not (override is not None and override.is_system_override)


def _go_to(operator: Operator, context: Context, item: Object) -> set[str]:
    """Leave the mode, and select and activate one object alone."""
    if not item.visible_get():
        operator.report({"ERROR"}, f"{item.name} is hidden. Show it in the Outliner first.")
        return {"CANCELLED"}
    enter_object_mode(context)
    for other in context.selected_objects:
        other.select_set(False)
    item.select_set(True)
    context.view_layer.objects.active = item
    return {"FINISHED"}


CLASSES = (OpenAvatar, RemoveAvatar, SelectAvatar, SelectRig, AvatarDrop)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
