"""Looks at the installed extension in a real window; run inside Blender by test_install.py."""

from __future__ import annotations

from collections.abc import Iterator

import addon_utils
import bpy
import inside

MODULE = "bl_ext.user_default.likeness"


def steps() -> Iterator[float]:
    """See the tab, disable, enable, see it again."""
    addon_utils.enable(MODULE, default_set=True)
    from likeness import contract

    print("contract from", contract.__file__)
    show_tab()
    yield 1.0
    inside.picture("panel")
    for _ in range(2):
        addon_utils.disable(MODULE, default_set=True)
        assert not hasattr(bpy.types.Object, "likeness")
        yield 0.2
        addon_utils.enable(MODULE, default_set=True)
        assert bpy.ops.likeness.create_avatar.get_rna_type().identifier == "LIKENESS_OT_create_avatar"
        yield 0.2
    show_tab()
    yield 1.0
    inside.picture("again")


def show_tab() -> None:
    """Open the sidebar on the tab Likeness; Blender refuses a tab that no panel has."""
    _, area, _ = inside.view3d()
    area.spaces.active.show_region_ui = True
    inside.draw()
    sidebar = next(region for region in area.regions if region.type == "UI")
    sidebar.active_panel_category = "Likeness"
    assert sidebar.active_panel_category == "Likeness"


inside.run(steps)
