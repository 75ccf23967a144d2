"""Panel Setup: which engine there is, where it comes from, and the one button that it needs now.

The same box stands in the extension's preferences.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

import bpy

from likeness.contract.errors import LikenessError

from .. import preferences, session
from ..client import EngineState, EngineStatus
from ..command import VARIABLE, engine_command
from ..environment import State, own_environment, state_of
from ..operators import setup as operators
from .sidebar import SidebarPanel
from .text import draw_text

SETUP_BUTTONS = {State.ABSENT: "Set Up Engine", State.INCOMPLETE: "Resume Setup", State.OUTDATED: "Update Engine"}
STATE_TEXTS = {
    EngineState.STOPPED: "Not running",
    EngineState.STARTING: "Starting",
    EngineState.READY: "Ready",
    EngineState.FAILED: "Failed",
}


@dataclass(frozen=True)
class EngineView:
    """What the box shows of the engine."""

    source: str
    """Where the command comes from, for people."""
    command: tuple[str, ...]
    own: State | None
    """The state of the extension's own environment; None where another engine is named, or there is no place for it."""
    status: EngineStatus
    error: LikenessError | None

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing for the user to do."""
        return bool(self.command) and self.error is None and self.own in (None, State.READY)


def look() -> EngineView:
    """Find out where the engine stands; starts nothing."""
    named = os.environ.get(VARIABLE, "").strip() or session.preference().strip()
    folder = preferences.engine_folder()
    own = None if named or folder is None else state_of(folder, preferences.bundle())
    status = session.status()
    command, problem = _command()
    error = operators.last_error or status.error or problem
    if error and error.code == "engine.none":  # the button and its text say so
        error = None
    return EngineView(_source(), command, own, status, error)


def draw_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the state of the engine, or the progress of its setup, with what can be done about it."""
    column = layout.column()
    if operators.running:
        _draw_progress(column, context)
        return
    view = look()
    _draw_state(column, view, context)
    if view.error:
        _draw_error(column.box(), view.error, context)
    if view.own in SETUP_BUTTONS:
        _draw_setup(column, SETUP_BUTTONS[view.own], context)
    elif view.command:
        _draw_restart(column, view)
    elif preferences.engine_folder() is None:
        draw_text(column, context, operators.CHECKOUT.message, icon="INFO")
        draw_text(column, context, operators.CHECKOUT.remedy)
    _draw_more(column, view)


def _command() -> tuple[tuple[str, ...], LikenessError | None]:
    try:
        folder = preferences.engine_folder()
        return tuple(engine_command(session.preference(), folder and own_environment(folder))), None
    except LikenessError as error:
        return (), error


def _source() -> str:
    if os.environ.get(VARIABLE, "").strip():
        return f"Environment variable {VARIABLE}"
    return "Preferences" if session.preference().strip() else "Set up by Likeness"


def _draw_progress(column: bpy.types.UILayout, context: bpy.types.Context) -> None:
    progress = operators.running.progress
    row = column.row(align=True)
    row.scale_y = 1.5
    row.progress(factor=progress.fraction, text=progress.step or "Starting")
    row.operator("likeness.cancel_setup", text="", icon="X")
    if progress.line:
        line = column.row()
        line.enabled = False
        line.label(text=progress.line[:120])


def _draw_state(column: bpy.types.UILayout, view: EngineView, context: bpy.types.Context) -> None:
    if not view.command:
        text = {State.INCOMPLETE: "The setup is not finished"}.get(view.own, "No engine yet")
        column.label(text=text, icon="ERROR" if view.own == State.INCOMPLETE else "INFO")
        return
    status = view.status
    icon = {EngineState.READY: "CHECKMARK", EngineState.FAILED: "ERROR"}.get(status.state, "INFO")
    column.label(text=f"{STATE_TEXTS[status.state]} {status.software}".rstrip(), icon=icon)
    if status.device:
        column.label(text=f"{status.device.upper()}: {status.device_name}", icon="MEMORY")
    column.label(text=view.source, icon="CONSOLE")
    draw_text(column, context, " ".join(view.command)).enabled = False
    if view.own == State.OUTDATED:
        draw_text(column, context, "This engine belongs to another version of Likeness.", icon="ERROR")


def _draw_error(box: bpy.types.UILayout, error: LikenessError, context: bpy.types.Context) -> None:
    draw_text(box, context, error.message, icon="ERROR")
    draw_text(box, context, error.remedy)


def _draw_setup(column: bpy.types.UILayout, text: str, context: bpy.types.Context) -> None:
    if bpy.app.online_access:
        draw_text(column, context, "Fetches about 0.6 GB; takes 2.1 GB of disk.")
    else:
        draw_text(column, context, f"{operators.OFFLINE.message} {operators.OFFLINE.remedy}", icon="INTERNET_OFFLINE")
        column.operator("screen.userpref_show", text="Open Preferences", icon="PREFERENCES").section = "SYSTEM"
    row = column.row()
    row.scale_y = 1.5
    row.operator("likeness.setup_engine", text=text, icon="IMPORT")
    column.operator("likeness.install_engine_from_folder", icon="FILE_FOLDER")


def _draw_restart(column: bpy.types.UILayout, view: EngineView) -> None:
    is_up = view.status.state in (EngineState.READY, EngineState.STARTING)
    row = column.row(align=True)
    row.scale_y = 1.5 if view.status.state == EngineState.FAILED else 1.0
    text = "Start Engine" if view.status.state == EngineState.STOPPED else "Restart Engine"
    row.operator("likeness.restart_engine", text=text, icon="FILE_REFRESH")
    if is_up:
        row.operator("likeness.stop_engine", text="", icon="PAUSE")


def _draw_more(column: bpy.types.UILayout, view: EngineView) -> None:
    if view.own in (State.READY, State.OUTDATED, State.INCOMPLETE):
        column.operator("likeness.remove_engine", icon="TRASH")


class SetupPanel(SidebarPanel):
    """In the sidebar's tab, after all others."""

    bl_label = "Setup"
    bl_order = 90

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the engine's box."""
        draw_engine(self.layout, context)


class OpenSetup(SetupPanel, bpy.types.Panel):
    """Setup while there is something to do: open by default"""

    bl_idname = "LIKENESS_PT_setup"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while the engine needs the user."""
        return operators.running is not None or not look().is_settled


class SettledSetup(SetupPanel, bpy.types.Panel):
    """Setup when all is well: closed by default"""

    bl_idname = "LIKENESS_PT_setup_settled"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while the engine needs nothing."""
        return operators.running is None and look().is_settled


_register, _unregister = bpy.utils.register_classes_factory((OpenSetup, SettledSetup))


def register() -> None:
    """Register the panels, and put their box into the preferences."""
    _register()
    preferences.sections.append(draw_engine)


def unregister() -> None:
    """Take both away."""
    preferences.sections.remove(draw_engine)
    _unregister()
