"""The panels "Likeness" (from a photo to an avatar) and "Avatar" (how the active one is shown), and menu entries."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import bpy.utils.previews
from bpy.types import Context, Menu, Object, Panel, UILayout

from likeness.contract.errors import LikenessError

from .. import preferences, session
from ..client import EngineState
from ..command import VARIABLE
from ..overlay import state as overlay_state
from ..photo import shown
from ..properties import AvatarProperties, SessionProperties
from ..scene import find
from .sidebar import SidebarPanel
from .text import draw_text

REPAIRS = (
    (("engine.none", "engine.not_found", "engine.not_an_engine"), "likeness.setup_engine", "Set Up Engine", "IMPORT"),
    (("engine.version",), "likeness.setup_engine", "Update Engine", "FILE_REFRESH"),
    (("engine.", "machine.", "internal"), "likeness.restart_engine", "Restart Engine", "FILE_REFRESH"),
    (("photo.", "picture.", "face."), "likeness.choose_photo", "Choose Another Photo", "FILEBROWSER"),
)
"""What helps against errors whose codes begin so; the first that fits."""
OF_THE_EXTENSION = "likeness.setup_engine"
"""This repair is of the extension's own engine, and no help while another one is named."""
HEAD_NAMES = {"open": "Open Head"}
THUMBNAIL_SCALE = 7.0
DISMISS = 24
"""Width of the button that dismisses a message, pixels at scale 1."""

_thumbnails: bpy.utils.previews.ImagePreviewCollection | None = None


class LikenessPanel(SidebarPanel, Panel):
    """From a photo to an avatar"""

    bl_idname = "LIKENESS_PT_create"
    bl_label = "Likeness"
    bl_order = 0

    def draw(self, context: Context) -> None:
        """Draw from top to bottom: photo, choices, the button or the progress, what went wrong, the engine."""
        session.wake()
        settings = context.window_manager.likeness
        choices = self.layout.column()
        choices.enabled = session.work is None
        _draw_photo(choices, settings)
        _draw_choices(choices, settings)
        if session.work is None:
            _draw_create(self.layout, settings)
        else:
            _draw_progress(self.layout, session.work)
        _draw_messages(self.layout, context)
        _draw_engine(self.layout, context)


class AvatarPanel(SidebarPanel, Panel):
    """The active avatar, and the way to the others"""

    bl_idname = "LIKENESS_PT_avatar"
    bl_label = "Avatar"
    bl_order = 1

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show where there is an avatar."""
        return bool(find.avatars(context.scene))

    def draw(self, context: Context) -> None:
        """Draw the list of avatars if there are several, then the active one."""
        meshes = find.avatars(context.scene)
        active = find.active_avatar(context)
        if len(meshes) > 1 or active is None:
            _draw_list(self.layout, meshes, active)
        if active is None:
            return
        row = self.layout.row(align=True)
        row.prop(active, "name", text="")
        row.operator("likeness.remove_avatar", text="", icon="TRASH")
        _draw_display(self.layout, active.likeness)
        problem = overlay_state.problem(active)
        if problem:
            draw_text(self.layout.box(), context, problem, icon="ERROR")
        _draw_rig(self.layout, context, active)


def _draw_photo(layout: UILayout, settings: SessionProperties) -> None:
    column = layout.column(align=True)
    if not settings.photo:
        column.scale_y = 1.4
        column.operator("likeness.choose_photo", text="Choose Photo...", icon="IMAGE_DATA")
        return
    box = column.box()
    box.template_icon(icon_value=_thumbnail(settings.photo), scale=THUMBNAIL_SCALE)
    column.operator("likeness.choose_photo", text=shown(Path(settings.photo).name), icon="FILEBROWSER")


def _draw_choices(layout: UILayout, settings: SessionProperties) -> None:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "quality")
    column.prop(settings, "head")
    if settings.head == "file":
        column.prop(settings, "head_file", text="File")
    if settings.face or _is_about_several_faces():
        column.prop(settings, "face")


def _is_about_several_faces() -> bool:
    error = session.last_error
    return (error is not None and error.code == "face.index") or any("faces" in text for text in session.warnings)


def _draw_create(layout: UILayout, settings: SessionProperties) -> None:
    reason = _missing(settings)
    failure = session.status().error
    row = layout.row()
    row.scale_y = 1.8
    row.enabled = not reason and (failure is None or failure.code != "engine.none")  # which is said further below
    row.operator("likeness.create_avatar", text="Create", icon="OUTLINER_OB_ARMATURE")
    if reason:
        row = layout.row()
        row.active = False
        row.alignment = "CENTER"
        row.label(text=reason)


def _missing(settings: SessionProperties) -> str:
    """Say what Create still needs; empty if nothing."""
    if not settings.photo:
        return "Choose a photo first"
    return "Choose a FLAME file first" if settings.head == "file" and not settings.head_file else ""


def _draw_progress(layout: UILayout, work: session.Work) -> None:
    row = layout.row(align=True)
    row.scale_y = 1.8
    row.progress(factor=work.fraction, text=f"{work.stage}  {work.fraction:.0%}")
    row.operator("likeness.cancel", text="", icon="X")


def _draw_messages(layout: UILayout, context: Context) -> None:
    """Draw what went wrong last, with what helps, or what was poor about the photograph."""
    error = session.last_error
    if error:
        column = _draw_message(layout, context, f"{error.message} {error.remedy}", "ERROR")
        _draw_repair(column, error)
    elif session.warnings:
        _draw_message(layout, context, " ".join(session.warnings), "INFO")


def _draw_message(layout: UILayout, context: Context, text: str, icon: str) -> UILayout:
    row = layout.box().row()
    column = row.column()
    draw_text(column, context, text, icon, beside=DISMISS)
    row.operator("likeness.dismiss", text="", icon="X", emboss=False)
    return column


def _draw_repair(layout: UILayout, error: LikenessError) -> None:
    if error.code == "engine.version" and "add-on" in error.remedy:
        return  # it is not the engine that is too old
    for codes, operator, text, icon in REPAIRS:
        if error.code.startswith(codes):
            if operator != OF_THE_EXTENSION or not _draw_named(layout):
                layout.operator(operator, text=text, icon=icon)
            return


def _draw_named(layout: UILayout) -> bool:
    """Draw the way to where another engine is named, and say whether one is; an environment variable has none."""
    if os.environ.get(VARIABLE, "").strip():
        return True
    named = bool(session.preference().strip())
    if named:
        show = layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES")
        show.module = preferences.EXTENSION
    return named


def _draw_engine(layout: UILayout, context: Context) -> None:
    """Draw the engine's state in one quiet line; what is wrong with it, unless that is said above, with what helps."""
    status = session.status()
    if status.error and session.last_error is None:
        box = layout.box()
        draw_text(box, context, f"{status.error.message} {status.error.remedy}", "ERROR")
        _draw_repair(box, status.error)
        return
    texts = {
        EngineState.STARTING: "Engine is starting...",
        EngineState.READY: f"Engine ready on {status.device_name or status.device}",
    }
    if status.state in texts:
        row = layout.row()
        row.active = False
        row.label(text=texts[status.state])


