"""What the panel "Performance" and its operator have in common: the file and how it is to be imported."""

from __future__ import annotations

from math import radians

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

NEUTRAL_ITEMS = (
    ("auto", "Automatic", "Find the performer's face at rest in the performance and take it as zero"),
    ("at", "At Second", "The performer's face is at rest at a second that you name"),
    ("off", "Off", "Take the values as they are"),
)
SMOOTHING_ITEMS = (
    ("none", "None", "Take every frame as it is"),
    ("one-euro", "One Euro", "Calm what hardly moves, leave alone what moves fast"),
    ("savgol", "Savitzky-Golay", "Fit a curve to the frames around each frame; keeps the height of peaks"),
)
TIMES_ITEMS = (
    (
        "SOURCE",
        "At Source Times",
        "Key where the performance has frames, between the scene's frames too: nothing is lost",
    ),
    (
        "FRAMES",
        "On Scene Frames",
        "Key on whole frames alone: easier to edit, but quick movements between them are lost",
    ),
)
HOW_ITEMS = (
    ("ACTIVE", "Active Action", "Replace these frames in the action that the avatar has; keys outside stay"),
    ("ACTION", "New Action", "Make a new action of it; the one before is kept"),
    ("STRIP", "New NLA Strip", "Lay it over all that is animated already, as a strip on an NLA track of its own"),
)
REGIONS = {
    "brows": "the brows",
    "eyes": "the lids",
    "gaze": "the eyes' turns",
    "jaw": "the jaw's movements",
    "mouth": "the mouth's shapes",
    "cheeks": "the cheeks",
    "nose": "the nose's wrinkles",
    "tongue": "the tongue's movements",
    "head": "the head's turns and moves",
}
"""Parts of the face that have a gain, as the engine names them, and what they do."""
LAYER_ITEMS = (
    ("REPLACE", "Replace", "The strip replaces what lies below"),
    ("ADD", "Add", "The strip is added to what lies below, as an additive layer"),
)

_SKIP = {"SKIP_SAVE"}


def _punch_changed(options: PerformanceOptions, context: bpy.types.Context) -> None:
    """Begin with the frames that are played."""
    if options.punch and not options.is_property_set("punch_start"):
        scene = context.scene
        range_ = (scene.frame_preview_start, scene.frame_preview_end)
        options.punch_start, options.punch_end = (
            range_ if scene.use_preview_range else (scene.frame_start, scene.frame_end)
        )


class PerformanceOptions:
    """The choices, for the operator and for the panel."""

    start: FloatProperty(
        name="Start",
        description="Where to begin in the file, seconds",
        default=0.0,
        min=0.0,
        precision=2,
        options=_SKIP,
    )
    end: FloatProperty(
        name="End",
        description="Where to end in the file, seconds; 0 takes all",
        default=0.0,
        min=0.0,
        precision=2,
        options=_SKIP,
    )
    performer: IntProperty(
        name="Performer",
        description="Which of several people in a video: 1 is the leftmost, 0 takes the only one",
        default=0,
        min=0,
        options=_SKIP,
    )
    fps: FloatProperty(
        name="Rate",
        description="Frames a second of a file that does not say its rate; 0 takes the file's",
        default=0.0,
        min=0.0,
        max=1000.0,
        options=_SKIP,
    )
    source_head: StringProperty(
        name="FLAME File",
        description="The FLAME model (.pkl or .npz) to which a FLAME sequence belongs, if it is not the avatar's",
        subtype="FILE_PATH",
        options=_SKIP,
    )
    neutral: EnumProperty(
        items=NEUTRAL_ITEMS,
        name="Neutral",
        description="What counts as the performer's face at rest",
        default="auto",
        options=_SKIP,
    )
    neutral_at: FloatProperty(
        name="At",
        description="Second of the file at which the performer's face is at rest",
        default=0.0,
        min=0.0,
        precision=2,
        options=_SKIP,
    )
    smoothing: EnumProperty(
        items=SMOOTHING_ITEMS, name="Smoothing", description="How to take the jitter out", default="none", options=_SKIP
    )
    strength: FloatProperty(
        name="Strength",
        description="How much to smooth",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=_SKIP,
    )
    mirror: BoolProperty(
        name="Mirror", description="Exchange left and right, as in a mirror", default=False, options=_SKIP
    )
    head_motion: BoolProperty(
        name="Head Motion",
        description="Let the head turn and move as the performer's; off, its animation stays",
        default=True,
        options=_SKIP,
    )
    times: EnumProperty(
        items=TIMES_ITEMS, name="Keys", description="Where the keys lie", default="SOURCE", options=_SKIP
    )
    reduce: BoolProperty(
        name="Reduce", description="Leave out keys that the others make up for", default=True, options=_SKIP
    )
    bound: FloatProperty(
        name="Controls",
        description="How far a control may be off",
        default=0.005,
        min=0.0001,
        max=0.5,
        precision=4,
        step=0.1,
        options=_SKIP,
    )
    angle: FloatProperty(
        name="Bones",
        description="How far an angle of a bone may be off",
        default=radians(0.2),
        min=radians(0.001),
        max=radians(20),
        subtype="ANGLE",
        precision=3,
        options=_SKIP,
    )
    use_current_frame: BoolProperty(
        name="At Current Frame", description="Begin where the playhead is", default=True, options=_SKIP
    )
    frame: FloatProperty(
        name="Frame", description="Frame of the scene at which the performance begins", default=1.0, options=_SKIP
    )
    how: EnumProperty(items=HOW_ITEMS, name="As", description="Where the keys go", default="ACTION", options=_SKIP)
    layer: EnumProperty(
        items=LAYER_ITEMS, name="Blend", description="What the strip does with what lies below", options=_SKIP
    )
    punch: BoolProperty(
        name="Punch-In",
        description="Replace only some frames of the active action",
        default=False,
        options=_SKIP,
        update=_punch_changed,
    )
    punch_start: IntProperty(
        name="From", description="First frame of the scene that is replaced", default=1, options=_SKIP
    )
    punch_end: IntProperty(
        name="To", description="Last frame of the scene that is replaced", default=250, options=_SKIP
    )
    blend: IntProperty(
        name="Fade",
        description="Frames at either end over which the old goes into the new",
        default=5,
        min=0,
        options=_SKIP,
    )
    sound: BoolProperty(
        name="Sound",
        description="Put the file's sound into the sequencer at the same frame",
        default=True,
        options=_SKIP,
    )


PerformanceOptions.__annotations__ |= {
    f"gain_{region}": FloatProperty(
        name=region.capitalize(), description=f"How strongly {what} of the performance are taken, 1 as they are",
        default=1.0, min=0.0, max=4.0, soft_max=2.0, options=_SKIP,
    )
    for region, what in REGIONS.items()
}  # fmt: skip


class PerformanceProperties(PerformanceOptions, bpy.types.PropertyGroup):
    """What the panel holds while Blender runs; `WindowManager.likeness_performance`."""

    filepath: StringProperty(
        name="File",
        subtype="FILE_PATH",
        description="A performance: a video, a Live Link Face CSV, ARKit's JSON or a FLAME sequence (.npz)",
    )


OPTIONS = tuple(PerformanceOptions.__annotations__)
"""Their names."""


def register() -> None:
    """Register the properties and hang them on the window manager."""
    bpy.utils.register_class(PerformanceProperties)
    bpy.types.WindowManager.likeness_performance = PointerProperty(type=PerformanceProperties)


def unregister() -> None:
    """Take them away again."""
    del bpy.types.WindowManager.likeness_performance
    bpy.utils.unregister_class(PerformanceProperties)
