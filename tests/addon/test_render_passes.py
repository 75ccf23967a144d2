"""The avatars' passes beside each frame, read back from OpenEXR and held against the engine's own pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.render import engine
from addon.render.passes import beside
from addon.scene.find import armature_of
from bpy.types import Object
from render_parts import (
    ENGINE_PYTHON,
    HEIGHT,
    NO_ENGINE,
    WIDTH,
    channels,
    cube,
    linear,
    read,
    scene,
    still,
    whole_addon,
)
from render_told import told, user_tree
from scene_parts import add
from test_render_frames import AVATAR, inside, truth  # noqa: F401

from likeness.contract.errors import MachineError

FAR = 1e10
BORDER = (slice(18, 54), slice(36, 72))
OUTPUTS = {
    "//shot_####": ("//", "shot_avatars_####"),
    "//a.v2/shot-###x": ("//a.v2/", "shot_avatars_###x"),
    "//frames/": ("//frames/", "avatars_####"),
    "//take#1/####": ("//take#1/", "avatars_####"),
    "C:\\out\\still.PNG": ("C:\\out\\", "still_avatars_####"),
    "head.v02": ("", "head.v02_avatars_####"),
    "//film_.mp4": ("//", "film_avatars_####"),
    "//a#_##": ("//", "a#_avatars_##"),
}


@pytest.fixture(scope="module", autouse=True)
def with_addon() -> Iterator[None]:
    if not ENGINE_PYTHON.exists():
        pytest.skip(NO_ENGINE)
    with pytest.MonkeyPatch.context() as patch, whole_addon():
        patch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
        yield


def with_passes(folder: Path) -> bpy.types.Scene:
    made = scene(folder)
    made.likeness.passes = True
    return made


def placed(name: str, depth: float = 0.0) -> Object:
    mesh = add(AVATAR, name)
    armature_of(mesh).location.y = depth
    return mesh


def written(folder: Path) -> dict[str, np.ndarray]:
    """Render a still and return its passes' channels."""
    still(folder / "a.png")
    return channels(folder / "a_avatars_0001.exr")


