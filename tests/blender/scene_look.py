"""What a person sees of the rig and its mesh, in a real window; run inside Blender.

LIKENESS_PICTURES=FOLDER blender --python tests/blender/scene_look.py -- AVATAR.likeness
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import radians
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[1] / "engine")]

import bpy  # noqa: E402
from inside import arguments, picture, run, view3d  # noqa: E402
from mathutils import Quaternion  # noqa: E402

POSES = {
    "rest": {},
    "jaw": {"jaw": (20, 0, 0)},
    "eyes": {"eye.L": (0, 0, 25), "eye.R": (0, 0, 25)},
    "neck": {"neck": (0, 30, 0)},
}
"""Rotations of bones in their own axes, Euler degrees."""


def steps() -> Iterator[float]:
    """Go through shadings, poses and modes, with a picture of each."""
    mesh = _add(Path(arguments()[0]))
    armature = mesh.parent
    yield 1.0
    for name, shading in _shadings():
        shading()
        _look_at(mesh, yaw=0)
        yield 12.0 if name == "material" else 1.0  # its shaders are compiled meanwhile
        picture(f"shading-{name}")
    _select(armature, "POSE")
    for name, turns in POSES.items():
        _pose(armature, turns)
        _look_at(mesh, yaw=60 if name in ("jaw", "rest") else 0)
        yield 0.5
        picture(f"pose-{name}")
    _pose(armature, {})
    yield from _modes(mesh)


def _add(path: Path) -> bpy.types.Object:
    from addon.scene.build import add_avatar
    from addon.scene.prepare import prepare

    from addon import properties
    from likeness.contract.avatar_file import read_avatar

    properties.register()
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    mesh = add_avatar(bpy.context, prepare(read_avatar(path)), "Portrait")
    mesh.likeness.show = "MESH"
    return mesh


def _modes(mesh: bpy.types.Object) -> Iterator[float]:
    """Show where loose vertices could be seen."""
    shading = view3d()[1].spaces.active.shading
    for mode in ("OBJECT", "EDIT", "WEIGHT_PAINT"):
        _select(mesh, mode)
        _look_at(mesh, yaw=20)
        yield 0.5
        picture(f"mode-{mode.lower()}")
    _select(mesh, "OBJECT")
    shading.type = "WIREFRAME"
    yield 0.5
    picture("mode-wireframe")


def _shadings() -> Iterator[tuple[str, object]]:
    shading = view3d()[1].spaces.active.shading

    def solid(color: str) -> None:
        shading.type, shading.color_type = "SOLID", color

    yield "solid", lambda: solid("MATERIAL")
    yield "vertex", lambda: solid("VERTEX")
    yield "material", lambda: setattr(shading, "type", "MATERIAL")
    yield "solid-again", lambda: solid("MATERIAL")


def _look_at(mesh: bpy.types.Object, yaw: float) -> None:
    region = view3d()[1].spaces.active.region_3d
    region.view_perspective, region.view_distance = "PERSP", 0.62
    region.view_location = (0, 0, -0.04)
    front = Quaternion((1, 0, 0), radians(90))
    region.view_rotation = Quaternion((0, 0, 1), radians(yaw)) @ front


def _pose(armature: bpy.types.Object, turns: dict[str, tuple[float, float, float]]) -> None:
    for bone in armature.pose.bones:
        bone.rotation_euler = [radians(angle) for angle in turns.get(bone.name, (0, 0, 0))]


def _select(obj: bpy.types.Object, mode: str) -> None:
    window, area, region = view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        if bpy.context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        bpy.ops.object.select_all(action="DESELECT")
        obj.select_set(True)
        bpy.context.view_layer.objects.active = obj
        bpy.ops.object.mode_set(mode=mode)


bpy.context.preferences.view.show_splash = False
run(steps, first=3.0)
