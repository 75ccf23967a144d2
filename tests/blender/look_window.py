"""Opens an avatar in a window with the installed extension and looks at it; run inside Blender by test_look.py.

blender --python look_window.py -- AVATAR.likeness
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import addon_utils
import bpy
import inside
from mathutils import Euler

MODULE = "bl_ext.user_default.likeness"
SIDE = 640
"""Of the pictures, pixels."""
WIDTH = 1150
"""Of the view that a lens of 60 mm is meant for; Blenders lay out their windows differently."""
VIEWS = {"front": (0.0, "Neutral"), "left": (0.6, "Smile"), "right": (-0.6, "Ah")}

bpy.context.preferences.view.show_splash = False


def steps() -> Iterator[float]:
    """Take one picture of each view, nothing but the head on the plain background."""
    addon_utils.enable(MODULE, default_set=True)
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    _plain()
    with _view():
        assert bpy.ops.likeness.open_avatar(filepath=inside.arguments()[0]) == {"FINISHED"}
    for name, (yaw, preset) in VIEWS.items():
        bpy.ops.likeness.apply_preset(name=preset)
        _look_from(yaw)
        yield 1.0
        inside.picture(name, _middle_of_the_view())


def _plain() -> None:
    """Leave nothing in the viewport that differs from one Blender to the next."""
    _, area, _ = inside.view3d()
    space = area.spaces.active
    space.overlay.show_overlays = space.show_gizmo = False
    space.show_region_header = space.show_region_tool_header = space.show_region_toolbar = False
    space.shading.type = "SOLID"
    space.shading.background_type = "VIEWPORT"
    space.shading.background_color = (0.2, 0.3, 0.4)
    space.lens = 60 * WIDTH / max(area.width, area.height)


def _middle_of_the_view() -> tuple[int, int, int, int]:
    window, _, region = inside.view3d()
    middle_x, middle_y = region.x + region.width // 2, window.height - region.y - region.height // 2
    return middle_x - SIDE // 2, middle_y - SIDE // 2, SIDE, SIDE


def _look_from(yaw: float) -> None:
    _, area, _ = inside.view3d()
    view = area.spaces.active.region_3d
    view.view_perspective = "PERSP"
    view.view_rotation = Euler((1.5708, 0.0, yaw)).to_quaternion()
    view.view_location, view.view_distance = (0.0, 0.0, -0.06), 0.75


def _view() -> AbstractContextManager:
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


inside.run(steps, first=2.0)
