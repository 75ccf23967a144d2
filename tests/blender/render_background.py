"""Makes the file that test_render_background.py has rendered, and renders it under a bpy wheel.

blender -b --addons MODULE --python render_background.py -- make AVATAR.likeness FILE.blend SETTING.json
python render_background.py -- render FILE.blend FOLDER [without | FRAME...]      all frames, without the avatars; each
    of these alone
"""

from __future__ import annotations

import json
import os
import sys
from math import pi
from pathlib import Path

import bpy

IS_WHEEL = not bpy.app.binary_path
if IS_WHEEL:
    ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(ROOT), str(ROOT / "engine")]
    import addon

    addon.register()


def make(avatar: str, path: str, setting: str) -> None:
    """Save a file with two avatars that speak, a camera that moves and gives way to another, and two meshes."""
    given = json.loads(Path(setting).read_text())
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, given["frames"]
    _set_render(scene, given)
    for each in given["avatars"]:
        assert bpy.ops.likeness.open_avatar(filepath=avatar) == {"FINISHED"}
        mesh = bpy.context.view_layer.objects.active
        mesh.parent.location = each["location"]
        key = mesh.data.shape_keys.key_blocks[each["control"]]
        for frame, value in _ends(given, each["values"]):
            key.value = value
            key.keyframe_insert("value", frame=frame)
    for each in given["cameras"]:
        _add_camera(scene, given, each)
    _add_meshes(given)
    for action in bpy.data.actions:
        _make_linear(action)
    bpy.ops.wm.save_as_mainfile(filepath=path)


def render(path: str, folder: str, *which: str) -> None:
    """Render all frames, or each of these alone, as Blender's command line does."""
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    if which == ("without",):
        for armature in (each for each in bpy.data.objects if each.type == "ARMATURE"):
            armature.hide_render = True
    frames = [int(each) for each in which if each.isdigit()]
    if not frames:
        scene.render.filepath = f"{folder}/"
        bpy.ops.render.render(animation=True)
    for frame in frames:
        scene.frame_set(frame)
        scene.render.filepath = f"{folder}/{frame:04}.png"
        bpy.ops.render.render(write_still=True)


def _set_render(scene: bpy.types.Scene, given: dict) -> None:
    render = scene.render
    render.engine, render.film_transparent, render.dither_intensity = "CYCLES", True, 0
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    render.resolution_x, render.resolution_y = given["size"]
    scene.view_settings.view_transform = "Standard"


def _add_camera(scene: bpy.types.Scene, given: dict, each: dict) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.data.lens, camera.data.sensor_width = given["lens"], given["sensor"]
    camera.rotation_euler = (pi / 2, 0, 0)
    for frame, location in _ends(given, each["locations"]):
        camera.location = location
        camera.keyframe_insert("location", frame=frame)
    scene.timeline_markers.new("cut", frame=each["from"]).camera = camera
    scene.camera = scene.camera or camera


def _add_meshes(given: dict) -> None:
    for each in given["meshes"]:
        bpy.ops.mesh.primitive_cube_add(size=each["size"])
        cube = bpy.context.object
        for frame, location in _ends(given, each["locations"]):
            cube.location = location
            cube.keyframe_insert("location", frame=frame)
        material = bpy.data.materials.new("Glow")
        if material.node_tree is None:  # before Blender 5
            material.use_nodes = True
        nodes = material.node_tree.nodes
        nodes.clear()
        emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
        emission.inputs["Color"].default_value = (*each["color"], 1)
        material.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
        cube.data.materials.append(material)


def _ends(given: dict, pair: list) -> list[tuple[int, object]]:
    return [(1, pair[0]), (given["frames"], pair[1])]


def _make_linear(action: bpy.types.Action) -> None:
    bags = (
        [action] if hasattr(action, "fcurves") else [b for a in action.layers for s in a.strips for b in s.channelbags]
    )
    for point in (point for bag in bags for curve in bag.fcurves for point in curve.keyframe_points):
        point.interpolation = "LINEAR"


if __name__ == "__main__":
    name, *arguments = sys.argv[sys.argv.index("--") + 1 :]
    {"make": make, "render": render}[name](*arguments)
    if IS_WHEEL:
        addon.unregister()
        sys.stdout.flush()
        os._exit(0)  # bpy 4.2 as a module crashes at its own end once any property has had an update function