def _draw_list(layout: UILayout, meshes: list[Object], active: Object | None) -> None:
    column = layout.column(align=True)
    for mesh in meshes:
        chosen = mesh == active
        column.operator("likeness.select_avatar", text=mesh.name, icon="USER", depress=chosen).name = mesh.name


def _draw_display(layout: UILayout, avatar: AvatarProperties) -> None:
    row = layout.row(align=True)
    row.prop(avatar, "visible", text="", icon="HIDE_OFF" if avatar.visible else "HIDE_ON")
    choices = row.row(align=True)
    choices.enabled = avatar.visible
    choices.prop(avatar, "show", expand=True)
    column = layout.column()
    column.enabled = avatar.visible and avatar.show != "MESH"
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(avatar, "opacity", slider=True)
    column.row(align=True).prop(avatar, "detail", expand=True)


def _draw_rig(layout: UILayout, context: Context, mesh: Object) -> None:
    posing = context.mode == "POSE" and context.object == find.armature_of(mesh)
    text = "Back to Mesh" if posing else "Pose Bones"
    row = layout.row(align=True)
    row.operator("likeness.select_rig", text=text, icon="POSE_HLT", depress=posing)
    row.operator_context = "INVOKE_REGION_WIN"
    row.operator("view3d.view_selected", text="", icon="ZOOM_SELECTED")
    avatar = mesh.likeness
    column = layout.column(align=True)
    column.active = False
    column.scale_y = 0.8
    column.label(text=f"Head model: {HEAD_NAMES.get(avatar.head_model, avatar.head_model)}")
    draw_text(column, context, f"Licence: {avatar.head_model_licence}")


def _thumbnail(path: str) -> int:
    """Return the icon of a picture file; Blender loads it later, in a thread."""
    absolute = bpy.path.abspath(path)
    name = shown(absolute)
    if name not in _thumbnails:
        _thumbnails.load(name, absolute, "IMAGE")
    return _thumbnails[name].icon_id


def _in_import_menu(self: Menu, _context: Context) -> None:
    self.layout.operator("likeness.open_avatar", text="Likeness Avatar (.likeness)")
    self.layout.operator("likeness.create_avatar", text="Likeness from Photo").browsing = True


def _in_add_menu(self: Menu, _context: Context) -> None:
    layout = self.layout.column()
    layout.operator_context = "INVOKE_DEFAULT"  # this menu executes what it adds
    layout.operator("likeness.create_avatar", text="Likeness Head", icon="USER").browsing = True


MENUS = (("TOPBAR_MT_file_import", _in_import_menu), ("VIEW3D_MT_add", _in_add_menu))
CLASSES = (LikenessPanel, AvatarPanel)
_register, _unregister = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Register the panels, menu entries and thumbnails."""
    global _thumbnails
    _register()
    for menu, draw in MENUS:
        getattr(bpy.types, menu).append(draw)
    _thumbnails = bpy.utils.previews.new()


def unregister() -> None:
    """Take them away."""
    bpy.utils.previews.remove(_thumbnails)
    for menu, draw in MENUS:
        getattr(bpy.types, menu).remove(draw)
    _unregister()
