"""Takes the pictures of the guide's chapter on rendering from a real window; run inside Blender by guide_pictures.py.

    blender --python guide_render_window.py -- AVATAR FOLDER

The extension is installed; LIKENESS_ENGINE names the engine. The frames of the animation go to FOLDER.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from math import pi, radians
from pathlib import Path

import addon_utils
import bpy
import inside
from bpy.types import Object
from mathutils import Vector

MODULE = "bl_ext.user_default.likeness"
PATIENCE = 600.0
KEYS = ((1, "Neutral"), (12, "Smile"), (24, "Surprise"), (36, "Smile"), (48, "Neutral"))
ACTS = ((1, "", 0.0), (9, "Smile", 0.35), (18, "Surprise", -0.3), (27, "", 0.0))
"""Of the head in its photograph: frame, preset (none: as photographed), turn of the neck."""
SIZE = (640, 480)
LOOK_AT = Vector((0.0, 0.0, -0.05))

bpy.context.preferences.view.show_splash = False


def steps() -> Iterator[float]:
    """Open a head, dress the scene, render a still, an animation, the photograph again, and a turnaround."""
    avatar, folder = inside.arguments()
    addon_utils.enable(MODULE, default_set=True)
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    scene = bpy.context.scene
    scene.render.filepath = f"{folder}/"
    with _view():
        bpy.ops.likeness.open_avatar(filepath=avatar)
    head = bpy.context.object
    _panel()
    _dress(head)
    yield from _still()
    yield from _animation()
    yield from _plate(head, Path(folder))
    yield from _turnaround(head)


def _dress(head: Object) -> None:
    """Put a ring that passes before and behind the head, a wall, light, and a camera that moves; key expressions."""
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE"
    scene.eevee.taa_render_samples = 8
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.view_settings.view_transform = "Standard"
    scene.frame_start, scene.frame_end = 1, KEYS[-1][0]
    with _view():
        bpy.ops.mesh.primitive_torus_add(major_radius=0.19, minor_radius=0.015, location=(0, 0.06, -0.03))
        ring = bpy.context.object
        bpy.ops.object.shade_smooth()
        bpy.ops.mesh.primitive_plane_add(size=6, location=(0, 1.2, 0), rotation=(pi / 2, 0, 0))
        _paint(bpy.context.object, (0.05, 0.09, 0.16))
        bpy.ops.object.light_add(type="AREA", location=(-0.8, -1.2, 0.9), rotation=(radians(55), 0, radians(-35)))
        bpy.context.object.data.energy, bpy.context.object.data.size = 30, 1.0
        bpy.ops.object.camera_add()
    _paint(ring, (0.8, 0.25, 0.05))
    scene.camera = bpy.context.object
    scene.camera.data.lens = 60
    for frame, angle in ((1, -0.4), (48, 0.4)):
        ring.rotation_euler = (0.9 + angle, 3 * angle, 0)
        ring.keyframe_insert("rotation_euler", frame=frame)
        where = Vector((0.75 * angle, -0.85, 0.05))
        scene.camera.location = where
        scene.camera.rotation_euler = (LOOK_AT - where).to_track_quat("-Z", "Y").to_euler()
        for path in ("location", "rotation_euler"):
            scene.camera.keyframe_insert(path, frame=frame)
    bpy.context.view_layer.objects.active = head
    for frame, preset in KEYS:
        scene.frame_set(frame)
        bpy.ops.likeness.apply_preset(name=preset)
        bpy.ops.likeness.key_expression(which="ALL")


def _paint(item: Object, color: tuple[float, float, float]) -> None:
    material = bpy.data.materials.new("Paint")
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*color, 1)
    item.data.materials.append(material)


def _panel() -> None:
    _, area, _ = inside.view3d()
    area.spaces.active.show_region_ui = True
    inside.draw()
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"


def _still() -> Iterator[float]:
    """Press F12; the result takes the 3D view's place, and then gives it back."""
    bpy.context.preferences.view.render_display_type = "AREA"
    bpy.context.scene.frame_set(12)
    yield from _rendered(animation=False)
    inside.picture("render")
    _back_to_the_view()
    yield 1.0


def _animation() -> Iterator[float]:
    bpy.context.preferences.view.render_display_type = "NONE"
    yield from _rendered(animation=True)


def _plate(head: Object, folder: Path) -> Iterator[float]:
    """Render the photograph, then the head moved in it."""
    scene = bpy.context.scene
    for item in list(scene.objects):
        if item.parent is None and item != head.parent:
            item.hide_render = True
            item.hide_set(True)
    head.animation_data_clear()
    head.data.shape_keys.animation_data.action = None
    with _view():
        bpy.context.view_layer.objects.active = head
        bpy.ops.likeness.match_portrait("INVOKE_DEFAULT")
    camera, waited = scene.camera, 0.0
    while scene.camera == camera and waited < PATIENCE:
        yield 0.5
        waited += 0.5
    neck = head.parent.pose.bones["neck"]
    neck.rotation_mode = "XYZ"
    for frame, preset, turn in ACTS:
        scene.frame_set(frame)
        bpy.ops.likeness.portrait_expression()
        if preset:
            bpy.ops.likeness.apply_preset(name=preset)
        neck.rotation_euler.y += turn
        bpy.ops.likeness.key_expression(which="ALL")
    scene.frame_set(ACTS[1][0])
    _, area, _ = inside.view3d()
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    with _view():
        bpy.ops.view3d.view_center_camera()
    area.spaces.active.region_3d.view_camera_offset = (0.12, 0.0)  # beside the sidebar
    yield 2.0
    inside.picture("plate")
    scene.frame_start, scene.frame_end = ACTS[0][0], ACTS[-1][0] - 1  # which is the first again
    scene.render.filepath = f"{folder}/alive_"
    yield from _rendered(animation=True)
    scene.frame_set(ACTS[0][0])


def _turnaround(head: Object) -> Iterator[float]:
    bpy.context.view_layer.objects.active = head
    bpy.ops.likeness.turnaround()
    _, area, _ = inside.view3d()
    view = area.spaces.active.region_3d
    view.view_perspective = "PERSP"
    view.view_location, view.view_distance = (0.3, 0.2, 0.1), 4.0
    view.view_rotation = (0.80, 0.52, 0.16, 0.25)
    yield 2.0
    inside.picture("turnaround")
    bpy.ops.likeness.contact_sheet()


def _rendered(*, animation: bool) -> Iterator[float]:
    with _view():
        bpy.ops.render.render("INVOKE_DEFAULT", animation=animation)
    yield from _until_rendered()


def _until_rendered() -> Iterator[float]:
    yield 0.5
    waited = 0.0
    while bpy.app.is_job_running("RENDER"):
        yield 0.5
        waited += 0.5
        if waited > PATIENCE:
            raise TimeoutError("the render did not end")
    yield 1.0


def _back_to_the_view() -> None:
    for area in bpy.context.screen.areas:
        if area.type == "IMAGE_EDITOR":
            area.type = "VIEW_3D"


def _view() -> AbstractContextManager:
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


inside.run(steps, first=2.0)
