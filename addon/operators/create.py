"""Create Avatar: a photograph becomes an avatar in the scene; and choosing the photograph."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Event, FileHandler, Operator, OperatorFileListElement

from likeness.contract.avatar_file import avatar_from_bytes
from likeness.contract.errors import InputError, LikenessError
from likeness.contract.messages import AvatarCreated, CreateAvatar

from .. import preferences, session
from ..client import EngineClient, EngineState, Job
from ..photo import SUFFIXES, read_photo
from ..properties import QUALITY_ITEMS, SessionProperties
from ..scene.prepare import prepare
from .maker import HIDDEN, AvatarMaker, Made, names_of
from .work import Work

STAGES = {
    "read": ("Reading the photo", 0.0, 0.03),
    "matte": ("Cutting out the head", 0.03, 0.08),
    "fit": ("Fitting the face", 0.08, 0.2),
    "lift": ("Building the head", 0.2, 0.32),
    "refine": ("Refining", 0.32, 1.0),
}
"""What the engine's stages are called here, and the part of the whole that each takes."""
PATTERNS = ";".join(f"*{suffix}" for suffix in SUFFIXES)
THUMBNAILS = (("THUMBNAIL", "Thumbnails", "", 3),)
"""Blender's own number of this way to list files."""
PAUSE = 0.05


class CreateAvatarOperator(AvatarMaker, Operator):
    """Make an animatable head of a portrait photograph; takes from seconds to a minute, Esc cancels"""

    bl_idname = "likeness.create_avatar"
    bl_label = "Create Avatar"

    filepath: StringProperty(name="Photo", description="The photograph", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options=HIDDEN)
    files: CollectionProperty(type=OperatorFileListElement, options=HIDDEN)
    quality: EnumProperty(
        items=QUALITY_ITEMS, name="Quality", description="How fine, and how slow", default="standard",
        options={"SKIP_SAVE"},
    )  # fmt: skip
    head: StringProperty(
        name="Head Model", default="open", options={"SKIP_SAVE"},
        description="'open' for the head that comes with Likeness, or the path of your own FLAME file",
    )  # fmt: skip
    face: IntProperty(
        name="Face", description="Which of several faces: 1 is the largest, 0 takes the best", default=0, min=0,
        options={"SKIP_SAVE"},
    )  # fmt: skip
    browsing: BoolProperty(
        name="Choose File", description="Let the user choose a photo, whatever the panel says", options=HIDDEN
    )
    filter_glob: StringProperty(default=PATTERNS, options=HIDDEN)
    display_type: EnumProperty(items=THUMBNAILS, default="THUMBNAIL", options=HIDDEN)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Take from the panel what was not given; without a photo let the user choose one."""
        settings = context.window_manager.likeness
        for name, value in panel_choices(settings).items():
            if not self.properties.is_property_set(name):
                setattr(self, name, value)
        if not self.paths():
            self.filepath = settings.photo
        if self.browsing or not self.paths():
            return self.browse(context)
        settings.photo = str(self.paths()[0])
        return self.begin(context)

    def invoke_for(self, paths: list[Path]) -> None:
        """Begin again, modal, with these photographs."""
        choices = {name: getattr(self, name) for name in ("quality", "head", "face")}
        if paths:
            bpy.ops.likeness.create_avatar("INVOKE_DEFAULT", **names_of(paths), **choices)

    def execute(self, context: Context) -> set[str]:
        """Block until the avatars are there. Without a photograph there is nothing to do, which is an error."""
        if not self.paths():
            self.report({"ERROR"}, "No photo is given. Give its path as filepath.")
            return {"CANCELLED"}
        return super().execute(context)

    def draw(self, _context: Context) -> None:
        """Draw the options beside the file browser."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "quality")
        layout.prop(self, "head")

    def start_work(self, path: Path) -> Work[Made]:
        """Start reading the photograph and making an avatar of it. Errors: MachineError `engine.*`, InputError."""
        if not self.head:
            raise InputError("head.none", "No FLAME file is chosen.", "Choose one, or take the Open Head.")
        settings = preferences.get_preferences()
        client = session.client()
        head = self.head if self.head == "open" else bpy.path.abspath(self.head)
        choice = {"quality": self.quality, "head": head, "face": self.face or None}
        choice["device"] = settings.device if settings else "auto"
        return Work(lambda work: make(work, client, path, choice))


