"""Import Performance: a captured performance becomes keys of the active avatar."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, FileHandler, Menu, Object, Operator, Scene

from likeness.contract.errors import InputError, LikenessError
from likeness.contract.failures import as_likeness_error
from likeness.contract.messages import PerformanceDescribed

from .. import performances, receiving, session
from ..performance_properties import OPTIONS, PerformanceOptions
from ..photo import shown
from ..scene import bake, find
from ..scene.bake import Placement
from ..scene.keys import current_frame
from ..scene.performance import Bounds
from ..scene.placing import Choices, Done, put_on, rate
from ..scene.preview import Preview
from ..scene.sound import add_sound
from .maker import HIDDEN
from .receive_performance import Playback, Receiving, motion_of, receive, request_for
from .work import BUSY, Waiter

RECORDINGS = (".csv", ".json", ".npz")
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts")
PATTERNS = ";".join(f"*{suffix}" for suffix in (*RECORDINGS, *VIDEOS))


class ImportPerformance(PerformanceOptions, Waiter, Operator):
    """Put a captured performance on the avatar, as keys: of a video, Live Link Face, ARKit or FLAME. Esc cancels"""

    bl_idname = "likeness.import_performance"
    bl_label = "Import Performance"
    bl_options: ClassVar = {"UNDO"}  # not REGISTER: Adjust Last Operation would track the video again

    filepath: StringProperty(
        name="File", description="The performance's file, as the engine sees it", subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )  # fmt: skip
    browsing: BoolProperty(name="Choose File", description="Let the user choose a file", options=HIDDEN)
    filter_glob: StringProperty(default=PATTERNS, options=HIDDEN)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an active avatar that nothing else moves, and for one thing at a time."""
        if receiving.current is not None:
            cls.poll_message_set("A live performance is being received: stop it first")
            return False
        if find.active_avatar(context) is None:
            cls.poll_message_set("Select an avatar first")
            return False
        return super().poll(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Take from the panel what was not given; without a file let the user choose one."""
        panel = context.window_manager.likeness_performance
        for name in ("filepath", *OPTIONS):
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(panel, name))
        if self.browsing or not self.filepath:
            self.is_browsing = True
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        panel.filepath = self.filepath
        if context.window is None:
            return self.execute(context)
        try:
            work = self._start(context)
        except LikenessError as error:
            return self.failed(error)
        return self.wait_for(context, work)

    def execute(self, context: Context) -> set[str]:
        """Block until the performance is on the avatar; the file browser's choice becomes modal instead."""
        if getattr(self, "is_browsing", False):
            return self._begin_again()
        try:
            work = self._start(context)
        except LikenessError as error:
            return self.failed(error)
        self.block_for(work)
        return self.conclude(context, work)

    def draw(self, _context: Context) -> None:
        """Leave the file browser's side empty: the panel has the options."""

    def modal(self, context: Context, event: Event) -> set[str]:
        """Wait as others do, and show the frames that are found meanwhile."""
        if bpy.app.is_job_running("RENDER"):  # it reads what would be written here
            return {"PASS_THROUGH"}
        if event.type == "TIMER" and not self.work.done:
            due = self.playback.take(self.work.frames, time.monotonic())
            if due is not None:
                self.work.preview.show(motion_of(due))
        return super().modal(context, event)

    def cancel(self, context: Context) -> None:
        """End with the window or the file."""
        if hasattr(self, "work"):  # the one that only browses has none
            self.work.preview.put_back()
        super().cancel(context)

    def conclude(self, context: Context, work: Receiving) -> set[str]:
        """Put the performance on the avatar."""
        work.preview.put_back()
        ended = self.without_result(work)
        if ended:
            return ended
        performances.remember(self.filepath, work.result.described)
        try:
            done = put_on(context.scene, _avatar(work), work.result.motion, self.choices)
        except Exception as error:  # what Blender refuses has no class of its own
            return self.failed(as_likeness_error(error))
        notes = (*work.result.notes, *done.notes, *self._add_sound(context.scene, work.result.described, done))
        self._tell(f"{self.choices.placement.name}: frames {done.first:g} to {done.last:g}.", notes)
        return {"FINISHED"}

    def _begin_again(self) -> set[str]:
        """Have another of this operator begin with the file browser's choice; this one ends."""
        if session.work is not None:
            self.report({"ERROR"}, f"{BUSY}.")
            return {"CANCELLED"}
        chosen = {name: getattr(self, name) for name in ("filepath", *OPTIONS)}
        try:
            bpy.ops.likeness.import_performance("INVOKE_DEFAULT", **chosen)
        except RuntimeError as error:  # the other one's report, which an operator called from Python raises
            return self.failed(session.last_error or as_likeness_error(error))
        return {"CANCELLED"}

    def _start(self, context: Context) -> Receiving:
        """Have the engine begin. Errors: InputError, MachineError `engine.*`."""
        if not self.filepath:
            raise InputError("performance.none", "No file is given.", "Choose a performance's file.")
        performances.tell(())
        mesh = find.active_avatar(context)
        self.choices = self._choices(context)
        bake.check(mesh, self.choices.placement)
        request, client = request_for(self, mesh), session.client()
        self.playback = Playback()
        return Receiving(lambda work: receive(work, client, request), Preview(mesh, head_motion=self.head_motion))

    def _choices(self, context: Context) -> Choices:
        """Return where it goes, by the playhead of now."""
        placement = Placement(
            name=shown(Path(bpy.path.abspath(self.filepath)).stem),
            how=self.how,
            is_additive=self.layer == "ADD",
            punch=(self.punch_start, self.punch_end) if self.punch else None,
            blend=float(self.blend) if self.punch else 0.0,
        )
        return Choices(
            placement,
            frame=current_frame(context.scene) if self.use_current_frame else self.frame,
            on_scene_frames=self.times == "FRAMES",
            head_motion=self.head_motion,
            bounds=Bounds(self.bound, self.angle) if self.reduce else None,
        )

    def _add_sound(self, scene: Scene, described: PerformanceDescribed, done: Done) -> list[str]:
        if not (self.sound and described.has_sound):
            return []
        path, zero = Path(bpy.path.abspath(self.filepath)), self.choices.frame - self.start * rate(scene)
        try:
            told = add_sound(scene, path, zero=zero, first=done.first, last=done.last)
        except Exception as error:  # the keys are there: whatever it is, it is told beside them
            told = f"The sound was left out: {as_likeness_error(error).message}"
        return [told] if told else []

    def _tell(self, summary: str, notes: Sequence[str]) -> None:
        session.tell(error=None)
        performances.tell((shown(summary), *map(shown, notes)))
        for note in notes:
            self.report({"WARNING"}, shown(note))
        self.report({"INFO"}, shown(summary))


def _avatar(work: Receiving) -> Object:
    mesh = work.preview.mesh
    if mesh is None:
        raise InputError("performance.gone", "The avatar is no longer there.", "Import onto another one.")
    return mesh


class DismissReport(Operator):
    """Hide what is told of the last import"""

    bl_idname = "likeness.dismiss_performance"
    bl_label = "Dismiss"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, _context: Context) -> set[str]:
        """Forget it."""
        performances.tell(())
        return {"FINISHED"}


