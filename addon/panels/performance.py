"""The panel "Performance": the file and what it holds, how it is imported, and what came of it."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.types import Context, Panel, UILayout

from likeness.contract.errors import LikenessError
from likeness.contract.messages import PerformanceDescribed

from .. import performances, receiving, session
from ..operators.receive_performance import Receiving
from ..performance_properties import REGIONS, PerformanceProperties
from ..scene import expressions, find
from ..scene.placing import rate
from .sidebar import SidebarPanel
from .text import draw_text

Found = PerformanceDescribed | LikenessError | None
"""What is known of a file."""
DISMISS = 24
"""Width of the button that dismisses the report, pixels at scale 1."""


class PerformancePanel(SidebarPanel, Panel):
    """A captured performance onto the active avatar"""

    bl_idname = "LIKENESS_PT_performance"
    bl_label = "Performance"
    bl_order = 11
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show with an active avatar, and where something is under way that can be stopped here."""
        under_way = receiving.current or receiving.unlaid or isinstance(session.work, Receiving)
        return bool(under_way) or find.active_avatar(context) is not None

    def draw(self, context: Context) -> None:
        """Draw the file, the options, then the button or the progress, and what the last import told."""
        if find.active_avatar(context) is None:
            if isinstance(session.work, Receiving):
                _draw_progress(self.layout, session.work)
            return
        options = context.window_manager.likeness_performance
        choices = self.layout.column()
        choices.enabled = session.work is None
        choices.prop(options, "filepath", text="")
        found = performances.look(options.filepath) if options.filepath else None
        if options.filepath:
            _draw_found(choices.column(), context, found)
        choices.use_property_split = True
        choices.use_property_decorate = False
        _draw_source(choices, options)
        _draw_keys(choices, options)
        _draw_placement(choices, options, found)
        if isinstance(session.work, Receiving):
            _draw_progress(self.layout, session.work)
        else:
            _draw_import(self.layout, context, options)
        _draw_report(self.layout, context)


def _draw_found(layout: UILayout, context: Context, found: Found) -> None:
    if found is None:
        row = layout.row()
        row.active = False
        row.label(text="Looking at the file...")
    elif isinstance(found, LikenessError):
        draw_text(layout.box(), context, f"{found.message} {found.remedy}", "ERROR")
    else:
        _draw_described(layout.column(align=True), context, found)


def _draw_described(layout: UILayout, context: Context, found: PerformanceDescribed) -> None:
    layout.label(text=found.kind, icon="ACTION")
    about = layout.column(align=True)
    about.active = False
    about.scale_y = 0.8
    about.label(text=f"{found.seconds:.2f} s at {found.fps:.5g} fps, {found.frames} frames", icon="BLANK1")
    draw_text(about, context, f"Holds {', '.join(found.holds)}", "BLANK1")
    for note in found.notes:
        draw_text(about, context, note, "INFO")
    if abs(found.fps - rate(context.scene)) > 0.01:
        draw_text(about, context, f"The scene has {rate(context.scene):.5g} fps; the timing stays", "INFO")


def _draw_source(layout: UILayout, options: PerformanceProperties) -> None:
    body = _folding(layout, "range", "Range")
    if body:
        for name in ("start", "end", "fps", "source_head"):
            body.prop(options, name)
    body = _folding(layout, "performer", "Performer")
    if body:
        body.prop(options, "performer", text="Which")
        body.prop(options, "neutral")
        if options.neutral == "at":
            body.prop(options, "neutral_at")
        body.prop(options, "smoothing")
        if options.smoothing != "none":
            body.prop(options, "strength")
        body.prop(options, "mirror")
        body.prop(options, "head_motion")
    body = _folding(layout, "gains", "Gains")
    if body:
        column = body.column(align=True)
        for region in REGIONS:
            column.prop(options, f"gain_{region}", slider=True)


def _draw_keys(layout: UILayout, options: PerformanceProperties) -> None:
    body = _folding(layout, "keys", "Keys")
    if body is None:
        return
    body.prop(options, "times", text="Where")
    body.prop(options, "reduce")
    if options.reduce:
        column = body.column(align=True)
        column.prop(options, "bound")
        column.prop(options, "angle")


def _draw_placement(layout: UILayout, options: PerformanceProperties, found: Found) -> None:
    body = _folding(layout, "placement", "Placement", closed=False)
    if body is None:
        return
    body.prop(options, "use_current_frame")
    if not options.use_current_frame:
        body.prop(options, "frame")
    body.prop(options, "how")
    if options.how == "STRIP":
        body.prop(options, "layer")
    if options.how == "ACTIVE":
        body.prop(options, "punch")
        if options.punch:
            column = body.column(align=True)
            for name in ("punch_start", "punch_end", "blend"):
                column.prop(options, name)
    row = body.row()
    row.active = not isinstance(found, PerformanceDescribed) or found.has_sound
    row.prop(options, "sound")


def _folding(layout: UILayout, name: str, label: str, *, closed: bool = True) -> UILayout | None:
    header, body = layout.panel(f"likeness_performance_{name}", default_closed=closed)
    header.label(text=label)
    return body


def _draw_import(layout: UILayout, context: Context, options: PerformanceProperties) -> None:
    row = layout.row()
    row.scale_y = 1.4
    row.enabled = bool(options.filepath) and expressions.is_editable(find.active_avatar(context))
    row.operator("likeness.import_performance", text="Import", icon="IMPORT")


def _draw_progress(layout: UILayout, work: session.Work) -> None:
    row = layout.row(align=True)
    row.scale_y = 1.4
    row.progress(factor=work.fraction, text=f"{work.stage}  {work.fraction:.0%}")
    row.operator("likeness.cancel", text="", icon="X")


def _draw_report(layout: UILayout, context: Context) -> None:
    if not performances.report:
        return
    row = layout.box().row()
    column = row.column()
    for number, sentence in enumerate(performances.report):
        draw_text(column, context, sentence, "INFO" if number else "CHECKMARK", beside=DISMISS)
    row.operator("likeness.dismiss_performance", text="", icon="X", emboss=False)


CLASSES = (PerformancePanel,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
