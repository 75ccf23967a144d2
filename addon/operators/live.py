"""Operators of a live performance: receive it, take the face as rest, record takes, greet the phone."""

from __future__ import annotations

import math
import re
from typing import ClassVar

import bpy
from bpy.types import Context, Event, Operator

from likeness.contract.errors import InputError, LikenessError, MachineError
from likeness.contract.failures import as_likeness_error

from .. import receiving, session
from ..live.receiver import LOOPBACK, read_address
from ..live_properties import LiveProperties
from ..receiving import Recorded
from ..scene import find
from ..scene.bake import Placement
from ..scene.keys import current_frame
from ..scene.performance import Bounds
from ..scene.placing import Choices, Done, put_on
from .expression import AvatarOperator
from .receive_performance import Receiving

OFFLINE = MachineError(
    "live.offline",
    "Blender's online access is off, and with it every network.",
    "Choose Preferences > System > Network > Allow Online Access, or receive from this computer.",
)
DIALOG_WIDTH = 460
TAKE_BOUNDS = Bounds(control=0.005, angle=math.radians(0.2))
"""How far the keys of a take may be off what arrived."""
_agreed: set[tuple[str, int]] = set()
"""Addresses and ports that the person agreed to open, while Blender runs."""


class Receive(AvatarOperator, Operator):
    """Open a network port and let the active avatar follow the face that an app sends"""

    bl_idname = "likeness.receive"
    bl_label = "Receive"
    bl_options: ClassVar = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for one at a time and for an avatar."""
        if receiving.current is not None:
            cls.poll_message_set("A live performance is being received already")
            return False
        if isinstance(session.work, Receiving):
            cls.poll_message_set("A performance is being imported: wait for it, or cancel it")
            return False
        return super().poll(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Say what will be opened and to whom, and ask; once for each address and port."""
        settings = context.window_manager.likeness_live
        if (settings.listen_on, settings.port) in _agreed:
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH, confirm_text="Receive")

    def draw(self, context: Context) -> None:
        """Say it."""
        column = self.layout.column(align=True)
        for number, line in enumerate(opening(context.window_manager.likeness_live)):
            column.label(text=line, icon="BLANK1" if number else "INTERNET")

    def act(self, context: Context, mesh: bpy.types.Object) -> set[str]:
        """Open the port."""
        settings = context.window_manager.likeness_live
        _check_allowed(settings.listen_on)
        receiving.start(mesh, settings.listen_on, settings.port, settings.phone.strip())
        _agreed.add((settings.listen_on, settings.port))
        return {"FINISHED"}


class LiveOperator:
    """What operators share that need a performance."""

    bl_options: ClassVar = {"REGISTER"}

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Ask for one."""
        if receiving.current is None:
            cls.poll_message_set("Press Receive first")
            return False
        return True


class StopReceiving(LiveOperator, Operator):
    """Close the port and put the avatar back into the pose before"""

    bl_idname = "likeness.stop_receiving"
    bl_label = "Stop Receiving"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for a performance, and for no take: that is finished first."""
        if receiving.current is not None and receiving.current.receiver.take is not None:
            cls.poll_message_set("Finish the take first")
            return False
        return super().poll(context)

    def execute(self, _context: Context) -> set[str]:
        """Stop."""
        receiving.stop()
        return {"FINISHED"}


class SetNeutral(LiveOperator, Operator):
    """Take the performer's present face and head as rest: what the avatar does is counted from there"""

    bl_idname = "likeness.set_neutral"
    bl_label = "Set Neutral"

    def execute(self, _context: Context) -> set[str]:
        """Take the latest frame that shows a face."""
        latest = receiving.current.receiver.latest
        if latest is None or not latest.packet.seen:
            self.report({"ERROR"}, "No face has arrived yet. Look into the phone and try again")
            return {"CANCELLED"}
        receiving.set_rest(latest.packet)
        return {"FINISHED"}


class ClearNeutral(LiveOperator, Operator):
    """Take the app's own zero as rest again"""

    bl_idname = "likeness.clear_neutral"
    bl_label = "Clear Neutral"

    def execute(self, _context: Context) -> set[str]:
        """Forget the rest."""
        receiving.set_rest(None)
        return {"FINISHED"}


