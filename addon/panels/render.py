"""The panel "Render": how avatars come out of the ordinary Render button."""

from __future__ import annotations

import bpy
from bpy.types import Context, Object, Panel, Scene, UILayout

from ..render.colors import changes_photos
from ..render.left_out import hindrance
from ..scene import find
from .sidebar import SidebarPanel
from .text import draw_text


class RenderPanel(SidebarPanel, Panel):
    """What goes into the picture with the avatars, and what is written beside it"""

    bl_idname = "LIKENESS_PT_render"
    bl_label = "Render"
    bl_order = 20

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show where there is an avatar."""
        return bool(find.avatars(context.scene))

    def draw(self, context: Context) -> None:
        """Draw what would keep avatars out of a render, the buttons, then the options."""
        reason = hindrance(context.scene)
        if reason:
            draw_text(self.layout.box(), context, reason, icon="ERROR")
        _draw_plate(self.layout)
        _draw_turnaround(self.layout)
        _draw_options(self.layout, context.scene, find.active_avatar(context))


def _draw_plate(layout: UILayout) -> None:
    layout.operator("likeness.match_portrait", icon="VIEW_CAMERA")


def _draw_turnaround(layout: UILayout) -> None:
    column = layout.column(align=True)
    column.operator("likeness.turnaround", icon="FILE_REFRESH")
    row = column.row(align=True)
    row.operator("likeness.contact_sheet", icon="IMGDISPLAY")
    row.operator("likeness.line_up", icon="COMMUNITY")


def _draw_options(layout: UILayout, scene: Scene, active: Object | None) -> None:
    column = layout.column(align=True)
    if active is not None:
        column.prop(active.likeness, "shadow")
    row = column.row()
    row.active = changes_photos(scene)
    row.prop(scene.likeness, "photo_colors")
    column.prop(scene.likeness, "passes")


CLASSES = (RenderPanel,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
