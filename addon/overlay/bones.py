"""Draw the bones that are being posed over the splats, which would hide what Blender has drawn of them."""

from __future__ import annotations

from collections import defaultdict

import bpy
import gpu
from bpy.types import Depsgraph, Object, PoseBone, SpaceView3D
from gpu_extras.batch import batch_for_shader

from ..scene.find import armature_of

WIDTH = 3.0
"""Of a bone's line, pixels at interface scale 1."""
OUTLINE = (0.0, 0.0, 0.0, 0.8)
Color = tuple[float, ...]
Points = list[tuple[float, ...]]


def draw_bones(meshes: list[Object], space: SpaceView3D, depsgraph: Depsgraph, size: tuple[int, int]) -> None:
    """Draw the rigs of these avatars that are in Pose mode, as far as the viewport shows bones; `size` in pixels."""
    if not (space.overlay.show_overlays and space.overlay.show_bones):
        return
    lines: dict[Color, Points] = defaultdict(list)
    for armature in {armature_of(mesh) for mesh in meshes}:
        if armature is not None and armature.mode == "POSE" and _is_shown(armature, space):
            _add_lines(lines, armature, depsgraph)
    if lines:
        _draw_lines(lines, size)


def _is_shown(armature: Object, space: SpaceView3D) -> bool:
    return space.show_object_viewport_armature and armature.visible_get(viewport=space)


def _add_lines(lines: dict[Color, Points], armature: Object, depsgraph: Depsgraph) -> None:
    """Add each bone's line, in the world, to those of its colour. Who is selected is known to the original alone."""
    to_world = armature.matrix_world
    for posed, bone in zip(armature.evaluated_get(depsgraph).pose.bones, armature.pose.bones, strict=True):
        if not _flag(bone, "hide"):
            is_active = bone.bone == armature.data.bones.active
            ends = [tuple(to_world @ posed.head), tuple(to_world @ posed.tail)]
            lines[_color(is_selected=_flag(bone, "select"), is_active=is_active)] += ends


def _flag(bone: PoseBone, name: str) -> bool:
    """Return a bone's flag, which Blender 5 moved from the bone to its pose."""
    return getattr(bone if hasattr(bone, name) else bone.bone, name)


def _color(*, is_selected: bool, is_active: bool) -> Color:
    theme = bpy.context.preferences.themes[0].view_3d
    if not is_selected:
        return (*theme.bone_solid, 1.0)
    return (*(theme.bone_pose_active if is_active else theme.bone_pose), 1.0)


def _draw_lines(lines: dict[Color, Points], size: tuple[int, int]) -> None:
    """Draw the outlines of all, then the lines."""
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    width = WIDTH * bpy.context.preferences.system.ui_scale
    shader.uniform_float("viewportSize", size)
    for points in lines.values():
        _draw(shader, points, OUTLINE, width + 2.0)
    for color, points in lines.items():
        _draw(shader, points, color, width)


def _draw(shader: gpu.types.GPUShader, points: Points, color: Color, width: float) -> None:
    shader.uniform_float("lineWidth", width)
    shader.uniform_float("color", color)
    batch_for_shader(shader, "LINES", {"pos": points}).draw(shader)
