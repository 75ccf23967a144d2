"""Turnaround: a camera that orbits avatars, and lights."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2
from typing import ClassVar

import bpy
import numpy as np
from bpy.props import BoolProperty, IntProperty
from bpy.types import Context, Object, Operator

from likeness.contract.errors import LikenessError

from ..render.avatars import Placed, read_source
from ..render.heads import head_points
from ..render.sheets import stand
from ..scene import find
from ..scene.framing import Bounds, bounds_of
from ..scene.turnaround import make_turnaround

FRONT = np.array([0.0, -1.0, 0.0])


class Turnaround(Operator):
    """Let a camera orbit the selected avatars' heads once, and set the scene's camera and frame range to it.
    The lights stay in their place and light meshes alone: avatars keep the photograph's light"""

    bl_idname = "likeness.turnaround"
    bl_label = "Turnaround"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    frames: IntProperty(
        name="Frames", description="Length of one turn", default=72, min=2, soft_max=500, max=100_000,
        options={"SKIP_SAVE"},
    )  # fmt: skip
    lights: BoolProperty(
        name="Lights",
        description="Add key, fill and rim light for the meshes about the head, such as hats and props",
        default=True,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an avatar."""
        if find.active_avatar(context) is None and not find.selected_avatars(context):
            cls.poll_message_set("Select an avatar first")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Make it in the place of an earlier one of these avatars."""
        scene = context.scene
        meshes = find.selected_avatars(context) or [find.active_avatar(context)]
        try:
            standing = [stand(read_source(mesh), context.evaluated_depsgraph_get()) for mesh in meshes]
        except LikenessError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}
        make_turnaround(
            scene, _name(meshes), _bounds(standing), _heading(standing), frames=self.frames, lights=self.lights
        )
        if any(marker.camera for marker in scene.timeline_markers):
            self.report({"WARNING"}, "Markers of this scene bind cameras, which take the place of the turnaround's")
        self.report({"INFO"}, f"{_name(meshes)} turns from frame {scene.frame_start} to {scene.frame_end}")
        return {"FINISHED"}


def _name(meshes: Sequence[Object]) -> str:
    return meshes[0].name if len(meshes) == 1 else f"{len(meshes)} Avatars"


def _bounds(standing: Sequence[Placed]) -> Bounds:
    """Return what is around all heads, world space."""
    matrices = [each.matrix_world for each in standing]
    heads = [head_points(each) @ M[:3, :3].T + M[:3, 3] for each, M in zip(standing, matrices, strict=True)]
    return bounds_of(np.concatenate(heads))


def _heading(standing: Sequence[Placed]) -> float:
    """Return where the faces look in the mean, radians about Z; 0 is along -Y."""
    x, y, _ = sum(each.matrix_world[:3, :3] @ FRONT for each in standing)
    return atan2(x, -y)


CLASSES = (Turnaround,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
