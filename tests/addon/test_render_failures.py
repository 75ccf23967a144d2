"""Renders that cannot come out right: each says what was wrong, and no wrong picture passes for a good one."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from addon.render import engine, run
from addon.scene.compositor import VERSION_5
from addon.scene.find import armature_of
from bpy.types import Scene
from render_parts import ENGINE_PYTHON, HEIGHT, RED, WIDTH, paints_red, read, scene, still, whole_addon
from render_told import told, user_tree
from scene_parts import add

from likeness.contract.errors import MachineError
from likeness.contract.messages import FrameRendered

MAGENTA = (1, 0, 1, 1)


@pytest.fixture(autouse=True)
def with_addon() -> Iterator[None]:
    with whole_addon():
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have an engine that paints everything red, a metre away; return a list that grows with each frame."""
    return paints_red(monkeypatch)


def dies_at(frame: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine die for good at a frame."""
    draw = engine.draw

    def dying(*given: object) -> object:
        if bpy.context.scene.frame_current == frame:
            raise MachineError("engine.died", "The engine ended.", "Start the engine again.")
        return draw(*given)

    monkeypatch.setattr(engine, "draw", dying)


def as_movie(made: Scene) -> None:
    settings = made.render.image_settings
    if VERSION_5:
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    made.render.ffmpeg.format, made.render.ffmpeg.codec = "MPEG4", "H264"
    made.render.resolution_x, made.render.resolution_y = 128, 96


def strips_of(made: Scene) -> bpy.types.bpy_prop_collection:
    editor = made.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def test_without_a_camera_the_message_is_blenders(asked, tmp_path, capfd):
    made = scene(tmp_path)
    add()
    made.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        still(tmp_path / "a.png")
    assert not asked and "render." not in capfd.readouterr().err


@pytest.mark.parametrize("crops", [True, False])
def test_an_empty_border_is_refused_by_blender(crops, asked, tmp_path, capfd):
    made = scene(tmp_path)
    add()
    made.render.use_border, made.render.use_crop_to_border = True, crops
    made.render.border_min_x = made.render.border_max_x = 0.5
    before = told(made)
    with pytest.raises(RuntimeError, match="too small"):
        bpy.ops.render.render(write_still=True)
    assert not asked and told(made) == before
    assert "error:" not in capfd.readouterr().err


@pytest.mark.parametrize("place", [(0, 5, 0), (0, -3, 0), (30, 0, 0)], ids=["far", "behind", "beside"])
def test_an_avatar_that_is_not_in_the_picture(place, tmp_path, monkeypatch):
    """The engine itself is asked, for it must bear this."""
    made = scene(tmp_path)
    armature_of(add()).location = place
    made.camera.data.clip_end = 4
    monkeypatch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
    assert not still(tmp_path / "a.png").any()


def test_a_frame_that_is_too_large_is_refused_before_memory_is_taken(asked, tmp_path, monkeypatch, capfd):
    made = scene(tmp_path)
    add()
    made.render.resolution_x, made.render.resolution_y = 15360, 8640
    monkeypatch.setattr(run, "Picture", None)
    with pytest.raises(RuntimeError):
        still(tmp_path / "a.png")
    assert not asked and not list(tmp_path.iterdir())
    assert "render.size: frame 1 is not rendered: A frame of 15360 x 8640 pixels" in capfd.readouterr().err


@pytest.mark.parametrize("own_tree", [False, True])
def test_compositing_that_is_off_does_not_matter(own_tree, asked, tmp_path):
    """Avatars are in the picture, and what the user's nodes would do is not."""
    made = scene(tmp_path)
    add()
    if own_tree:
        user_tree(made, tmp_path / "own")
    made.render.use_compositing = False
    made.render.filepath = str(tmp_path / "a.png")
    before = told(made)
    np.testing.assert_allclose(still(tmp_path / "a.png")[HEIGHT // 2, WIDTH // 2], RED, atol=0.01)
    assert told(made) == before and not made.render.use_compositing
    assert not (tmp_path / "own").exists()


def test_an_engine_that_always_dies(tmp_path, monkeypatch, capfd):
    scene(tmp_path)
    add()
    monkeypatch.setenv("LIKENESS_ENGINE", "false")
    with pytest.raises(RuntimeError):
        bpy.ops.render.render(animation=True)
    assert not list(tmp_path.iterdir())
    assert "frame 1 is not rendered" in capfd.readouterr().err


@pytest.mark.parametrize("last", [2, 3])
def test_a_movie_whose_engine_fails_is_put_aside(last, asked, tmp_path, monkeypatch, capfd):
    made = scene(tmp_path)
    add()
    as_movie(made)
    dies_at(2, monkeypatch)
    made.frame_end = last
    if last == 2:  # no frame follows before which the render could be ended
        assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    else:
        with pytest.raises(RuntimeError):
            bpy.ops.render.render(animation=True)
    (movie,) = tmp_path.iterdir()
    assert movie.name == f"frame_0001-{last:04}.failed.mp4"
    assert "error: render.movie: The movie is not complete" in capfd.readouterr().err


def test_a_good_movie_is_left_alone(asked, tmp_path):
    made = scene(tmp_path)
    add()
    as_movie(made)
    bpy.ops.render.render(animation=True)
    assert [path.name for path in tmp_path.iterdir()] == ["frame_0001-0003.mp4"]


def test_file_output_nodes_write_a_failed_frame_in_magenta(asked, tmp_path, monkeypatch):
    made = scene(tmp_path)
    add()
    user_tree(made, tmp_path / "own")
    dies_at(1, monkeypatch)
    with pytest.raises(RuntimeError):
        still(tmp_path / "a.png")
    (own,) = (tmp_path / "own").glob("*.png")
    np.testing.assert_allclose(read(own)[HEIGHT // 2, WIDTH // 2], MAGENTA, atol=0.01)
    assert not (tmp_path / "a.png").exists()


def test_a_format_without_alpha_shows_the_head_over_black(asked, tmp_path, monkeypatch):
    """As Blender does with everything over a transparent film."""
    made = scene(tmp_path)
    add()
    made.render.image_settings.file_format = "JPEG"
    half = np.full((HEIGHT, WIDTH, 4), 0.5, np.float32)
    half[..., 1:3] = 0  # pure red, half of it
    answer = FrameRendered(id=0, left=0, top=0, rgba=half, depth=np.ones((HEIGHT, WIDTH), np.float32))
    monkeypatch.setattr(engine, "draw", lambda *_: answer)
    picture = still(tmp_path / "a.jpg")
    np.testing.assert_allclose(picture[HEIGHT // 2, WIDTH // 2], (0.735, 0, 0, 1), atol=0.02)


# Stands before the scene strips: after one Blender 4.5 crashes at a second scene, without this add-on too.
def test_another_scenes_render_layers_are_told(asked, tmp_path, capfd):
    made = scene(tmp_path)
    other = bpy.data.scenes.new("Other")
    other.collection.children.link(add().users_collection[0])
    other.camera, other.render.engine = made.camera, made.render.engine  # EEVEE wants a screen
    other.cycles.samples, other.cycles.use_denoising = 1, False
    tree = user_tree(made, tmp_path / "own")
    tree.nodes.new("CompositorNodeRLayers").scene = other
    still(tmp_path / "a.png")
    assert "shows the scene Other without its avatars" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["scene", "color", "muted"])
def test_strips_that_are_rendered_in_the_place_of_the_scene_are_told(kind, asked, tmp_path, capfd):
    made = scene(tmp_path)
    add()
    other = bpy.data.scenes.new("Other")
    other.camera, other.render.engine = made.camera, "CYCLES"
    other.cycles.samples, other.cycles.use_denoising = 1, False  # Blender hangs where it denoises a scene strip
    other.render.resolution_x, other.render.resolution_y = WIDTH, HEIGHT
    if kind == "color":
        end = {"length": 3} if VERSION_5 else {"frame_end": 3}
        strips_of(made).new_effect("Strip", "COLOR", 1, 1, **end)
    else:
        strips_of(made).new_scene("Strip", other, 1, 1).mute = kind == "muted"
    still(tmp_path / "a.png")
    log = capfd.readouterr().err
    replaces = kind != "muted" or bpy.app.version < (4, 5, 0)
    assert ("Video Sequencer" in log) == replaces and "error:" not in log
    assert len(asked) == (not replaces)


@pytest.mark.parametrize("with_nodes", [False, True])
def test_a_scene_strip_has_its_avatars(with_nodes, asked, tmp_path):
    made = scene(tmp_path)
    add()
    if with_nodes and not VERSION_5:
        made.use_nodes = True
    cut = bpy.data.scenes.new("Cut")
    strips_of(cut).new_scene("Strip", made, 1, 1)
    cut.frame_end, cut.render.filepath = 1, str(tmp_path / "cut_")
    cut.render.resolution_x, cut.render.resolution_y = WIDTH, HEIGHT
    bpy.ops.render.render(animation=True, scene="Cut")
    assert read(tmp_path / "cut_0001.png")[HEIGHT // 2, WIDTH // 2, 0] > 0.7
    assert asked == [1]


def test_a_frame_that_blender_has_not_evaluated_ends_the_render(asked, tmp_path, monkeypatch, capfd):
    scene(tmp_path)
    add()
    monkeypatch.setattr(run, "frame", lambda *_: None)
    with pytest.raises(RuntimeError):
        bpy.ops.render.render(animation=True)
    assert "error: render.not_evaluated: frame 1 is not rendered" in capfd.readouterr().err
    assert not (tmp_path / "frame_0002.png").exists()


def test_avatars_in_collection_instances_are_told(asked, tmp_path, capfd):
    made = scene(tmp_path)
    collection = add().users_collection[0]
    made.collection.children.unlink(collection)
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    made.collection.objects.link(empty)
    still(tmp_path / "a.png")
    assert "instances of the collection Ada are not rendered" in capfd.readouterr().err


def test_a_tree_from_another_file(asked, tmp_path, capfd):
    """A linked tree is changed for the length of the render too."""
    if not VERSION_5:
        pytest.skip("the compositor's tree belongs to its scene before Blender 5")
    made = scene(tmp_path)
    user_tree(made, tmp_path / "own")
    path = tmp_path / "trees.blend"
    bpy.data.libraries.write(str(path), {made.compositing_node_group})
    made = scene(tmp_path)
    add()
    with bpy.data.libraries.load(str(path), link=True) as (_, chosen):
        chosen.node_groups = ["Mine"]
    made.compositing_node_group = bpy.data.node_groups["Mine"]
    for node in made.compositing_node_group.nodes:
        if node.bl_idname == "CompositorNodeRLayers":
            node.scene = made
    made.render.filepath = str(tmp_path / "a.png")
    before = told(made)
    picture = still(tmp_path / "a.png")
    np.testing.assert_allclose(picture[HEIGHT // 2, WIDTH // 2], (0, 1, 1, 1), atol=0.01)
    assert told(made) == before
