"""Saves a file with an avatar in a window; run inside Blender by test_render_background.py.

blender --python sign_window.py -- AVATAR.likeness FILE.blend
"""

from __future__ import annotations

from collections.abc import Iterator

import addon_utils
import bpy
import inside

MODULE = "bl_ext.user_default.likeness"

bpy.context.preferences.view.show_splash = False


def steps() -> Iterator[float]:
    """Save twice, undo, and open it again: the file counts as saved, and nothing was put into it that stays."""
    addon_utils.enable(MODULE, default_set=True)
    avatar, path = inside.arguments()
    window, area, region = inside.view3d()
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.likeness.open_avatar(filepath=avatar) == {"FINISHED"}
    yield 1.0
    names = _names()
    for value in (0.25, 0.5):
        bpy.context.view_layer.objects.active.data.shape_keys.key_blocks[1].value = value
        bpy.ops.ed.undo_push(message="Set")
        assert bpy.data.is_dirty
        bpy.ops.wm.save_as_mainfile(filepath=path)
        assert _names() == names
        yield 0.5
        assert not bpy.data.is_dirty  # which Blender notes when it draws
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.undo()
    assert bpy.context.view_layer.objects.active.data.shape_keys.key_blocks[1].value == 0.25
    assert _names() == names
    yield 0.5
    inside.picture("saved")
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    assert set(_names()) <= set(names), _names()  # Blender itself leaves out what nothing uses
    assert not bpy.data.is_dirty
    inside.picture("opened")


def _names() -> list[str]:
    return sorted(each.name for kind in (bpy.data.objects, bpy.data.materials) for each in kind)


inside.run(steps, first=2.0)
