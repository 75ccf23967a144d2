"""The panel "Expression": presets, the controls by group, the head's bones, and buttons to reset, mirror and key."""

from __future__ import annotations

import bpy
from bpy.types import Context, Menu, Object, Panel, PoseBone, ShapeKey, UILayout

from likeness.contract.arkit import mirrored_name

from ..operators.expression import DIRECTION_ITEMS, ITEM_OF_GROUP
from ..scene import expressions, find, head_bones, presets
from ..scene.preset_table import PRESETS
from .sidebar import SidebarPanel

LABEL_SHARE = 0.4
TURNS = {"neck": ("Nod Down", "Turn Left", "Tilt Right"), "jaw": ("Jaw Open", "Jaw Twist", "Jaw Right")}
"""What a positive turn of a bone about its local x, y and z does; left and right are the subject's own."""
EYE_TURNS = (("Look Down", 0), ("Look Right", 2))
CLOSED = {expressions.COEFFICIENTS, "Cheeks", "Nose", "Tongue", "Head Pose"}


class MirrorMenu(Menu):
    """The directions of mirroring"""

    bl_idname = "LIKENESS_MT_mirror"
    bl_label = "Mirror"

    def draw(self, _context: Context) -> None:
        """List the directions."""
        for item, label, _ in DIRECTION_ITEMS:
            self.layout.operator("likeness.mirror_expression", text=label).direction = item


class ExpressionPanel(SidebarPanel, Panel):
    """The active avatar's expression"""

    bl_idname = "LIKENESS_PT_expression"
    bl_label = "Expression"
    bl_order = 10

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show with an active avatar only."""
        return find.active_avatar(context) is not None

    def draw(self, context: Context) -> None:
        """Draw buttons, presets, search and groups from top to bottom."""
        mesh = find.active_avatar(context)
        if not expressions.is_editable(mesh):
            _draw_linked(self.layout)
        search = context.window_manager.likeness.search
        _draw_buttons(self.layout)
        _draw_presets(self.layout)
        self.layout.prop(context.window_manager.likeness, "search", text="", icon="VIEWZOOM")
        _draw_controls(self.layout, mesh, search)
        _draw_head_pose(self.layout, mesh, search)


def _draw_linked(layout: UILayout) -> None:
    column = layout.column(align=True)
    column.label(text="Controls are linked. To change", icon="LINKED")
    column.label(text="them: Object > Relations >", icon="BLANK1")
    column.label(text="Make Local > All", icon="BLANK1")


def _draw_buttons(layout: UILayout) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("likeness.key_expression", text="Key Changed").which = "CHANGED"
    row.operator("likeness.key_expression", text="Key All").which = "ALL"
    row.operator("likeness.key_expression", text="", icon="KEY_DEHLT").clear = True
    row = column.row(align=True)
    row.operator("likeness.reset_expression", text="Reset").group = "ALL"
    row.menu(MirrorMenu.bl_idname)
    row.operator("likeness.portrait_expression", text="Portrait")


def _draw_presets(layout: UILayout) -> None:
    header, body = layout.panel("likeness_presets")
    header.label(text="Presets")
    header.operator("likeness.save_preset", text="", icon="ADD", emboss=False)
    if body is None:
        return
    grid = body.grid_flow(row_major=True, columns=3, even_columns=True, even_rows=True, align=True)
    for name in PRESETS:
        grid.operator("likeness.apply_preset", text=name).name = name
    column = body.column(align=True)
    for action in presets.user_presets():
        row = column.row(align=True)
        row.operator("likeness.apply_preset", text=action.name).name = action.name
        row.operator("likeness.rename_preset", text="", icon="GREASEPENCIL").name = action.name
        row.operator("likeness.delete_preset", text="", icon="X").name = action.name


def _draw_controls(layout: UILayout, mesh: Object, search: str) -> None:
    """Draw the groups; while something is searched for, only rows that match, and every group open."""
    keys = {key.name: key for key in find.controls(mesh)}
    found = {name for name in keys if expressions.matches(name, search)}
    found |= {mirrored_name(name) for name in found}
    for group in expressions.GROUPS:
        members = [name for name in keys if name in found and expressions.group_of(name) == group]
        body = _draw_group(layout, group, searching=bool(search)) if members else None
        if body is not None:
            body.enabled = expressions.is_editable(mesh)
            _draw_rows(body, expressions.rows(members), keys)


def _draw_head_pose(layout: UILayout, mesh: Object, search: str) -> None:
    bones = {bone.name: bone for bone in head_bones.head_bones(mesh)}
    body = _draw_group(layout, "Head Pose", searching=bool(search)) if _bones_match(bones, search) else None
    if body is not None:
        _draw_bones(body, bones)


def _draw_group(layout: UILayout, group: str, *, searching: bool) -> UILayout | None:
    """Draw a group's heading; return where its rows go, None while it is folded."""
    if searching:
        header, body = layout.row(), layout.column(align=True)
    else:
        header, body = layout.panel(f"likeness_{ITEM_OF_GROUP[group].lower()}", default_closed=group in CLOSED)
        body = body.column(align=True) if body else None
    header.label(text=group)
    header.operator("likeness.reset_expression", text="", icon="LOOP_BACK", emboss=False).group = ITEM_OF_GROUP[group]
    return body


def _draw_rows(layout: UILayout, rows: list[expressions.ControlRow], keys: dict[str, ShapeKey]) -> None:
    """Draw single controls across, and pairs beside each other under a heading."""
    if any(len(row.names) > 1 for row in rows):
        _draw_sides(layout)
    for row in rows:
        sliders = _labelled(layout, row.label)
        for name in row.names:
            sliders.prop(keys[name], "value", text="", slider=True)


def _draw_sides(layout: UILayout) -> None:
    """Head the columns; two narrow sliders have no room for a name of their own."""
    sides = _labelled(layout, "")
    for side in ("Left", "Right"):
        column = sides.row()
        column.alignment = "CENTER"
        column.label(text=side)


def _draw_bones(layout: UILayout, bones: dict[str, PoseBone]) -> None:
    for name, turns in TURNS.items():
        for axis, label in enumerate(turns if name in bones else ()):
            _draw_turn(layout, label, [bones[name]], axis)
    eyes = [bones[name] for name in ("eye.L", "eye.R") if name in bones]
    if eyes:
        _draw_sides(layout)
    for label, axis in EYE_TURNS:
        _draw_turn(layout, label, eyes, axis)


def _draw_turn(layout: UILayout, label: str, bones: list[PoseBone], axis: int) -> None:
    """Draw the angle about one axis of bones in an Euler mode; other modes have no such angle."""
    eulers = [bone for bone in bones if head_bones.rotation_property(bone) == "rotation_euler"]
    sliders = _labelled(layout, label) if eulers else None
    for bone in eulers:
        sliders.prop(bone, "rotation_euler", index=axis, text="")


def _labelled(layout: UILayout, label: str) -> UILayout:
    split = layout.split(factor=LABEL_SHARE, align=True)
    split.label(text=label)
    return split.row(align=True)


def _bones_match(bones: dict[str, PoseBone], search: str) -> bool:
    words = f"head pose bones look {' '.join(bones)} {' '.join(sum(TURNS.values(), ()))}".lower()
    return bool(bones) and all(word in words for word in search.lower().split())


CLASSES = (MirrorMenu, ExpressionPanel)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
