"""Files and undo steps that are saved while a render runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.render import engine, marks, run
from addon.scene.compositor import VERSION_5
from bpy.types import Scene
from render_parts import cube, read, scene, still, whole_addon
from render_told import told, user_tree
from scene_parts import add

from likeness.contract.messages import FrameRendered

KINDS = ["none", "own", "turned off", "compositing off"]
WITHOUT = """
import sys, bpy
path, png = sys.argv[1:]
bpy.ops.wm.open_mainfile(filepath=path)
assert not hasattr(bpy.types.Object, "likeness")
print("brought", [each.name for each in bpy.data.images if each.name.startswith("Likeness")])
scene = bpy.context.scene
scene.render.filepath = png
bpy.ops.render.render(write_still=True)
"""


@pytest.fixture(autouse=True)
def with_addon() -> Iterator[None]:
    with whole_addon():
        yield


@pytest.fixture(autouse=True)
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an engine that paints everything red, a metre away."""

    def draw(request: object, _known: object) -> FrameRendered:
        rgba = np.full((request.height, request.width, 4), (1, 0, 0, 1), np.float32)
        return FrameRendered(id=0, left=0, top=0, rgba=rgba, depth=np.ones(rgba.shape[:2], np.float32))

    monkeypatch.setattr(engine, "draw", draw)
    monkeypatch.setattr(engine, "wait_until_ready", lambda: None)


@contextmanager
def after_frame(number: int, action: Callable[[], object]) -> Iterator[None]:
    """Do something while a render runs."""

    def handler(made: Scene, *_: object) -> None:
        if made.frame_current == number:
            action()

    bpy.app.handlers.render_post.append(handler)
    yield
    bpy.app.handlers.render_post.remove(handler)


def prepare(folder: Path, kind: str, *, film: bool = True) -> Scene:
    made = scene(folder)
    made.render.film_transparent = film
    cube((0, -0.3, 0), 0.1)
    mesh = add()
    mesh.likeness.shadow = made.likeness.passes = True
    if kind != "none":
        user_tree(made, folder / "own")
    if kind == "turned off" and not VERSION_5:
        made.use_nodes = False
    if kind == "compositing off":
        made.render.use_compositing = False
    return made


def save(path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)


def without_extension(path: Path) -> tuple[np.ndarray, bool]:
    """Render a file in a Blender that has no Likeness; say, too, whether images of ours were in it."""
    png = path.with_suffix(".png")
    done = subprocess.run([sys.executable, "-c", WITHOUT, path, png], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return read(png), "brought []" not in done.stdout


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_saved_while_a_render_runs(kind, film, tmp_path):
    made = prepare(tmp_path, kind, film=film)
    before = told(made)
    plain, amid = tmp_path / "plain.blend", tmp_path / "amid.blend"
    save(plain)
    with after_frame(2, lambda: save(amid)):
        bpy.ops.render.render(animation=True)
    assert told(made) == before
    picture = read(tmp_path / "frame_0001.png")

    wanted, _ = without_extension(plain)
    found, is_left = without_extension(amid)
    assert is_left
    np.testing.assert_array_equal(found, wanted)

    bpy.ops.wm.open_mainfile(filepath=str(plain))
    before = told(bpy.context.scene)
    bpy.ops.wm.open_mainfile(filepath=str(amid))
    assert told(bpy.context.scene) == before
    bpy.context.scene.frame_set(1)
    np.testing.assert_array_equal(still(tmp_path / "again.png"), picture)


@pytest.mark.parametrize("kind", KINDS)
def test_an_undo_step_of_the_midst_of_a_render(kind, tmp_path):
    made = prepare(tmp_path, kind)
    bpy.ops.ed.undo_push(message="Prepared")
    before = told(made)
    with after_frame(2, lambda: bpy.ops.ed.undo_push(message="Amid")):
        bpy.ops.render.render(animation=True)
    for step in (bpy.ops.ed.undo, bpy.ops.ed.redo):
        step()
        assert told(bpy.context.scene) == before


def test_what_a_render_needs_stays_while_it_runs(tmp_path):
    prepare(tmp_path, "own")
    with after_frame(1, run.tidy):
        bpy.ops.render.render(animation=True)
    frames = [read(tmp_path / f"frame_{number:04}.png") for number in (1, 2, 3)]
    assert (frames[0] != frames[0][0, 0]).any() and np.array_equal(frames[0][0, 0], (0, 1, 1, 1))
    assert all(np.array_equal(each, frames[0]) for each in frames)


def test_what_the_user_does_meanwhile_stays(tmp_path):
    """Who deletes what was changed, or copies it, meets no error, and his copy is clean."""
    made = prepare(tmp_path, "own")
    made.view_layers.new("Second")
    mesh = next(each for each in bpy.data.objects if each.likeness.splats)
    copies = []

    def meddle() -> None:
        copies.append(mesh.likeness.splats.copy().name)
        made.view_layers.remove(made.view_layers["Second"])

    with after_frame(3, meddle):
        bpy.ops.render.render(animation=True)
    copy = bpy.data.objects[copies[0]]
    assert copy.hide_render and not copy.constraints and marks.KEPT not in copy