class GreetPhone(LiveOperator, Operator):
    """Ask iFacialMocap on the phone, whose address is given above, to send to this computer"""

    bl_idname = "likeness.greet_phone"
    bl_label = "Greet Phone"

    def execute(self, context: Context) -> set[str]:
        """Send the greeting."""
        phone = context.window_manager.likeness_live.phone.strip()
        try:
            _check_allowed(phone)
            receiving.current.receiver.greet(phone)
        except LikenessError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}
        return {"FINISHED"}


class RecordTake(LiveOperator, Operator):
    """Record what arrives, to lie at the current frame"""

    bl_idname = "likeness.record_take"
    bl_label = "Record Take"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for one at a time."""
        if receiving.current is not None and receiving.current.receiver.take is not None:
            cls.poll_message_set("A take is being recorded")
            return False
        if receiving.unlaid is not None:
            cls.poll_message_set("Finish the take before first")
            return False
        return super().poll(context)

    def execute(self, context: Context) -> set[str]:
        """Begin."""
        receiving.record(current_frame(context.scene))
        return {"FINISHED"}


class FinishTake(LiveOperator, Operator):
    """End the take and lay it on the avatar as a new action"""

    bl_idname = "likeness.finish_take"
    bl_label = "Finish Take"
    bl_options: ClassVar = {"UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for a take."""
        if receiving.unlaid is not None:
            return True
        if receiving.current is not None and receiving.current.receiver.take is None:
            cls.poll_message_set("Press Record Take first")
            return False
        return super().poll(context)

    def execute(self, context: Context) -> set[str]:
        """Lay it; where that is not possible it is kept."""
        recorded = receiving.end_take()
        if not len(recorded.take):
            self.report({"ERROR"}, "Nothing arrived, so there is no take. Look into the phone and try again")
            return {"CANCELLED"}
        name = _next_name()
        try:
            done = _lay(context, recorded, name)
        except Exception as error:  # what Blender refuses has no class of its own
            receiving.keep(recorded)
            told = as_likeness_error(error)
            self.report({"ERROR"}, f"{told.message} {told.remedy}")
            return {"CANCELLED"}
        self.report({"INFO"}, " ".join([f"{name}: {len(recorded.take)} frames.", *done.notes]))
        return {"FINISHED"}


def _lay(context: Context, recorded: Recorded, name: str) -> Done:
    """Key a take on the avatar that follows, else on the active one. Errors: InputError."""
    followed = receiving.current.preview.mesh if receiving.current is not None else None
    mesh = followed or find.active_avatar(context)
    if mesh is None:
        raise InputError("live.gone", "There is no avatar for the take, which is kept.", "Select one and try again.")
    head = context.window_manager.likeness_live.head
    choices = Choices(Placement(name, "ACTION"), recorded.frame, head_motion=head, bounds=TAKE_BOUNDS)
    return put_on(context.scene, mesh, recorded.take.motion(recorded.shaping), choices)


def _next_name() -> str:
    used = (re.fullmatch(r"Take (\d+)", action.name) for action in bpy.data.actions)
    return f"Take {max((int(match[1]) for match in used if match), default=0) + 1:03}"


def opening(settings: LiveProperties) -> list[str]:
    """Return what is opened and to whom, in plain words, a line each."""
    address = settings.listen_on
    who = {"NETWORK": "every device that reaches this computer", "COMPUTER": "programs on this computer alone"}
    local = address == LOOPBACK
    return [
        f"Likeness will open UDP port {settings.port} on {'this computer (127.0.0.1)' if local else address}.",
        f"To it can send: {who.get(settings.source, f'every device that reaches {address}')}.",
        f"Heeded is {f'{settings.phone} alone' if settings.phone else 'who sends a face first'}. Nothing is answered.",
        "Frames of a face are understood, and nothing else.",
        "The port closes with Stop, with the file and with Blender.",
    ]


def _check_allowed(address: str) -> None:
    """Raise MachineError `live.offline` where an address is on a network and Blender is to use none."""
    if not (read_address(address).is_loopback or bpy.app.online_access):
        raise OFFLINE


CLASSES = (Receive, StopReceiving, SetNeutral, ClearNeutral, GreetPhone, RecordTake, FinishTake)

_register, _unregister = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Register the operators."""
    _register()


def unregister() -> None:
    """Take them back, and forget what was agreed to."""
    _agreed.clear()
    _unregister()