def rgba(passes: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([passes[f"Avatars.{channel}"] for channel in "RGBA"], axis=-1)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_file_lies_beside_the_renders_own(output):
    assert beside(output, "") == OUTPUTS[output]


def test_a_view_layer_is_named_before_the_number():
    assert beside("//shot_####", "Fore/ground") == ("//", "shot_avatars_Fore_ground_####")


@pytest.mark.parametrize("transform", ["Standard", "AgX"])  # Photo Colors leave the passes
def test_colour_depth_and_mask_are_the_engines(transform, truth, tmp_path):  # noqa: F811
    with_passes(tmp_path).view_settings.view_transform = transform
    add(AVATAR, "Ada")
    passes = written(tmp_path)
    assert set(passes) == {*(f"Avatars.{channel}" for channel in "RGBA"), "Depth.V", "Mask.V", "Ada.V"}
    assert all(channel.dtype == np.float32 for channel in passes.values())
    wanted, depth = truth["plain"], truth["plain_depth"]
    np.testing.assert_allclose(rgba(passes), linear(wanted), atol=1e-4)
    np.testing.assert_allclose(passes["Depth.V"][depth > 0], depth[depth > 0], rtol=1e-4)
    assert (passes["Depth.V"][depth == 0] == FAR).all()
    for name in ("Mask.V", "Ada.V"):
        np.testing.assert_allclose(passes[name], wanted[..., 3], atol=1e-4)


@pytest.mark.parametrize("film", [True, False])
def test_a_mesh_in_front_hides_in_the_masks_alone(film, truth, tmp_path):  # noqa: F811
    made = with_passes(tmp_path)
    made.render.film_transparent, made.cycles.samples = film, 16
    mesh = add(AVATAR, "Ada")
    before, behind = cube((0.08, -0.4, 0), 0.12), cube((-0.3, 0.4, 0), 0.12)
    passes = written(tmp_path)
    np.testing.assert_allclose(rgba(passes), linear(truth["plain"]), atol=1e-4)
    armature_of(mesh).hide_render = behind.hide_render = made.render.film_transparent = True
    cover = still(tmp_path / "near.png")[..., 3]
    wanted = truth["plain"][..., 3] * (1 - cover)
    sharp = inside(cover == 1) | inside(cover == 0)
    assert (inside(cover == 1) & (truth["plain"][..., 3] > 0.9)).sum() > 20
    compared = np.ones_like(sharp) if film else sharp
    for name in ("Mask.V", "Ada.V"):
        off = np.abs(passes[name] - wanted)[compared] > 1 / 255
        assert off.sum() <= 5  # a corner's one sample of depth may miss the mesh
    assert before.hide_render is False


class TestSeveral:
    """One mask for each avatar, sorted splat by splat."""

    def test_the_one_in_front_hides_the_one_behind(self, truth, tmp_path):  # noqa: F811
        with_passes(tmp_path)
        placed("Ada"), placed("Bob", 2.0)
        passes = written(tmp_path)
        np.testing.assert_allclose(passes["Ada.V"], truth["plain"][..., 3], atol=1e-4)
        assert passes["Bob.V"].max() > 0.01
        np.testing.assert_allclose(passes["Ada.V"] + passes["Bob.V"], passes["Avatars.A"], atol=1e-4)

    def test_five_that_stand_within_each_other_share_every_pixel(self, tmp_path):
        with_passes(tmp_path)
        names = ("Ada", "Bob", "Cem", "Dua", "Eve")
        for index, name in enumerate(names):
            armature_of(placed(name, 0.01 * index)).location.x = 0.2 * index - 0.4
        passes = written(tmp_path)
        masks = np.stack([passes[f"{name}.V"] for name in names])
        np.testing.assert_allclose(masks.sum(axis=0), passes["Mask.V"], atol=1e-4)
        strongest = masks.reshape(5, -1).argmax(axis=0)[passes["Mask.V"].ravel() > 0.5]
        assert len(np.unique(strongest)) > 1

    def test_one_that_is_disabled_shows_nowhere(self, truth, tmp_path):  # noqa: F811
        with_passes(tmp_path)
        armature = armature_of(placed("Ada"))
        placed("Bob")
        armature.hide_render = True
        armature.keyframe_insert("hide_render", frame=1)
        passes = written(tmp_path)
        assert not passes["Ada.V"].any()
        np.testing.assert_allclose(passes["Bob.V"], truth["plain"][..., 3], atol=1e-4)

    def test_all_disabled_leave_empty_passes(self, tmp_path):
        with_passes(tmp_path)
        for name in ("Ada", "Bob"):
            armature = armature_of(placed(name))
            armature.hide_render = True
            armature.keyframe_insert("hide_render", frame=1)
        passes = written(tmp_path)
        assert not any(passes[name].any() for name in ("Avatars.A", "Mask.V", "Ada.V", "Bob.V"))
        assert (passes["Depth.V"] == FAR).all()

    def test_one_that_is_named_like_a_pass_keeps_its_mask(self, truth, tmp_path):  # noqa: F811
        with_passes(tmp_path)
        placed("Mask", 3.0), placed("Ada")
        passes = written(tmp_path)
        np.testing.assert_allclose(passes["Mask.V"], passes["Avatars.A"], atol=1e-4)
        np.testing.assert_allclose(passes["Ada.V"] + passes["Mask_001.V"], passes["Avatars.A"], atol=1e-4)

    def test_each_view_layer_has_a_file_with_its_own(self, tmp_path):
        made = with_passes(tmp_path)
        placed("Ada"), placed("Bob")
        second = made.view_layers.new("Second")
        next(each for each in second.layer_collection.children if each.name == "Ada").exclude = True
        still(tmp_path / "a.png")
        first = channels(tmp_path / f"a_avatars_{made.view_layers[0].name}_0001.exr")
        assert {"Ada.V", "Bob.V"} <= set(first)
        assert "Ada.V" not in channels(tmp_path / "a_avatars_Second_0001.exr")
        assert len(list(tmp_path.glob("*.exr"))) == 2


@pytest.mark.parametrize("crops", [True, False])
def test_a_border_shows_a_part(crops, truth, tmp_path):  # noqa: F811
    made = with_passes(tmp_path)
    placed("Ada"), placed("Bob", 2.0)
    render = made.render
    render.use_border, render.use_crop_to_border = True, crops
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = 0.3, 0.601, 0.4, 0.8
    passes = written(tmp_path)
    wanted = np.zeros((HEIGHT, WIDTH), np.float32)
    wanted[BORDER] = truth["plain"][BORDER][..., 3]
    np.testing.assert_allclose(passes["Ada.V"], wanted[BORDER] if crops else wanted, atol=1e-4)
    if not crops:
        wanted[BORDER] = 1
        assert (passes["Depth.V"][wanted == 0] == FAR).all()


def test_every_frame_of_an_animation_has_its_own(truth, tmp_path):  # noqa: F811
    made = with_passes(tmp_path)
    made.render.filepath = str(tmp_path / "shot_###")
    armature = armature_of(add(AVATAR, "Ada"))
    for frame, place in ((1, 0.0), (2, 10.0)):
        armature.location.x = place
        armature.keyframe_insert("location", frame=frame)
    made.frame_end = 2
    bpy.ops.render.render(animation=True)
    assert sorted(path.name for path in tmp_path.glob("*.exr")) == ["shot_avatars_001.exr", "shot_avatars_002.exr"]
    np.testing.assert_allclose(channels(tmp_path / "shot_avatars_001.exr")["Mask.V"], truth["plain"][..., 3], atol=1e-4)
    assert not channels(tmp_path / "shot_avatars_002.exr")["Mask.V"].any()


def test_a_movie_has_them_too(tmp_path):
    made = with_passes(tmp_path)
    add(AVATAR, "Ada")
    if hasattr(made.render.image_settings, "media_type"):
        made.render.image_settings.media_type = "VIDEO"
    made.render.image_settings.file_format = "FFMPEG"
    made.frame_end = 2
    bpy.ops.render.render(animation=True)
    assert sorted(path.name for path in tmp_path.glob("*.exr")) == ["frame_avatars_0001.exr", "frame_avatars_0002.exr"]


@pytest.mark.parametrize("kind", ["none", "own"])
def test_the_file_and_the_users_own_files_stay_as_they_are(kind, tmp_path):
    made = scene(tmp_path)
    placed("Ada"), placed("Bob")
    if kind == "own":
        user_tree(made, tmp_path / "own")
    without = still(tmp_path / "a.png")
    own = [read(path) for path in (tmp_path / "own").glob("*")]
    made.likeness.passes = True
    before = told(made)
    assert np.array_equal(still(tmp_path / "a.png"), without)
    assert told(made) == before
    assert len(own) == (kind == "own")
    np.testing.assert_array_equal([read(path) for path in (tmp_path / "own").glob("*")], own)
    assert channels(tmp_path / "a_avatars_0001.exr")["Bob.V"].any()


@pytest.mark.parametrize("failing", ["picture", "mask"])
def test_a_failed_frame_leaves_none_and_an_older_one_alone(failing, tmp_path, monkeypatch):
    made = with_passes(tmp_path)
    placed("Ada"), placed("Bob")
    monkeypatch.setattr(engine, "draw", failing_at(2, failing == "mask", engine.draw))
    older = tmp_path / "frame_avatars_0002.exr"
    older.write_bytes(b"older")
    before = told(made)
    with pytest.raises(RuntimeError):
        bpy.ops.render.render(animation=True)
    assert told(made) == before
    assert older.read_bytes() == b"older"
    names = ["frame_0001.png", "frame_avatars_0001.exr", "frame_avatars_0002.exr"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def failing_at(frame: int, of_masks: bool, draw: Callable) -> Callable:
    def fail(request: object, known: dict) -> object:
        is_mask = any("/" in key for key in request.keys)
        if bpy.context.scene.frame_current == frame and is_mask == of_masks:
            raise MachineError("engine.died", "The engine ended.", "Start the engine again.")
        return draw(request, known)

    return fail
