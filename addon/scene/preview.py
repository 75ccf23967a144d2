"""Frames of a performance on an avatar while they are still being found; afterwards it is as it was."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
from bpy.types import Object

from likeness.contract.motion import Motion

from . import find
from .keys import Channel, current_frame
from .performance import parts_of


class Preview:
    """An avatar that shows frames. It is found anew each time: undo exchanges all that Blender holds."""

    def __init__(self, mesh: Object, *, head_motion: bool) -> None:
        self._mesh_id = mesh.session_uid
        self._head_motion = head_motion
        self._before: dict[str, tuple[float, ...]] = {}
        self._shown: Motion | None = None
        self._frame = 0.0

    @property
    def mesh(self) -> Object | None:
        """The avatar's mesh; None if it is no longer there."""
        found = (each for each in bpy.data.objects if each.session_uid == self._mesh_id)
        return next((each for each in found if find.is_avatar(each)), None)

    def show(self, motion: Motion) -> None:
        """Let the avatar do what a performance begins with."""
        mesh = self.mesh
        if mesh is None:
            return
        if self._shown is None:
            self._frame = current_frame(bpy.context.scene)
        self._shown = motion
        for part in parts_of(mesh, motion, head_motion=self._head_motion):
            self._before.setdefault(_name(part.channel), part.channel.values())
            _set(part.channel, part.values[0])

    def put_back(self) -> None:
        """Let the avatar be as it was before the first frame."""
        mesh = self.mesh
        if self._shown is None or mesh is None:
            return
        for part in parts_of(mesh, self._shown, head_motion=self._head_motion):
            if _name(part.channel) in self._before:
                _set(part.channel, self._before[_name(part.channel)])
        scene = bpy.context.scene
        if current_frame(scene) != self._frame:  # what was before is of another frame: animate this one anew
            scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        self._shown = None
        self._before.clear()


def _name(channel: Channel) -> str:
    return f"{channel.struct.name} {channel.prop}"


def _set(channel: Channel, values: Sequence[float]) -> None:
    setattr(channel.struct, channel.prop, values[0] if len(values) == 1 else values)
