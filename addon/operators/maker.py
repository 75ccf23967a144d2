"""What operators share that bring avatars into the scene, from photographs and from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.types import Context
from mathutils import Quaternion

from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error

from .. import session
from ..photo import shown
from ..scene import find
from ..scene.build import add_avatar
from ..scene.prepare import PreparedAvatar
from .work import BUSY, Waiter, Work

FRONT = Quaternion((1.0, 0.0, 0.0), pi / 2)
"""How a view from the front is turned."""
HIDDEN = {"HIDDEN", "SKIP_SAVE"}
"""Options of the properties that only a file browser sets."""


@dataclass(frozen=True)
class Made:
    """An avatar ready to be added to the scene, and what was poor about its photograph."""

    prepared: PreparedAvatar
    warnings: tuple[str, ...] = ()


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
        self.block_for(work)
        return self._conclude(context, work, path)

    def _conclude(self, context: Context, work: Work[Made], path: Path) -> set[str]:
        ended = self.without_result(work)
        if ended:
            return ended
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