class ChoosePhoto(Operator):
    """Choose a portrait photograph: one face, from the front, evenly lit"""

    bl_idname = "likeness.choose_photo"
    bl_label = "Choose Photo"
    bl_options: ClassVar = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=PATTERNS, options=HIDDEN)
    filter_folder: BoolProperty(default=True, options=HIDDEN)
    display_type: EnumProperty(items=THUMBNAILS, default="THUMBNAIL", options=HIDDEN)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser where the present photo lies."""
        self.filepath = context.window_manager.likeness.photo
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Keep the path for the panel, and start the engine, for it will be wanted soon."""
        context.window_manager.likeness.photo = bpy.path.abspath(self.filepath)
        session.dismiss()
        session.wake()
        return {"FINISHED"}


class CancelWork(Operator):
    """Stop what is on its way; the scene stays as it is"""

    bl_idname = "likeness.cancel"
    bl_label = "Cancel"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, _context: Context) -> set[str]:
        """Cancel what goes on; the operator that waits for it ends by itself."""
        if session.work is not None:
            session.work.cancel()
        return {"FINISHED"}


class DismissMessages(Operator):
    """Hide this message"""

    bl_idname = "likeness.dismiss"
    bl_label = "Dismiss"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, _context: Context) -> set[str]:
        """Forget the last error and warnings."""
        session.dismiss()
        return {"FINISHED"}


class PhotoDrop(FileHandler):
    """Photographs dropped on the sidebar or the 3D view"""

    bl_idname = "LIKENESS_FH_photo"
    bl_label = "Likeness from Photo"
    bl_import_operator = "likeness.create_avatar"
    bl_file_extensions = ";".join(SUFFIXES)

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Take them in a 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


def panel_choices(settings: SessionProperties) -> dict[str, object]:
    """Return what the panel says, as the operator's properties."""
    head = "open" if settings.head == "open" else settings.head_file
    return {"quality": settings.quality, "head": head, "face": settings.face}


def make(work: Work[Made], client: EngineClient, path: Path, choice: dict[str, object]) -> Made:
    """Read the photograph, have the engine make an avatar of it, and prepare that; runs in the work's thread."""
    work.stage = STAGES["read"][0]
    portrait = read_photo(path)
    request = CreateAvatar(id=0, portrait=portrait, filename=path.name, seed=0, **choice)
    job = client.submit(request, lambda answer: _prepared(answer, path))
    while not job.wait(PAUSE):
        if work.cancelled:
            client.cancel(job)
        _follow(work, job, client)
    if job.error:
        raise in_blenders_words(job.error)
    return job.result


def _prepared(answer: AvatarCreated, path: Path) -> Made:
    avatar = avatar_from_bytes(answer.avatar, path.with_suffix(".likeness"))
    return Made(prepare(avatar), tuple(_in_blenders_words(warning) for warning in answer.warnings))


def _follow(work: Work[Made], job: Job[Made], client: EngineClient) -> None:
    """Take over a job's progress, as a share of the whole."""
    if client.status.state == EngineState.STARTING:
        work.stage = "Starting the engine"
    elif job.stage in STAGES:
        work.stage, start, end = STAGES[job.stage]
        work.fraction = start + (end - start) * job.fraction
    else:
        work.stage = job.stage.capitalize() or STAGES["read"][0]


def in_blenders_words(error: LikenessError) -> LikenessError:
    """Return an engine's error without the command line's options in it."""
    return type(error)(error.code, _in_blenders_words(error.message), _in_blenders_words(error.remedy))


def _in_blenders_words(text: str) -> str:
    text = text.replace("; --face N picks another.", ". Face in the panel picks another.")
    return text.replace("another --face.", "another face.")


CLASSES = (CreateAvatarOperator, ChoosePhoto, CancelWork, DismissMessages, PhotoDrop)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
