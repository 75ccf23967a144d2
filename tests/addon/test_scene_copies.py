"""Avatars duplicated, renamed, hidden, linked, overridden, appended, in several scenes, undone, and removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from addon.scene.find import active_avatar, armature_of, avatar_of, avatars, is_avatar
from addon.scene.remove import remove_avatar
from bpy.types import Object
from create_parts import registered
from scene_dump import dump
from scene_parts import add, assert_follows, evaluated, is_intact, lively_avatar, pose_randomly

AVATAR = lively_avatar()


@pytest.fixture(autouse=True)
def addon_in_an_empty_file() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def mesh() -> Object:
    return add(AVATAR)


def duplicate(*objects: Object, linked: bool = False) -> Object:
    """Press Shift-D, or Alt-D, on these; return the copy of the first."""
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]
    assert bpy.ops.object.duplicate(linked=linked) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def driving(mesh: Object) -> set[Object]:
    """Return the armatures that move the correctives."""
    curves = mesh.data.shape_keys.animation_data.drivers
    return {variable.targets[0].id for curve in curves for variable in curve.driver.variables}


def scene_avatars() -> set[Object]:
    return set(avatars(bpy.context.scene))


def test_every_object_of_an_avatar_leads_to_it(mesh):
    assert avatar_of(mesh) == avatar_of(mesh.likeness.splats) == avatar_of(armature_of(mesh)) == mesh
    assert avatar_of(None) is None and is_intact(mesh)


def test_other_objects_lead_nowhere(mesh):
    others = [
        bpy.data.objects.new("Empty", None),
        bpy.data.objects.new("Mesh", bpy.data.meshes.new("Mesh")),
        bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig")),
    ]
    assert [avatar_of(other) for other in others] == [None] * 3


def test_the_only_avatar_is_meant_whatever_is_active(mesh):
    bpy.ops.object.empty_add()
    assert active_avatar(bpy.context) == mesh
    second = add(AVATAR)
    assert active_avatar(bpy.context) == second
    bpy.ops.object.empty_add()
    assert active_avatar(bpy.context) is None


def test_shift_d_of_the_mesh_alone_gives_a_second_face_on_the_same_bones(mesh):
    copy = duplicate(mesh)
    assert scene_avatars() == {mesh, copy} and copy.data != mesh.data
    assert copy.likeness.splats == mesh.likeness.splats and armature_of(copy) == armature_of(mesh)
    assert_follows(copy, AVATAR.rig)


def test_shift_d_of_mesh_and_bones_gives_an_avatar_of_its_own(mesh):
    copy = duplicate(mesh, armature_of(mesh))
    armature = armature_of(copy)
    assert armature != armature_of(mesh) and copy.parent == armature and driving(copy) == {armature}
    assert avatar_of(armature) == copy and avatar_of(armature_of(mesh)) == mesh
    before = evaluated(mesh)
    assert_follows(copy, AVATAR.rig)
    assert (evaluated(mesh) == before).all()


def test_alt_d_shares_the_face(mesh):
    copy = duplicate(mesh, linked=True)
    assert copy.data == mesh.data and scene_avatars() == {mesh, copy}
    pose_randomly(mesh, AVATAR.rig, 1)
    assert (evaluated(copy) == evaluated(mesh)).all()


def test_a_new_name_changes_nothing(mesh):
    mesh.name, mesh.data.name, armature_of(mesh).name = "Grace", "Hopper", "Skeleton"
    mesh.likeness.splats.name = "Points"
    assert scene_avatars() == {mesh} and avatar_of(armature_of(mesh)) == mesh
    assert_follows(mesh, AVATAR.rig)


@pytest.mark.parametrize("hide", ["object", "screen", "collection"])
def test_a_hidden_avatar_is_an_avatar(mesh, hide):
    if hide == "object":
        mesh.hide_set(True)
    elif hide == "screen":
        mesh.hide_viewport = True
    else:
        bpy.context.view_layer.layer_collection.children[0].exclude = True
    assert scene_avatars() == {mesh} and avatar_of(armature_of(mesh)) == mesh


def test_avatars_of_one_name_are_numbered_and_do_not_mix(mesh):
    second = add(AVATAR)
    assert second.name == "Ada.001" and armature_of(second) != armature_of(mesh)
    assert second.likeness.splats != mesh.likeness.splats and driving(second) == {armature_of(second)}
    before = evaluated(mesh)
    assert_follows(second, AVATAR.rig)
    assert (evaluated(mesh) == before).all()


def test_each_scene_has_its_avatars(mesh):
    first = bpy.context.scene
    bpy.ops.scene.new(type="EMPTY")
    second = add(AVATAR, "Grace")
    assert avatars(first) == [mesh] and avatars(bpy.context.scene) == [second]


def test_a_full_copy_of_a_scene_copies_its_avatars(mesh):
    bpy.ops.scene.new(type="FULL_COPY")
    copy = avatars(bpy.context.scene)[0]
    assert copy != mesh and driving(copy) == {armature_of(copy)} and copy.likeness.splats != mesh.likeness.splats
    assert_follows(copy, AVATAR.rig)


@pytest.fixture
def library(mesh, tmp_path) -> Path:
    """Return a file that holds the avatar; the file open here is empty again."""
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    return path


def take(library: Path, kind: str, operator: str, **options: object) -> None:
    folder = library / kind
    words = {"filepath": str(folder / "Ada"), "directory": f"{folder}/", "filename": "Ada"}
    assert getattr(bpy.ops.wm, operator)(**words, **options) == {"FINISHED"}


@pytest.mark.parametrize("kind", ["Collection", "Object"])
def test_an_appended_avatar_is_whole_and_so_is_a_second_one(library, kind):
    take(library, kind, "append", do_reuse_local_id=False)
    take(library, kind, "append", do_reuse_local_id=False)
    first, second = avatars(bpy.context.scene)
    for each in (first, second):
        assert each.library is None and each.likeness.portrait.image.packed_file is not None
        assert driving(each) == {armature_of(each)}
    assert first.likeness.splats != second.likeness.splats
    assert_follows(second, AVATAR.rig)


def test_a_linked_avatar_is_one(library):
    take(library, "Collection", "link", instance_collections=False)
    (mesh,) = avatars(bpy.context.scene)
    assert mesh.library is not None and avatar_of(armature_of(mesh)) == mesh and mesh.likeness.splats.library
    assert is_intact(mesh)


def test_an_overridden_avatar_can_be_posed(library):
    take(library, "Collection", "link", instance_collections=False)
    (linked,) = avatars(bpy.context.scene)
    linked.users_collection[0].override_hierarchy_create(
        bpy.context.scene, bpy.context.view_layer, do_fully_editable=True
    )
    mesh = next(each for each in bpy.data.objects if is_avatar(each) and each.library is None)
    armature = armature_of(mesh)
    assert armature.library is None and avatar_of(armature) == mesh and driving(mesh) == {armature}
    assert mesh.likeness.splats.library is None
    assert_follows(mesh, AVATAR.rig)


def test_removing_one_leaves_the_other_whole(mesh):
    alone = dump()["blocks"]
    second = add(AVATAR)
    remove_avatar(second)
    assert dump()["blocks"] == alone
    assert_follows(mesh, AVATAR.rig)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("with_bones", [False, True])
def test_removing_the_original_leaves_its_copy_whole(mesh, with_bones, linked):
    objects = (mesh, armature_of(mesh)) if with_bones else (mesh,)
    copy = duplicate(*objects, linked=linked)
    remove_avatar(mesh)
    assert is_avatar(copy) and armature_of(copy) is not None and copy.likeness.portrait.image.packed_file
    assert_follows(copy, AVATAR.rig)
    remove_avatar(copy)
    assert not bpy.data.objects and not bpy.data.meshes and not bpy.data.armatures and not bpy.data.collections


def test_removing_leaves_the_users_own_objects(mesh):
    light = bpy.data.objects.new("Light", bpy.data.lights.new("Light", "POINT"))
    collection = mesh.users_collection[0]
    collection.objects.link(light)
    remove_avatar(mesh)
    assert collection.objects[:] == [light]


def test_nothing_is_left_of_an_avatar(mesh):
    bpy.ops.wm.read_homefile(use_empty=True)
    before = dump()
    mesh = add(AVATAR)
    mesh.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    armature_of(mesh).pose.bones["neck"].keyframe_insert("rotation_euler", frame=1)
    remove_avatar(mesh)
    bpy.ops.outliner.orphans_purge(do_recursive=True)
    assert dump() == before


def test_undo_and_redo(mesh):
    if bpy.ops.ed.undo_push(message="Before") != {"FINISHED"}:
        pytest.skip("no undo in this background Blender")
    add(AVATAR, "Grace")
    bpy.ops.ed.undo_push(message="Add Avatar")
    bpy.ops.ed.undo()
    assert [each.name for each in avatars(bpy.context.scene)] == ["Ada"]
    bpy.ops.ed.redo()
    ada, grace = avatars(bpy.context.scene)
    assert (ada.name, grace.name) == ("Ada", "Grace") and driving(grace) == {armature_of(grace)}
    assert_follows(grace, AVATAR.rig)
