"""What a render leaves behind: nothing, and that it takes part at all only where there are avatars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import bpy
import numpy as np
import pytest
from addon.render import engine, run
from addon.scene.compositor import VERSION_5
from render_parts import HEIGHT, RED, WIDTH, paints_red, read, scene, still, whole_addon
from render_told import told, user_tree
from scene_parts import add

from addon import session
from likeness.contract.errors import InputError, MachineError


@pytest.fixture(autouse=True)
def with_addon() -> Iterator[None]:
    with whole_addon():
        yield


@pytest.fixture
def red(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have an engine that paints everything red, a metre away; return a list that grows with each frame."""
    return paints_red(monkeypatch)


@pytest.mark.parametrize("kind", ["none", "own", "turned off"])
def test_a_render_leaves_the_file_as_it_was(kind, red, tmp_path):
    made = scene(tmp_path)
    add()
    if kind != "none":
        user_tree(made, tmp_path / "own")
    if kind == "turned off" and not VERSION_5:
        made.use_nodes = False
    path = tmp_path / "a.png"
    made.render.filepath = str(path)
    before = told(made)
    for _ in range(2):
        picture = still(path)
        assert told(made) == before
    inverted = kind == "own" or (kind == "turned off" and VERSION_5)
    np.testing.assert_allclose(picture[HEIGHT // 2, WIDTH // 2], (0, 1, 1, 1) if inverted else RED, atol=0.01)
    assert len(red) == 2
    assert bool(list((tmp_path / "own").glob("*"))) == inverted


@pytest.mark.skipif(VERSION_5, reason="Use Nodes does nothing since Blender 5")
def test_use_nodes_can_be_ticked_afterwards(red, tmp_path):
    made = scene(tmp_path)
    add()
    picture = still(tmp_path / "a.png")
    assert not made.use_nodes
    made.use_nodes = True
    np.testing.assert_array_equal(still(tmp_path / "a.png"), picture)
    assert len(red) == 2


def test_the_users_grading_includes_the_avatar(red, tmp_path):
    made = scene(tmp_path)
    add()
    user_tree(made, tmp_path / "own")
    still(tmp_path / "a.png")
    (own,) = (tmp_path / "own").glob("*.png")
    np.testing.assert_allclose(read(own)[HEIGHT // 2, WIDTH // 2], RED, atol=0.01)


def test_without_avatars_nothing_is_done(red, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "Run", None)
    scene(tmp_path)
    assert not still(tmp_path / "a.png").any()
    assert not red and session.status().state == "STOPPED"


def test_two_view_layers_share_one_picture(red, tmp_path):
    made = scene(tmp_path)
    add()
    made.view_layers.new("Second")
    still(tmp_path / "a.png")
    assert len(red) == 1


def test_the_first_view_layer_that_is_rendered_is_shown(red, tmp_path):
    made = scene(tmp_path)
    add()
    made.view_layers.new("Second")
    made.view_layers[0].use = False
    np.testing.assert_allclose(still(tmp_path / "a.png")[HEIGHT // 2, WIDTH // 2], RED, atol=0.01)


def test_what_cannot_be_taken_back_keeps_neither_the_rest_nor_the_next_render(red, tmp_path, monkeypatch, capfd):
    made = scene(tmp_path)
    add()
    before = told(made)

    def fail() -> None:
        raise OSError("the folder is not empty")

    with monkeypatch.context() as patch:
        patch.setattr(run, "forbid_writing", lambda made: [fail])
        patch.setattr(engine, "draw", lambda *_: fail())
        with suppress(RuntimeError):
            bpy.ops.render.render()
    assert "render.undo: the folder is not empty" in capfd.readouterr().err
    assert told(made) == before
    np.testing.assert_allclose(still(tmp_path / "a.png")[HEIGHT // 2, WIDTH // 2], RED, atol=0.01)


class TestFailures:
    """A frame that cannot have its avatars is not written."""

    @pytest.mark.parametrize("with_markers", [False, True])
    @pytest.mark.parametrize("animation", [False, True])
    def test_no_engine(self, with_markers, animation, tmp_path, monkeypatch, capfd):
        made = scene(tmp_path)
        add()
        if with_markers:
            made.timeline_markers.new("cut", frame=1).camera = made.camera
        monkeypatch.setenv("LIKENESS_ENGINE", str(tmp_path / "nowhere"))
        before = told(made)
        with pytest.raises(RuntimeError):
            bpy.ops.render.render(animation=animation, write_still=not animation)
        assert not list(tmp_path.glob("*.png"))
        assert told(made) == before
        assert "error: engine.not_found: frame 1 is not rendered" in capfd.readouterr().err

    def test_an_engine_that_fails_at_the_second_frame(self, red, tmp_path, monkeypatch, capfd):
        made = scene(tmp_path)
        add()
        draw = engine.draw

        def failing(request: object, known: object) -> object:
            if bpy.context.scene.frame_current == 2:
                raise MachineError("engine.died", "The engine ended.", "Start the engine again.")
            return draw(request, known)

        monkeypatch.setattr(engine, "draw", failing)
        before = told(made)
        with pytest.raises(RuntimeError):
            bpy.ops.render.render(animation=True)
        assert [path.name for path in tmp_path.glob("*.png")] == ["frame_0001.png"]
        assert told(made) == before
        assert "frame 2 is not rendered" in capfd.readouterr().err

    def test_a_modifier_that_changes_the_vertices(self, red, tmp_path, capfd):
        scene(tmp_path)
        mesh = add()
        mesh.modifiers.new("More", "SUBSURF")
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert "render.mesh" in capfd.readouterr().err
        assert not list(tmp_path.iterdir())

    def test_an_older_picture_is_not_lost(self, red, tmp_path):
        scene(tmp_path).camera.data.type = "PANO"
        add()
        (tmp_path / "a.png").write_bytes(b"older")
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]

    def test_a_panoramic_camera(self, red, tmp_path, capfd):
        scene(tmp_path).camera.data.type = "PANO"
        add()
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert "render.lens" in capfd.readouterr().err

    def test_an_unforeseen_error(self, red, tmp_path, monkeypatch, capfd):
        made = scene(tmp_path)
        add()
        before = told(made)

        def broken(*_: object, **__: object) -> None:
            raise InputError("render.test", "It broke on purpose.", "None.")

        monkeypatch.setattr(run, "make_group", broken)
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert "It broke on purpose" in capfd.readouterr().err
        made.render.filepath = str(tmp_path / "frame_")
        assert told(made) == before
