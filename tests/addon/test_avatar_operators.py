"""Whole avatars: opening .likeness files, good and bad; removing, selecting, and the way to the bones and back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import bpy
import pytest
from create_parts import registered
from scene_dump import dump
from whole_avatars import small_avatar_bytes

from addon import session


@pytest.fixture(autouse=True)
def addon_in_an_empty_file():
    with registered():
        yield


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "Ada.likeness"
    path.write_bytes(small_avatar_bytes())
    return path


def open_avatar(path: Path) -> bpy.types.Object:
    assert bpy.ops.likeness.open_avatar(filepath=str(path)) == {"FINISHED"}
    return bpy.context.object


def refusal(path: Path) -> str:
    before = dump()
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.likeness.open_avatar(filepath=str(path))
    assert dump() == before and session.last_error is not None
    return str(caught.value).removeprefix("Error: ").strip()


def with_schema(data: bytes, version: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "avatar.json":
                content = json.dumps(json.loads(content) | {"schema_version": version}).encode()
            new.writestr(name, content)
    return stream.getvalue()


def test_a_file_becomes_an_active_avatar_of_its_name_without_an_engine(file, monkeypatch):
    monkeypatch.delenv("LIKENESS_ENGINE", raising=False)
    mesh = open_avatar(file)
    assert mesh.name == "Ada" and mesh.likeness.splats is not None
    assert session.status().state == "STOPPED"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "Ada.likeness cannot be read as an avatar"),
        (lambda data: b"not a zip at all", "Ada.likeness cannot be read as an avatar"),
        (lambda data: b"", "Ada.likeness cannot be read as an avatar"),
        (lambda data: with_schema(data, 99), "has format 99, this version reads up to 1. Update Likeness"),
    ],
)
def test_a_bad_file_is_one_readable_report_and_nothing_else(file, damage, words):
    file.write_bytes(damage(file.read_bytes()))
    text = refusal(file)
    assert words in text and "\n" not in text and "Traceback" not in text


def test_a_vanished_file_is_named(tmp_path):
    assert "gone.likeness cannot be opened" in refusal(tmp_path / "gone.likeness")


def test_one_bad_file_among_several_does_not_keep_the_others_out(file):
    (file.parent / "Bad.likeness").write_bytes(b"bad")
    names = [{"name": "Bad.likeness"}, {"name": file.name}]
    with pytest.raises(RuntimeError, match=r"Bad\.likeness"):
        bpy.ops.likeness.open_avatar(directory=str(file.parent), files=names)
    assert "Ada" in bpy.data.objects


def test_removing_leaves_nothing_behind(file):
    before = dump()
    open_avatar(file)
    assert dump() != before
    assert bpy.ops.likeness.remove_avatar() == {"FINISHED"}
    after = dump()
    assert after["objects"] == before["objects"] and after["blocks"] == before["blocks"]


def test_removing_one_of_two_leaves_the_other_whole(file):
    first = open_avatar(file)
    open_avatar(file)
    assert bpy.ops.likeness.remove_avatar() == {"FINISHED"}
    assert first.likeness.splats is not None and first.parent is not None
    assert first.likeness.portrait.image is not None and first.likeness.portrait.expression is not None


def test_removing_needs_an_avatar():
    with pytest.raises(RuntimeError, match="Select an avatar first"):
        bpy.ops.likeness.remove_avatar()


def test_to_the_bones_and_back(file):
    mesh = open_avatar(file)
    assert bpy.ops.likeness.select_rig() == {"FINISHED"}
    assert bpy.context.mode == "POSE" and bpy.context.object == mesh.parent
    assert bpy.ops.likeness.select_rig() == {"FINISHED"}
    assert bpy.context.mode == "OBJECT" and bpy.context.selected_objects == [mesh]


def test_a_hidden_rig_is_said_to_be_hidden(file):
    open_avatar(file).parent.hide_set(True)
    with pytest.raises(RuntimeError, match="Ada Rig is hidden"):
        bpy.ops.likeness.select_rig()


def test_going_from_one_avatar_to_another(file):
    first, second = open_avatar(file), open_avatar(file)
    assert bpy.ops.likeness.select_avatar(name=first.name) == {"FINISHED"}
    assert bpy.context.object == first and bpy.context.selected_objects == [first]
    assert bpy.ops.likeness.select_avatar(name=second.name) == {"FINISHED"}
    assert bpy.context.object == second
    with pytest.raises(RuntimeError, match="no avatar named Nobody"):
        bpy.ops.likeness.select_avatar(name="Nobody")


def test_the_bones_of_a_linked_avatar_are_said_to_be_linked(file, tmp_path):
    bpy.ops.likeness.open_avatar(filepath=str(file))
    library = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.collections = [file.stem]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    mesh = bpy.data.objects[file.stem]
    bpy.context.view_layer.objects.active = mesh
    with pytest.raises(RuntimeError, match="The bones are linked") as caught:
        bpy.ops.likeness.select_rig()
    assert "Traceback" not in str(caught.value)
    assert bpy.context.object == mesh and bpy.context.mode == "OBJECT"
