"""Work in a thread, and operators that wait for it: modal with progress and Esc when invoked, blocking in scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import bpy
from bpy.types import Context, Event
from mathutils import Quaternion

from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error

from .. import session
from ..photo import shown
from ..scene import find
from ..scene.build import add_avatar
from ..scene.prepare import PreparedAvatar

T = TypeVar("T")
FRONT = Quaternion((1.0, 0.0, 0.0), pi / 2)
"""How a view from the front is turned."""
INTERVAL = 0.1
"""Seconds between two looks at the work."""
BUSY = "Something else is on its way: wait for it, or cancel it"
HIDDEN = {"HIDDEN", "SKIP_SAVE"}
"""Options of the properties that only a file browser sets."""


class Work(Generic[T]):
    """A function in a thread. Once `done`, it has a result, an error, or was cancelled."""

    def __init__(self, do: Callable[[Work[T]], T]) -> None:
        """Start; `do` gets this work, to report to and to ask whether it is cancelled."""
        self.stage = ""
        self.fraction = 0.0
        self.result: T | None = None
        self.error: LikenessError | None = None
        self.cancelled = False
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(do,), name="likeness-work", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the work has ended, in whichever way."""
        return self._done.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait for the end, at most `timeout` seconds, and say whether it has come."""
        return self._done.wait(timeout)

    def cancel(self) -> None:
        """End it at once; the thread follows as soon as it looks, and what it still brings is left."""
        if not self.done:
            self.cancelled = True
            self._done.set()

    def _run(self, do: Callable[[Work[T]], T]) -> None:
        try:
            self.result = do(self)
        # The work may fail in any way, and whoever waits for it has to hear of it.
        except Exception as error:
            self.error = as_likeness_error(error)
        self._done.set()


@dataclass(frozen=True)
class Made:
    """An avatar ready to be added to the scene, and what was poor about its photograph."""

    prepared: PreparedAvatar
    warnings: tuple[str, ...] = ()


class Waiter:
    """What operators share that wait for a work: with progress and Esc, the rest of Blender goes on meanwhile.

    They have a `conclude`, which gets the work when it has ended, in whichever way, and ends the operator.
    """

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Ask for one at a time."""
        if session.work is not None:
            cls.poll_message_set(BUSY)
            return False
        return True

    def wait_for(self, context: Context, work: Work) -> set[str]:
        """Wait for a work, which is what `invoke` returns then."""
        self.work = work
        session.begin(work)
        self.timer = context.window_manager.event_timer_add(INTERVAL, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        """Look at the work from time to time; all but Esc passes through to the rest of Blender."""
        if event.type == "ESC" and event.value == "PRESS":
            self.work.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        if not self.work.done:
            _show(context, f"{self.work.stage} {self.work.fraction:.0%}    Esc: Cancel")
            return {"PASS_THROUGH"}
        self._leave(context)
        return self.conclude(context, self.work)

    def cancel(self, context: Context) -> None:
        """End with the window or the file."""
        work = getattr(self, "work", None)
        if work is not None:
            work.cancel()
            self._leave(context)

    def failed(self, error: LikenessError) -> set[str]:
        """End the operator with an error, which is told in the panel too."""
        error = type(error)(error.code, shown(error.message), shown(error.remedy))
        session.tell(error=error)
        self.report({"ERROR"}, f"{error.message} {error.remedy}")
        return {"CANCELLED"}

    def _leave(self, context: Context) -> None:
        context.window_manager.event_timer_remove(self.timer)
        _show(context, None)
        session.end()


class AvatarMaker(Waiter):
    """What operators share that bring avatars into the scene: one work for each file, one after the other."""

    bl_options: ClassVar = {"UNDO"}  # not REGISTER: Adjust Last Operation would make it again, and block meanwhile

    def paths(self) -> list[Path]:
        """Return the chosen files: several as they were dropped or marked, or the one in `filepath`."""
        if any(file.name for file in self.files):
            return [Path(bpy.path.abspath(self.directory)) / file.name for file in self.files]
        return [Path(bpy.path.abspath(self.filepath))] if self.filepath else []

    def browse(self, context: Context) -> set[str]:
        """Let the user choose in the file browser, which then executes this operator."""
        self.is_browsing = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Block until every file is an avatar or has failed; the file browser's choice becomes modal instead."""
        if getattr(self, "is_browsing", False):
            return self._begin_again(self.paths())
        ends = [self._blocking(context, path) for path in self.paths()]
        return {"FINISHED"} if {"FINISHED"} in ends else {"CANCELLED"}

    def begin(self, context: Context) -> set[str]:
        """Start on the first file, and wait for it without holding Blender up."""
        if context.window is None:
            return self.execute(context)
        self.path, *self.rest = self.paths()
        try:
            return self.wait_for(context, self.start_work(self.path))
        except LikenessError as error:
            return self.failed(error)

    def conclude(self, context: Context, work: Work[Made]) -> set[str]:
        """Add the avatar, look at the scene's first one, and begin on the next file."""
        is_first = not find.avatars(context.scene)
        ended = self._conclude(context, work, self.path)
        if is_first and ended == {"FINISHED"}:
            _frame(context)
        if self.rest and not work.cancelled:
            self._begin_again(self.rest)
        return ended

    def _begin_again(self, paths: Sequence[Path]) -> set[str]:
        """Have another of this operator begin with these files; this one ends, telling why it could not."""
        if session.work is not None:
            self.report({"ERROR"}, f"{BUSY}.")
            return {"CANCELLED"}
        try:
            self.invoke_for(paths)
        except RuntimeError as error:  # the other one's report, which an operator called from Python raises
            return self.failed(session.last_error or as_likeness_error(error))
        return {"CANCELLED"}

    def _blocking(self, context: Context, path: Path) -> set[str]:
        try:
            work = self.start_work(path)
        except LikenessError as error:
            return self.failed(error)
        session.begin(work)
        try:
            while not work.wait(INTERVAL):
                pass  # in steps, so that Ctrl-C gets through
        finally:
            work.cancel()
            session.end()
        return self._conclude(context, work, path)

    def _conclude(self, context: Context, work: Work[Made], path: Path) -> set[str]:
        if work.cancelled:
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        if work.error:
            return self.failed(work.error)
        try:
            _add(context, work.result.prepared, shown(path.stem))
        except Exception as error:  # what Blender refuses has no class of its own
            return self.failed(as_likeness_error(error))
        session.tell(error=None, warned=work.result.warnings)
        for warning in work.result.warnings:
            self.report({"WARNING"}, warning)
        return {"FINISHED"}


def names_of(paths: Sequence[Path]) -> dict[str, object]:
    """Return files of one folder as operators take them."""
    return {"directory": str(paths[0].parent), "files": [{"name": path.name} for path in paths]}


def enter_object_mode(context: Context) -> None:
    """Leave whatever mode the active object is in."""
    if context.mode != "OBJECT" and bpy.ops.object.mode_set.poll():
        bpy.ops.object.mode_set(mode="OBJECT")


def _add(context: Context, prepared: PreparedAvatar, name: str) -> None:
    """Add the avatar, whole or not at all; its mesh alone becomes selected and active."""
    enter_object_mode(context)
    known = set(bpy.data.user_map())
    try:
        add_avatar(context, prepared, name)
    except Exception:
        bpy.data.batch_remove(set(bpy.data.user_map()) - known)
        raise


def _frame(context: Context) -> None:
    """Look the avatar in the face: in a new scene it is small and seen askew. A view through a camera stays."""
    area = context.area
    if area is None or area.type != "VIEW_3D" or area.spaces.active.region_3d.view_perspective == "CAMERA":
        return
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(area=area, region=region):
        area.spaces.active.region_3d.view_rotation = FRONT
        if bpy.ops.view3d.view_selected.poll():
            bpy.ops.view3d.view_selected()


def _show(context: Context, text: str | None) -> None:
    """Show progress in the headers of the 3D views and in the status bar unless another tool uses them; None clears."""
    if text and len(context.window.modal_operators) > 1:
        return
    for workspace in bpy.data.workspaces if text is None else (context.workspace,):
        workspace.status_text_set(text)
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.header_text_set(text)
