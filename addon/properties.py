"""What Blender remembers: on an avatar's mesh and on scenes, saved in the .blend; in the session, while it runs."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from .scene.display import apply_display, apply_shadow
from .viewports import redraw_viewports

QUALITY_ITEMS = (
    ("draft", "Draft", "Coarse, in a few seconds"),
    ("standard", "Standard", "For most work"),
    ("high", "High", "Finer, takes longer"),
)
HEAD_ITEMS = (
    ("open", "Open Head", "The head that comes with Likeness, free for every use"),
    ("file", "FLAME File", "Your own FLAME model file (.pkl or .npz); its licence is FLAME's"),
)
SHOW_ITEMS = (
    ("SPLATS", "Splats", "Show the photographed head"),
    ("MESH", "Mesh", "Show the rig's mesh"),
    ("BOTH", "Both", "Show the photographed head together with the mesh"),
)
DETAIL_ITEMS = (
    ("FULL", "Full", "Draw all splats"),
    ("100K", "100k", "Draw the 100,000 splats that count most"),
    ("50K", "50k", "Draw the 50,000 splats that count most: twice as fast, hardly softer"),
    ("20K", "20k", "Draw the 20,000 splats that count most, for weak machines and many heads"),
)


def _show_changed(properties: AvatarProperties, context: bpy.types.Context) -> None:
    apply_display(properties.id_data)
    redraw_viewports()


def _shadow_changed(properties: AvatarProperties, _context: bpy.types.Context) -> None:
    apply_shadow(properties.id_data)


def _look_changed(_properties: AvatarProperties, _context: bpy.types.Context) -> None:
    redraw_viewports()


class PortraitProperties(bpy.types.PropertyGroup):
    """The photograph and its camera, as in `likeness.contract.avatar.PortraitView`; matrices row by row."""

    image: PointerProperty(type=bpy.types.Image, name="Photograph", description="The photograph, packed in the file")
    K: FloatVectorProperty(size=9, description="Camera matrix, pixels")
    T_camera_head: FloatVectorProperty(size=16, description="Head space to the camera's, metres, OpenCV's axes")
    size: IntVectorProperty(size=2, description="Width and height of the photograph, pixels")
    face_square: FloatVectorProperty(size=3, description="Left, top and side of the square around the face, pixels")
    pose: FloatVectorProperty(size=15, description="Rotation vectors of FLAME's five joints in the photograph")
    expression: PointerProperty(
        type=bpy.types.Action, name="Expression", description="What the face does in the photograph"
    )


class AvatarProperties(bpy.types.PropertyGroup):
    """An avatar; `Object.likeness` of its mesh. A mesh is an avatar when `splats` is set."""

    splats: PointerProperty(
        type=bpy.types.Object, name="Splats", description="The object whose points carry this avatar's Gaussians"
    )
    vertex_count: IntProperty(description="Vertices of the mesh as it was built; the Gaussians count on them")
    light: FloatVectorProperty(
        size=27,
        default=(1.0,) * 3 + (0.0,) * 24,
        description="The portrait's light: nine spherical harmonics of red, green and blue, in the body's axes",
    )
    light_still: FloatVectorProperty(
        size=27,
        default=(1.0,) * 3 + (0.0,) * 24,
        description="The same in the head's axes, with all joints at rest",
    )
    light_body: IntVectorProperty(size=3, description="Vertices that move with the body alone")
    light_head: IntVectorProperty(size=3, description="Vertices that move with the head alone")
    show: EnumProperty(items=SHOW_ITEMS, name="Show", default="SPLATS", update=_show_changed)
    visible: BoolProperty(
        name="Overlay", description="Draw the photographed head in the viewport", default=True, update=_show_changed
    )
    opacity: FloatProperty(
        name="Opacity",
        description="How opaque the photographed head is",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_look_changed,
    )
    detail: EnumProperty(
        items=DETAIL_ITEMS,
        name="Detail",
        description="How many splats the viewport draws; renders draw them all",
        default="FULL",
        update=_look_changed,
    )
    shadow: BoolProperty(
        name="Cast Shadow",
        description="Let the rig's mesh cast the head's shadow in renders and stand in the way of reflections",
        default=False,
        update=_shadow_changed,
    )
    head_model: StringProperty(name="Head Model", description="The head model that this avatar was built on")
    head_model_licence: StringProperty(name="Licence", description="Licence of the head model")
    head_model_hash: StringProperty(description="Content hash of the head model")
    portrait: PointerProperty(type=PortraitProperties)


class SceneProperties(bpy.types.PropertyGroup):
    """How a scene's avatars are rendered; `Scene.likeness`."""

    passes: BoolProperty(
        name="Avatar Passes",
        description="Write the avatars' color, depth and masks beside every frame, as multilayer OpenEXR",
        default=False,
    )
    photo_colors: BoolProperty(
        name="Photo Colors",
        description="Keep the photograph's own colors under the view transforms AgX and Filmic, as in the viewport. "
        "OpenEXR files hold scene-linear colors in any case",
        default=True,
    )


class SessionProperties(bpy.types.PropertyGroup):
    """What the panels hold while Blender runs; `WindowManager.likeness`."""

    photo: StringProperty(
        name="Photo", description="A portrait photograph: one face, from the front, evenly lit", subtype="FILE_PATH"
    )
    quality: EnumProperty(items=QUALITY_ITEMS, name="Quality", default="standard")
    head: EnumProperty(items=HEAD_ITEMS, name="Head", description="The head model to build on")
    head_file: StringProperty(name="FLAME File", description="FLAME model file, .pkl or .npz", subtype="FILE_PATH")
    face: IntProperty(
        name="Face", description="Which of several faces: 1 is the largest, 0 takes the only one", default=0, min=0
    )
    search: StringProperty(
        name="Search", description="Show only controls whose name holds this", options={"TEXTEDIT_UPDATE"}
    )


CLASSES = (PortraitProperties, AvatarProperties, SceneProperties, SessionProperties)


def register() -> None:
    """Register the property groups and hang them on Blender's types."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.likeness = PointerProperty(type=AvatarProperties)
    bpy.types.Scene.likeness = PointerProperty(type=SceneProperties)
    bpy.types.WindowManager.likeness = PointerProperty(type=SessionProperties)


def unregister() -> None:
    """Take them away again."""
    del bpy.types.WindowManager.likeness
    del bpy.types.Scene.likeness
    del bpy.types.Object.likeness
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
