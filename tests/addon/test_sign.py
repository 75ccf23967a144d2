"""Files that render on a machine without the extension show that it is missing, and nobody with it sees how."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.render import engine
from addon.scene import sign
from addon.scene.find import armature_of, controls
from render_parts import HEIGHT, WIDTH, read, scene, still, whole_addon
from scene_dump import dump
from scene_parts import add, evaluated

from likeness.contract.messages import FrameRendered

MAGENTA = (1, 0, 1, 1)
WITHOUT = """
import sys, bpy
path, png = sys.argv[1:]
bpy.ops.wm.open_mainfile(filepath=path)
assert not hasattr(bpy.types.Object, "likeness")
layer = bpy.context.view_layer
assert not [each.name for each in layer.objects if "not enabled" in each.name and each.visible_get()]
scene = bpy.context.scene
scene.render.filepath = png
bpy.ops.render.render(write_still=True)
"""


@pytest.fixture(autouse=True)
def with_addon() -> Iterator[None]:
    with whole_addon():
        yield


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return tmp_path / "scene.blend"


def save(path: Path, **options: bool) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), **options)


def signs() -> list[str]:
    return [each.name for kind in (bpy.data.objects, bpy.data.materials) for each in kind if sign.TEXT in each.name]


def without_extension(path: Path) -> np.ndarray:
    """Render a file in a Blender that has no Likeness."""
    png = path.with_suffix(".png")
    done = subprocess.run([sys.executable, "-c", WITHOUT, path, png], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return read(png)


def magenta(picture: np.ndarray) -> np.ndarray:
    return np.isclose(picture, MAGENTA, atol=0.02).all(axis=-1)


@pytest.mark.parametrize("compress", [False, True])
def test_without_the_extension_the_head_is_magenta(compress, saved):
    scene(saved.parent).render.film_transparent = False
    mesh = add()
    save(saved, compress=compress)
    picture = without_extension(saved)
    mesh.hide_render, mesh.visible_camera = False, True
    armature_of(mesh).hide_render = True  # with the extension this alone would be the mesh's own picture
    bpy.context.scene.render.film_transparent = True
    covered = still(saved.with_name("mesh.png"))[..., 3] == 1
    assert covered.sum() > 20
    assert magenta(picture)[covered].all()
    assert magenta(picture).mean() < 0.5


@pytest.mark.parametrize("keyed", [False, True])
def test_an_avatar_that_is_not_rendered_has_no_sign_there_either(keyed, saved):
    scene(saved.parent)
    armature = armature_of(add())
    armature.hide_render = True
    if keyed:
        armature.keyframe_insert("hide_render", frame=1)
    save(saved)
    assert not without_extension(saved).any()


def test_nothing_of_it_is_left_after_a_save(saved):
    scene(saved.parent)
    mesh = add()
    add(name="Bea")
    before, shape = dump(), evaluated(mesh)
    for _ in range(2):
        save(saved)
        assert dump() == before and not signs()
    assert np.array_equal(evaluated(mesh), shape)
    bpy.ops.wm.save_as_mainfile(filepath=str(saved.with_name("copy.blend")), copy=True)
    assert dump() == before


def test_nothing_of_it_is_left_when_the_save_fails(saved):
    scene(saved.parent)
    add()
    before = dump()
    with pytest.raises(RuntimeError):
        save(saved.parent / "nowhere" / "scene.blend")
    assert dump() == before and not signs()


def test_an_opened_file_has_none(saved):
    scene(saved.parent)
    add()
    save(saved)
    before = dump()
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert not signs()
    assert dump()["blocks"]["objects"] == before["blocks"]["objects"]


def test_undo_goes_on_across_a_save(saved):
    scene(saved.parent)
    key = controls(add())[0]
    name, value = key.id_data.name, 0.0
    for value in (0.25, 0.5):
        bpy.data.shape_keys[name].key_blocks[1].value = value
        bpy.ops.ed.undo_push(message="Set")
        save(saved)
    bpy.ops.ed.undo()
    assert bpy.data.shape_keys[name].key_blocks[1].value == 0.25 and not signs()
    bpy.ops.ed.redo()
    assert bpy.data.shape_keys[name].key_blocks[1].value == 0.5 and not signs()


@pytest.mark.parametrize("link", [False, True])
def test_a_collection_from_another_file_brings_none_into_renders(link, saved, monkeypatch):
    scene(saved.parent)
    add()
    save(saved)
    scene(saved.parent)
    with bpy.data.libraries.load(str(saved), link=link) as (_, chosen):
        chosen.collections = ["Ada"]
    bpy.context.scene.collection.children.link(bpy.data.collections["Ada"])
    asked = []
    monkeypatch.setattr(engine, "wait_until_ready", lambda: None)

    def draw(request: object, _known: object) -> FrameRendered:
        asked.append(request)
        return FrameRendered(0, 0, 0, np.zeros((0, 0, 4), np.float32), np.zeros((0, 0), np.float32))

    monkeypatch.setattr(engine, "draw", draw)
    assert not still(saved.with_name("a.png")).any()
    assert len(asked) == 1
    path = saved.with_name("user.blend")
    save(path)
    assert magenta(without_extension(path)).sum() > 20


def test_an_overridden_avatar_has_its_sign(saved):
    scene(saved.parent)
    add()
    save(saved)
    made = scene(saved.parent)
    with bpy.data.libraries.load(str(saved), link=True) as (_, chosen):
        chosen.collections = ["Ada"]
    linked = bpy.data.collections["Ada"]
    made.collection.children.link(linked)
    linked.override_hierarchy_create(made, bpy.context.view_layer)
    path = saved.with_name("user.blend")
    save(path)
    assert magenta(without_extension(path)).sum() > 20
    bpy.ops.wm.open_mainfile(filepath=str(path))
    shown = [each for each in bpy.data.objects if sign.MARK in each]
    assert all(each.hide_render for each in shown)


def test_a_file_without_avatars_is_left_alone(saved, monkeypatch):
    scene(saved.parent)
    monkeypatch.setattr(sign, "_material", None)
    save(saved)
    assert saved.exists()


def test_saving_in_edit_mode(saved):
    scene(saved.parent)
    mesh = add()
    bpy.context.view_layer.objects.active = mesh
    bpy.ops.object.mode_set(mode="EDIT")
    save(saved)
    assert bpy.context.mode == "EDIT_MESH" and not signs()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert without_extension(saved).shape == (HEIGHT, WIDTH, 4)
