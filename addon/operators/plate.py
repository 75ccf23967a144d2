"""Match Portrait: the photograph's own camera, with the photograph behind the head."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.types import Context, Event, Image, Object, Operator, Scene

from likeness.contract.errors import InputError, LikenessError
from likeness.contract.messages import MakePlate, PlateMade

from .. import session
from ..client import EngineClient, EngineState
from ..render.colors import photo_space
from ..scene import find, plate
from .create import in_blenders_words
from .work import Waiter, Work

STARTING, SENDING, FILLING = "Starting the engine", "Sending the photo", "Filling the background"
PAUSE = 0.05


class MatchPortrait(Waiter, Operator):
    """See the avatar as its photo does: the photo's camera and size, and the photo behind the head, without the person.
    Takes seconds, Esc cancels"""

    bl_idname = "likeness.match_portrait"
    bl_label = "Match Portrait"
    bl_options: ClassVar = {"UNDO"}  # not REGISTER: Adjust Last Operation would block while it is made again

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Ask for an active avatar, and for one thing at a time."""
        mesh = find.active_avatar(context)
        if mesh is None:
            cls.poll_message_set("Select an avatar first")
            return False
        if mesh.likeness.portrait.image is None:
            cls.poll_message_set("The avatar's photo was removed from this file")
            return False
        if context.scene.library is not None or mesh.users_collection[0].library is not None:
            cls.poll_message_set("The avatar is linked: Object > Relations > Make Local > All lets you do this here")
            return False
        return super().poll(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Have the plate made without holding Blender up."""
        if context.window is None:
            return self.execute(context)
        try:
            return self.wait_for(context, self._begin(context))
        except LikenessError as error:
            return self.failed(error)

    def execute(self, context: Context) -> set[str]:
        """Block until the plate is there."""
        try:
            work = self._begin(context)
        except LikenessError as error:
            return self.failed(error)
        self.block_for(work)
        return self.conclude(context, work)

    def conclude(self, context: Context, work: Work[bytes]) -> set[str]:
        """Set camera, scene and compositor."""
        ended = self.without_result(work)
        if ended:
            return ended
        mesh = bpy.data.objects.get(self.mesh_name)
        if mesh is None or not find.is_avatar(mesh):
            return self.failed(InputError("plate.gone", f"{self.mesh_name} is no longer there.", "Select an avatar."))
        session.dismiss()
        self._match(context, mesh, work.result)
        return {"FINISHED"}

    def _begin(self, context: Context) -> Work[bytes]:
        """Errors: InputError `plate.photo`; MachineError `engine.*`."""
        mesh = find.active_avatar(context)
        portrait = mesh.likeness.portrait
        self.mesh_name = mesh.name  # a reference would not outlive undo
        request = MakePlate(id=0, photograph=_packed(portrait.image), face_square=tuple(portrait.face_square))
        client = session.client()
        return Work(lambda work: _make(work, client, request))

    def _match(self, context: Context, mesh: Object, png: bytes) -> None:
        scene = context.scene
        place = mesh.evaluated_get(context.evaluated_depsgraph_get()).matrix_world.copy()
        if plate.is_uneven(place):
            self.report({"WARNING"}, f"{mesh.name} is scaled unevenly: no camera sees it as the photo does")
        self._match_colors(scene)
        camera = plate.set_camera(scene, mesh, place)
        image = plate.set_plate(camera, f"{mesh.name} Plate", png, photo_space(scene) or "sRGB")
        if not plate.add_nodes(scene, context.view_layer, image):
            self.report({"WARNING"}, "The compositor does not reach its output or is off: renders will lack the photo")

    def _match_colors(self, scene: Scene) -> None:
        """Show the photo's own colours where the user has not chosen how the scene is viewed, and say so."""
        view = scene.view_settings
        is_default = (view.view_transform, view.look, view.exposure, view.gamma) == ("AgX", "None", 0.0, 1.0)
        if is_default and not view.use_curve_mapping:
            view.view_transform = "Standard"
            self.report({"INFO"}, "View Transform is now Standard, which shows the photo's own colors")
        elif view.view_transform != "Standard" and photo_space(scene) is None:
            changed = f"View Transform {view.view_transform} changes the photo's colors"
            self.report({"WARNING"}, f"{changed}; Standard does not, nor do Photo Colors")


def _packed(image: Image) -> bytes:
    """Errors: InputError `plate.photo`."""
    if image.packed_file is None:
        raise InputError("plate.photo", f"{image.name} is not packed in this file.", "Pack it: File > External Data.")
    return bytes(image.packed_file.data)


def _make(work: Work[bytes], client: EngineClient, request: MakePlate) -> bytes:
    """Have the engine make the plate; runs in the work's thread."""
    job = client.submit(request, _png)
    while not job.wait(PAUSE):
        if work.cancelled:
            client.cancel(job)
        starting = client.status.state == EngineState.STARTING
        work.stage, work.fraction = STARTING if starting else FILLING if job.stage else SENDING, job.fraction
    if job.error:
        raise in_blenders_words(job.error)
    return job.result


def _png(answer: PlateMade) -> bytes:
    return answer.plate


CLASSES = (MatchPortrait,)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
