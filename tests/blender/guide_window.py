"""Takes the pictures of docs/guide.md from a real window; run inside Blender by guide_pictures.py.

    blender --python guide_window.py -- PHOTO

The extension is installed; LIKENESS_ENGINE names the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import addon_utils
import bpy
import inside

MODULE = "bl_ext.user_default.likeness"
PATIENCE = 120.0
KEYS = ((1, "Neutral"), (24, "Smile"), (48, "Surprise"), (72, "Neutral"))

bpy.context.preferences.view.show_splash = False


def steps() -> Iterator[float]:
    """Walk through install, create, key, watch."""
    addon_utils.enable(MODULE, default_set=True)
    for thing in list(bpy.data.objects):
        if thing.type != "CAMERA":
            bpy.data.objects.remove(thing)
    yield from _preferences()
    yield from _create()
    yield from _express()
    yield from _key()
    yield from _bones()
    yield from _scene()


def _preferences() -> Iterator[float]:
    bpy.ops.screen.userpref_show("INVOKE_DEFAULT")
    yield 1.0
    window = bpy.context.window_manager.windows[-1]
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Likeness"
    with bpy.context.temp_override(window=window):
        bpy.ops.preferences.addon_expand(module=MODULE)
    yield 1.0
    inside.picture("preferences")
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
    yield 1.0


def _create() -> Iterator[float]:
    _, area, _ = inside.view3d()
    area.spaces.active.show_region_ui = True
    inside.draw()
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"
    yield 3.0
    inside.picture("panel")
    bpy.context.window_manager.likeness.photo = inside.arguments()[0]
    yield 3.0
    inside.picture("photo")
    with _view():
        bpy.ops.likeness.create_avatar("INVOKE_DEFAULT")
    yield from _progress()
    yield 2.0
    _frame()
    yield 1.0
    inside.picture("created")


def _progress() -> Iterator[float]:
    """Take a picture in the midst of the work, then wait for the avatar."""
    waited, taken = 0.0, False
    while bpy.context.object is None or bpy.context.object.type != "MESH":
        yield 0.5
        waited += 0.5
        if waited >= 4 and not taken:
            inside.picture("progress")
            taken = True
        if waited > PATIENCE:
            raise TimeoutError("no avatar came")


def _express() -> Iterator[float]:
    bpy.ops.likeness.apply_preset(name="Smile")
    yield 1.0
    inside.picture("smile")


def _key() -> Iterator[float]:
    scene = bpy.context.scene
    scene.frame_end = 72
    for frame, preset in KEYS:
        scene.frame_set(frame)
        bpy.ops.likeness.apply_preset(name=preset)
        bpy.ops.likeness.key_expression(which="ALL")
    scene.frame_set(40)
    timeline = next(area for area in bpy.context.screen.areas if area.type == "DOPESHEET_EDITOR")
    timeline.spaces.active.ui_mode = "DOPESHEET"
    yield 1.0
    inside.picture("keys")
    scene.frame_set(24)


def _bones() -> Iterator[float]:
    rig = bpy.context.object.parent
    with _view():
        bpy.ops.likeness.select_rig()
    rig.pose.bones["neck"].rotation_euler = (0.08, 0.5, 0.1)
    rig.pose.bones["eye.L"].rotation_euler = rig.pose.bones["eye.R"].rotation_euler = (0.0, 0.0, -0.25)
    yield 1.0
    inside.picture("bones")
    with _view():
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.ops.object.select_all(action="DESELECT")


def _scene() -> Iterator[float]:
    """Show that meshes and the head hide each other."""
    ring = {"major_radius": 0.16, "minor_radius": 0.02, "location": (0, 0.08, -0.02), "rotation": (0.9, 0.2, 0)}
    with _view():
        bpy.ops.mesh.primitive_torus_add(**ring)
    _, area, _ = inside.view3d()
    area.spaces.active.shading.type = "MATERIAL"
    bpy.ops.object.shade_smooth()
    yield 4.0
    inside.picture("scene")


def _frame() -> None:
    """Look at the face as the pictures want it."""
    _, area, _ = inside.view3d()
    view = area.spaces.active.region_3d
    view.view_location, view.view_distance = (0.0, 0.0, -0.06), 0.75
    area.spaces.active.lens = 60


def _view() -> AbstractContextManager:
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


inside.run(steps, first=2.0)