class PerformanceDrop(FileHandler):
    """Performances dropped on the 3D view"""

    bl_idname = "LIKENESS_FH_performance"
    bl_label = "Likeness Performance"
    bl_import_operator = "likeness.import_performance"
    bl_file_extensions = ";".join((*RECORDINGS, *VIDEOS))

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Take them in a 3D view, for the active avatar."""
        in_view = context.area is not None and context.area.type == "VIEW_3D"
        return in_view and find.active_avatar(context) is not None


def _in_import_menu(self: Menu, _context: Context) -> None:
    self.layout.operator(
        "likeness.import_performance", text="Likeness Performance (video, .csv, .json, .npz)"
    ).browsing = True


@persistent
def _save_begins(*_: object) -> None:
    """A file is saved: it holds the pose before; the next frame shows the performance again."""
    if isinstance(session.work, Receiving):
        session.work.preview.put_back()


CLASSES = (ImportPerformance, DismissReport, PerformanceDrop)
_register, _unregister = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Register the operators and the menu's entry, and watch over saving."""
    _register()
    bpy.app.handlers.save_pre.append(_save_begins)
    bpy.types.TOPBAR_MT_file_import.append(_in_import_menu)


def unregister() -> None:
    """Take them away."""
    bpy.app.handlers.save_pre.remove(_save_begins)
    bpy.types.TOPBAR_MT_file_import.remove(_in_import_menu)
    _unregister()
