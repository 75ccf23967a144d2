"""Small avatars made directly in Blender: a triangle with every control, bones and splats; quick to make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import bpy
from addon.scene import actions

from likeness.contract.arkit import ARKIT_NAMES

BONES = {  # head, tail, roll's z axis in Blender's axes: the conventions' bones
    "root": ((0, 0.1, -0.2), (0, 0.1, -0.15), (0, -1, 0)),
    "neck": ((0, 0.1, -0.15), (0, 0.1, -0.05), (0, -1, 0)),
    "jaw": ((0, 0.08, -0.05), (0, 0, -0.05), (0, 0, -1)),
    "eye.L": ((0.03, 0, 0), (0.03, -0.03, 0), (0, 0, -1)),
    "eye.R": ((-0.03, 0, 0), (-0.03, -0.03, 0), (0, 0, -1)),
}
PARENTS = {"neck": "root", "jaw": "neck", "eye.L": "neck", "eye.R": "neck"}
PORTRAIT = {"mouthSmileLeft": 0.5, "browInnerUp": 0.25}


MODULES = ("properties", "operators.expression", "operators.presets", "keying", "panels.expression")
"""What these faces and the tests of expressions need of the add-on."""


@contextmanager
def registered() -> Iterator[None]:
    """Register what the tests need, unless the whole add-on is registered already; take it back afterwards."""
    modules = [] if hasattr(bpy.types.Object, "likeness") else [import_module(f"addon.{name}") for name in MODULES]
    for module in modules:
        module.register()
    try:
        yield
    finally:
        for module in reversed(modules):
            module.unregister()


@contextmanager
def empty_file() -> Iterator[None]:
    """Begin with an empty file, with the add-on's parts registered."""
    with registered():
        bpy.ops.wm.read_homefile(use_empty=True)
        yield


def make_face(name: str = "Face", extra: Sequence[str] = ()) -> bpy.types.Object:
    """Make an avatar with ARKit's controls and the extra ones; its mesh becomes active."""
    collection = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(collection)
    armature = _armature(name, collection)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (0.1, 0, 0), (0, 0, 0.1)], [], [(0, 1, 2)])
    face = bpy.data.objects.new(name, mesh)
    collection.objects.link(face)
    face.parent = armature
    face.modifiers.new("Armature", "ARMATURE").object = armature
    _shape_keys(face, [*ARKIT_NAMES, *extra])
    splats = bpy.data.objects.new(f"{name} Splats", bpy.data.meshes.new(f"{name} Splats"))
    collection.objects.link(splats)
    splats.parent = face
    face.likeness.splats = splats
    face.likeness.vertex_count = len(mesh.vertices)
    face.likeness.portrait.expression = actions.new_expression(f"{name} Portrait", PORTRAIT)
    bpy.context.view_layer.objects.active = face
    bpy.context.view_layer.update()
    return face


def auto_key(*, only_animated: bool = False) -> None:
    """Switch auto-keying on; Blender 5.2 by itself lets it key only what is animated already."""
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.context.preferences.edit.use_keyframe_insert_available = only_animated


def control(face: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    """Return one of a face's shape keys."""
    return face.data.shape_keys.key_blocks[name]


def bone(face: bpy.types.Object, name: str) -> bpy.types.PoseBone:
    """Return one of a face's pose bones."""
    return face.parent.pose.bones[name]


def _shape_keys(face: bpy.types.Object, names: Sequence[str]) -> None:
    face.shape_key_add(name="Basis")
    for name in names:
        key = face.shape_key_add(name=name)
        key.value = 0  # 5.0 makes new keys with 1
        key.slider_min, key.slider_max = (-3, 3) if name.startswith("expr") else (-1 if "Look" in name else 0, 1.5)


def _armature(name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    armature = bpy.data.objects.new(f"{name} Rig", bpy.data.armatures.new(f"{name} Rig"))
    collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone_name, (head, tail, z_axis) in BONES.items():
        edit = armature.data.edit_bones.new(bone_name)
        edit.head, edit.tail = head, tail
        edit.align_roll(z_axis)
        if bone_name in PARENTS:
            edit.parent = armature.data.edit_bones[PARENTS[bone_name]]
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose_bone in armature.pose.bones:
        pose_bone.rotation_mode = "XYZ"
    return armature
