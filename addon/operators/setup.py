"""The engine's setup from Blender: make its environment, take it away, start and stop its process."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from likeness.contract.errors import LikenessError

from .. import preferences, session
from ..environment import Setup, State, Wish, cuda_is_usable, remove, state_of
from ..viewports import redraw_sidebars

INTERVAL = 0.2
"""Seconds between looks at a running setup."""
OFFLINE = LikenessError(
    "setup.offline",
    "Blender may not go online.",
    "Allow it in Preferences > System > Network > Allow Online Access, or install the engine from a folder of wheels.",
)
CHECKOUT = LikenessError(
    "setup.checkout",
    "Likeness does not run as an installed extension, so there is no place for its engine.",
    "Install the extension's zip, or name an engine in the environment variable LIKENESS_ENGINE.",
)

running: Setup | None = None
"""The setup that is going on."""
last_error: LikenessError | None = None
"""Why the last setup or removal failed, until another begins."""


class SetUpEngine(bpy.types.Operator):
    """Install the engine into the extension's own folder, or go on where the last attempt ended"""

    bl_idname = "likeness.setup_engine"
    bl_label = "Set Up Engine"

    wheels_folder: StringProperty(
        name="Folder of Wheels",
        description="Install from the packages in this folder and use no network; empty fetches them",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )

    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One at a time, and only where there is a place for it."""
        return _poll_idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Begin, and follow it; Esc stops it."""
        if bpy.app.background or not context.window:
            return self.execute(context)
        if not self._begin():
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(INTERVAL, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for the end without getting in anybody's way."""
        if event.type == "ESC" and event.value == "PRESS" and running:
            running.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER" or running:
            return {"PASS_THROUGH"}
        self.cancel(context)
        return self._report_end()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set up and return when it is done."""
        if not self._begin():
            return {"CANCELLED"}
        try:
            while not running.wait(INTERVAL):
                pass
        except KeyboardInterrupt:
            running.cancel()
            running.wait()
        _follow()
        return self._report_end()

    def cancel(self, context: bpy.types.Context) -> None:
        """Stop following, as when another file is opened; the setup itself goes on."""
        if self._timer:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _begin(self) -> bool:
        error = begin(self.wheels_folder)
        if error:
            _report(self, error)
        return error is None

    def _report_end(self) -> set[str]:
        if last_error:
            _report(self, last_error)
            return {"CANCELLED"}
        self.report({"INFO"}, "The engine is set up")
        return {"FINISHED"}


class InstallEngineFromFolder(bpy.types.Operator):
    """Install the engine from a folder of wheels, without a network"""

    bl_idname = "likeness.install_engine_from_folder"
    bl_label = "Install from Folder of Wheels"

    directory: StringProperty(name="Folder", description="The folder that holds the wheels", subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: StringProperty(default="*.whl", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One at a time, and only where there is a place for it."""
        return _poll_idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set up from the folder: with progress in a window, to the end in scripts."""
        how = "EXEC_DEFAULT" if bpy.app.background or not context.window else "INVOKE_DEFAULT"
        try:
            result = bpy.ops.likeness.setup_engine(how, wheels_folder=self.directory)
        except RuntimeError:  # the report of the setup itself, which an operator called from Python raises
            _report(self, last_error or CHECKOUT)
            return {"CANCELLED"}
        return {"CANCELLED"} if "CANCELLED" in result else {"FINISHED"}


class CancelSetup(bpy.types.Operator):
    """Stop setting up the engine; what is done stays, and the setup can be resumed"""

    bl_idname = "likeness.cancel_setup"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while there is something to stop."""
        return running is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask it to end."""
        running.cancel()
        return {"FINISHED"}


class RemoveEngine(bpy.types.Operator):
    """Delete the engine that Likeness has set up, with all its packages; avatars are not touched"""

    bl_idname = "likeness.remove_engine"
    bl_label = "Remove Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where there is one and nothing is being made."""
        if not _poll_idle(cls):
            return False
        if state_of(preferences.engine_folder(), preferences.bundle()) == State.ABSENT:
            cls.poll_message_set("Likeness has set up no engine")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop the engine and delete its folder's content."""
        global last_error
        last_error = None
        session.stop()
        try:
            remove(preferences.engine_folder())
        except LikenessError as error:
            last_error = error
            _report(self, error)
            return {"CANCELLED"}
        finally:
            redraw()
        self.report({"INFO"}, "The engine was removed")
        return {"FINISHED"}


class RestartEngine(bpy.types.Operator):
    """Start the engine, or stop it first and start it again"""

    bl_idname = "likeness.restart_engine"
    bl_label = "Restart Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while its files change."""
        return _poll_nothing_running(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it; what goes wrong is in its status."""
        session.restart()
        redraw()
        return {"FINISHED"}


class StopEngine(bpy.types.Operator):
    """Stop the engine, which gives its memory back; it starts again when it is needed"""

    bl_idname = "likeness.stop_engine"
    bl_label = "Stop Engine"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop it; returns at once."""
        session.stop()
        redraw()
        return {"FINISHED"}


def begin(wheels_folder: str) -> LikenessError | None:
    """Start a setup and follow it, or return why it cannot be."""
    global running, last_error
    if not wheels_folder and not bpy.app.online_access:
        return OFFLINE
    session.stop()  # its files are about to change
    last_error = None
    running = Setup(preferences.engine_folder(), _wish(wheels_folder))
    running.start()
    if not bpy.app.background:
        bpy.app.timers.register(_follow, first_interval=INTERVAL, persistent=True)
    return None


def redraw() -> None:
    """Have whatever shows the engine's state drawn anew: sidebars and preferences."""
    redraw_sidebars()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def _wish(wheels_folder: str) -> Wish:
    settings = preferences.get_preferences()
    device = settings.device if settings else "auto"
    wheels = Path(bpy.path.abspath(wheels_folder)) if wheels_folder else None
    return Wish(preferences.bundle(), wheels, cuda=device == "cuda" or (device == "auto" and cuda_is_usable()))


def _follow() -> float | None:
    """Show how far the setup is, until it has ended; then start the engine it made."""
    global running, last_error
    if running is None:
        return None
    redraw()
    if not running.done:
        return INTERVAL
    ended, running = running, None
    last_error = ended.error
    if last_error is None and not bpy.app.background:
        session.restart()
    return None


def _poll_idle(cls: type[bpy.types.Operator]) -> bool:
    if preferences.engine_folder() is None:
        cls.poll_message_set(CHECKOUT.message)
        return False
    return _poll_nothing_running(cls)


def _poll_nothing_running(cls: type[bpy.types.Operator]) -> bool:
    if running is not None:
        cls.poll_message_set("The engine is being set up")
    return running is None


def _report(operator: bpy.types.Operator, error: LikenessError) -> None:
    kind = "WARNING" if error.code == "setup.cancelled" else "ERROR"
    operator.report({kind}, f"{error.message} {error.remedy}")


CLASSES = (SetUpEngine, InstallEngineFromFolder, CancelSetup, RemoveEngine, RestartEngine, StopEngine)
_register, _unregister = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Register the operators."""
    _register()


def unregister() -> None:
    """Stop a running setup, which can be resumed, and take the operators away."""
    global running, last_error
    if running:
        running.cancel()
    running = last_error = None
    if bpy.app.timers.is_registered(_follow):
        bpy.app.timers.unregister(_follow)
    _unregister()
