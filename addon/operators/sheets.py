"""Sheets beside the scene's renders: an avatar's expressions from all around, and avatars side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.types import Context, Event, Operator

from likeness.contract.errors import LikenessError

from .. import session
from ..client import EngineClient, EngineState, Job
from ..conventions import units_to_metres
from ..render.avatars import read_source
from ..render.output import file_name, output_file, show_picture, write_picture
from ..render.poses import posed, sheet_expressions
from ..render.sheets import Sheet, contact_sheet, draw, line_up, stand
from ..scene import find
from .work import Waiter, Work


@dataclass(frozen=True)
class Drawing:
    """A sheet and where it goes."""

    name: str
    """Of the image in Blender."""
    path: Path
    sheet: Sheet


class SheetMaker(Waiter):
    """What operators share that have the engine draw a sheet; they leave the scene as it is, so there is no undo."""

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Start, and wait without holding Blender up."""
        if context.window is None:
            return self.execute(context)
        try:
            self.drawing = self.prepare(context)
            client = session.client()
        except LikenessError as error:
            return self.failed(error)
        sheet = self.drawing.sheet
        return self.wait_for(context, Work(lambda work: draw(sheet, lambda job: _follow(work, job, client))))

    def execute(self, context: Context) -> set[str]:
        """Block until the sheet is written."""
        try:
            self.drawing = self.prepare(context)
            return self._keep(context, draw(self.drawing.sheet))
        except LikenessError as error:
            return self.failed(error)

    def conclude(self, context: Context, work: Work[bytes]) -> set[str]:
        """Write what the engine has drawn."""
        ended = self.without_result(work)
        if ended:
            return ended
        try:
            return self._keep(context, work.result)
        except LikenessError as error:
            return self.failed(error)

    def _keep(self, context: Context, png: bytes) -> set[str]:
        write_picture(self.drawing.path, png)
        show_picture(context, self.drawing.path, self.drawing.name)
        session.dismiss()
        self.report({"INFO"}, f"Written to {self.drawing.path}")
        return {"FINISHED"}


class ContactSheet(SheetMaker, Operator):
    """Write a picture of the avatar's expressions from all around into the scene's output folder"""

    bl_idname = "likeness.contact_sheet"
    bl_label = "Contact Sheet"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an active avatar, and for one thing at a time."""
        if find.active_avatar(context) is None:
            cls.poll_message_set("Select an avatar first")
            return False
        return super().poll(context)

    def prepare(self, context: Context) -> Drawing:
        """Read the avatar in every expression. Errors: InputError."""
        mesh = find.active_avatar(context)
        path = output_file(context.scene, f"{file_name(mesh.name)}_contact_sheet.png")
        wanted = sheet_expressions(mesh)
        placed = posed(context, read_source(mesh), wanted)
        return Drawing(
            f"{mesh.name} Contact Sheet", path, contact_sheet(mesh.name, [each.name for each in wanted], placed)
        )


class LineUp(SheetMaker, Operator):
    """Write a picture of the selected avatars side by side, at their sizes in the scene, into its output folder.
    Unless several are selected it shows all"""

    bl_idname = "likeness.line_up"
    bl_label = "Line-Up"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for avatars, and for one thing at a time."""
        if not find.avatars(context.scene):
            cls.poll_message_set("There is no avatar in this scene")
            return False
        return super().poll(context)

    def prepare(self, context: Context) -> Drawing:
        """Read the avatars as they stand. Errors: InputError."""
        path = output_file(context.scene, "line_up.png")
        selected = find.selected_avatars(context)
        shown = selected if len(selected) > 1 else find.avatars(context.scene)
        depsgraph = context.evaluated_depsgraph_get()
        standing = [stand(read_source(mesh), depsgraph) for mesh in shown]
        return Drawing(
            "Line-Up", path, line_up("Line-Up", standing, units_to_metres(context.scene.unit_settings.scale_length))
        )


def _follow(work: Work[bytes], job: Job, client: EngineClient) -> bool:
    """Take over a job's progress; end the job with the work."""
    starting = client.status.state == EngineState.STARTING
    work.stage = "Starting the engine" if starting else job.stage.capitalize() or "Sending the avatars"
    work.fraction = job.fraction
    return not work.cancelled


CLASSES = (ContactSheet, LineUp)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
