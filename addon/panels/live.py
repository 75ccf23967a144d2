"""The panel "Live" within "Performance": receive a face from an app, and record takes of it."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.types import Context, Panel, UILayout

from .. import receiving
from ..live.receiver import ANYWHERE, LOOPBACK
from ..live.take import Take
from ..live_properties import LiveProperties
from ..receiving import Reception
from .sidebar import SidebarPanel
from .text import draw_text

PHONE_HINT = "Phone's address"


class LivePanel(SidebarPanel, Panel):
    """A face that an app sends over the network"""

    bl_idname = "LIKENESS_PT_live"
    bl_label = "Live"
    bl_parent_id = "LIKENESS_PT_performance"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """Draw the way in, or what is under way."""
        settings = context.window_manager.likeness_live
        if receiving.current is None:
            _draw_source(self.layout, settings)
            self.layout.operator("likeness.receive", icon="REC")
            if receiving.ended:
                draw_text(self.layout, context, receiving.ended, icon="INFO")
            if receiving.unlaid is not None:
                _draw_finish(self.layout.row(), receiving.unlaid.take)
            return
        _draw_state(self.layout.box(), context, receiving.current)
        _draw_shaping(self.layout, settings, receiving.current)
        _draw_take(self.layout, receiving.current)
        if settings.app == "IFACIALMOCAP":
            _draw_greeting(self.layout, settings)
        self.layout.operator("likeness.stop_receiving", text="Stop", icon="SNAP_FACE")


def _draw_source(layout: UILayout, settings: LiveProperties) -> None:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "app")
    column.prop(settings, "source")
    if settings.source == "ADDRESS":
        column.prop(settings, "address")
    column.prop(settings, "port")
    column.prop(settings, "phone", placeholder=PHONE_HINT)


def _draw_state(box: UILayout, context: Context, reception: Reception) -> None:
    mesh, latest = reception.preview.mesh, reception.receiver.latest
    if mesh is not None:
        box.label(text=mesh.name, icon="OUTLINER_OB_ARMATURE")
    if latest is None:
        draw_text(box, context, waiting(reception), icon="TIME")
    elif not reception.rate:
        draw_text(box, context, f"{latest.packet.source} on {latest.sender} is silent", icon="PAUSE")
    elif not latest.packet.seen:
        draw_text(box, context, f"{latest.packet.source} on {latest.sender} sees no face", icon="HIDE_ON")
    else:
        source = f"{latest.packet.source} on {latest.sender}, {reception.rate:.0f} frames a second"
        draw_text(box, context, source, icon="RADIOBUT_ON")
    for sentence in reception.receiver.counts.sentences():
        draw_text(box, context, sentence, icon="BLANK1")


def waiting(reception: Reception) -> str:
    """Return what to enter in the app while nothing has arrived."""
    address, port = reception.receiver.address, reception.receiver.port
    if address == LOOPBACK:
        return f"Waiting for a program on this computer, at 127.0.0.1, port {port}. For a phone choose Whole Network."
    own = reception.own_address if address == ANYWHERE else address
    return f"Waiting. In the app: address {own or 'of this computer'}, port {port}."


def _draw_shaping(layout: UILayout, settings: LiveProperties, reception: Reception) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("likeness.set_neutral", icon="USER")
    if reception.rest is not None:
        row.operator("likeness.clear_neutral", text="", icon="X")
    row = column.row(align=True)
    row.prop(settings, "head", toggle=True)
    row.prop(settings, "mirror", toggle=True)


def _draw_take(layout: UILayout, reception: Reception) -> None:
    row = layout.row()
    row.scale_y = 1.4
    take = reception.receiver.take
    if take is not None:
        _draw_finish(row, take)
    elif receiving.unlaid is not None:
        _draw_finish(row, receiving.unlaid.take)
    else:
        row.operator("likeness.record_take", icon="REC")


def _draw_finish(row: UILayout, take: Take) -> None:
    minutes, seconds = divmod(int(take.seconds), 60)
    full = ", full" if take.full else ""
    row.operator("likeness.finish_take", text=f"Finish Take   {minutes}:{seconds:02}{full}", icon="SNAP_FACE")


def _draw_greeting(layout: UILayout, settings: LiveProperties) -> None:
    row = layout.row(align=True)
    row.prop(settings, "phone", text="", placeholder=PHONE_HINT)
    row.operator("likeness.greet_phone")


CLASSES = (LivePanel,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
