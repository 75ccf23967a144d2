"""The ordinary render with avatars against the engine's own pictures."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.render import engine
from addon.scene.find import armature_of, controls
from render_parts import (
    DISTANCE,
    ENGINE_PYTHON,
    HEIGHT,
    LENS,
    NO_ENGINE,
    SENSOR,
    WIDTH,
    cube,
    premultiplied,
    psnr,
    read,
    scene,
    still,
    whole_addon,
)
from scene_parts import add, forward, lively_avatar

from addon import session
from likeness.contract.avatar_file import write_avatar

pytestmark = pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason=NO_ENGINE)
AVATAR = lively_avatar()
CONTROL, VALUE, STEP = 0, 0.7, 0.05
SHIFT = (0.1, -0.05)
FOCAL = WIDTH * LENS / SENSOR
ORTHO_SCALE = 0.8


@dataclass(frozen=True)
class View:
    """A view as this test writes it down by itself, head space and pixels."""

    value: float = 0.0
    move: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    orthographic: bool = False


VIEWS = {
    "plain": View(),
    "frame1": View(0.0, 0.0),
    "frame2": View(VALUE / 2, STEP / 2),
    "frame3": View(VALUE, STEP),
    "ortho": View(orthographic=True),
    "shift": View(shift=SHIFT),
    "half": View(scale=0.5),
}


@pytest.fixture(scope="module", autouse=True)
def with_addon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, whole_addon():
        patch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
        yield


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Return the engine's pictures, premultiplied."""
    folder = tmp_path_factory.mktemp("truth")
    paths = [folder / name for name in ("head.likeness", "views.npz", "pictures.npz")]
    write_avatar(paths[0], AVATAR)
    np.savez(paths[1], **{f"{name}_{key}": item for name, view in VIEWS.items() for key, item in written(view).items()})
    program = Path(__file__).with_name("render_truth.py")
    subprocess.run([ENGINE_PYTHON, program, *paths], check=True, timeout=180)
    return dict(np.load(paths[2]))


def written(view: View) -> dict[str, np.ndarray]:
    values = np.zeros(len(AVATAR.rig.control_names))
    values[CONTROL] = view.value
    width, height = WIDTH * view.scale, HEIGHT * view.scale
    focal = width / ORTHO_SCALE if view.orthographic else FOCAL * view.scale
    center = width / 2 - view.shift[0] * width, height / 2 + view.shift[1] * width
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[0, 3], T[2, 3] = -view.move, DISTANCE
    return {
        "vertices": forward(AVATAR.rig, values, np.tile(np.eye(3), (5, 1, 1))),
        "K": np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1]]),
        "T": T,
        "size": np.array([width, height], int),
        "orthographic": np.array(view.orthographic),
    }


def assert_is(picture: np.ndarray, wanted: np.ndarray) -> None:
    assert picture.shape == wanted.shape
    assert wanted[..., 3].mean() > 0.02
    assert psnr(premultiplied(picture), wanted) > 45


def keyed() -> bpy.types.Object:
    """Add the avatar, with its expression and the camera moving from frame 1 to 3."""
    mesh, camera = add(AVATAR), bpy.context.scene.camera
    key = controls(mesh)[CONTROL]
    for frame, value, move in ((1, 0, 0), (3, VALUE, STEP)):
        key.value, camera.location.x = value, move
        key.keyframe_insert("value", frame=frame)
        camera.keyframe_insert("location", frame=frame)
    for action in bpy.data.actions:
        linear(action)
    return mesh


def linear(action: bpy.types.Action) -> None:
    bags = (
        [action] if hasattr(action, "fcurves") else [b for x in action.layers for s in x.strips for b in s.channelbags]
    )
    for curve in (curve for bag in bags for curve in bag.fcurves):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return a list that grows with each frame the engine is asked for."""
    calls, draw = [], engine.draw
    monkeypatch.setattr(engine, "draw", lambda request, known: calls.append(request.keys) or draw(request, known))
    return calls


def test_a_still_is_the_engines_picture(truth, tmp_path):
    scene(tmp_path)
    add(AVATAR)
    assert_is(still(tmp_path / "a.png"), truth["plain"])


@pytest.mark.parametrize("kind", ["ortho", "shift", "half"])
def test_cameras_and_sizes(kind, truth, tmp_path):
    made = scene(tmp_path)
    add(AVATAR)
    lens = made.camera.data
    if kind == "ortho":
        lens.type, lens.ortho_scale = "ORTHO", ORTHO_SCALE
    elif kind == "shift":
        lens.shift_x, lens.shift_y = SHIFT
    else:
        made.render.resolution_percentage = 50
    assert_is(still(tmp_path / "a.png"), truth[kind])


@pytest.mark.parametrize("crops", [True, False])
def test_a_border_shows_a_part_of_the_same_picture(crops, truth, tmp_path):
    made = scene(tmp_path)
    add(AVATAR)
    made.render.use_border, made.render.use_crop_to_border = True, crops
    made.render.border_min_x, made.render.border_max_x = 0.3, 0.6
    made.render.border_min_y, made.render.border_max_y = 0.4, 0.8
    rows, columns = slice(18, 54), slice(36, int(np.float32(0.6) * np.float32(WIDTH)))
    wanted = np.zeros_like(truth["plain"])
    wanted[rows, columns] = truth["plain"][rows, columns]
    assert_is(still(tmp_path / "a.png"), wanted[rows, columns] if crops else wanted)


def test_every_frame_shows_its_own_expression_and_camera(truth, tmp_path, asked):
    made = scene(tmp_path)
    keyed()
    bpy.ops.render.render(animation=True)
    frames = {number: read(tmp_path / f"frame_{number:04}.png") for number in (1, 2, 3)}
    assert len(asked) == 3
    assert psnr(truth["frame1"], truth["frame3"]) < 35
    for number, picture in frames.items():
        assert_is(picture, truth[f"frame{number}"])
        made.frame_set(number)
        assert np.array_equal(still(tmp_path / "alone.png"), picture)


def test_the_shutter_asks_for_a_frame_once(tmp_path, asked):
    made = scene(tmp_path)
    keyed()
    made.render.use_motion_blur = True
    bpy.ops.render.render(animation=True)
    assert len(asked) == 3


@pytest.mark.parametrize("film", [True, False])
def test_meshes_hide_avatars_and_are_hidden(film, truth, tmp_path):
    made = scene(tmp_path)
    made.cycles.samples = 16
    mesh = add(AVATAR)
    before, behind = cube((0.08, -0.4, 0), 0.12), cube((-0.08, 0.4, 0), 0.12)
    made.render.film_transparent = film
    both = premultiplied(still(tmp_path / "both.png"))
    made.render.film_transparent = True  # which shows where the cubes are
    armature_of(mesh).hide_render = behind.hide_render = True
    near = premultiplied(still(tmp_path / "near.png"))
    behind.hide_render, before.hide_render = False, True
    far = premultiplied(still(tmp_path / "far.png"))
    head, solid = truth["plain"], truth["plain"][..., 3] > 0.97
    covered = inside(near[..., 3] == 1)
    assert (covered & solid).sum() > 20
    assert np.abs(both[covered] - near[covered]).max() < 2 / 255
    showing = inside(near[..., 3] == 0) & inside(far[..., 3] == 1) & solid
    assert showing.sum() > 20
    wanted = head + far * (1 - head[..., 3:])
    assert np.abs(both[showing] - wanted[showing]).max() < 0.02


def inside(mask: np.ndarray) -> np.ndarray:
    """Return the pixels whose neighbours belong to the mask too: the edge may lie within a pixel."""
    around = [np.roll(mask, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return np.logical_and.reduce(around)


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="files have a working space since Blender 5.0")
@pytest.mark.parametrize("space", ["ACEScg", "Linear Rec.2020"])
def test_other_working_spaces_show_the_same_colours(space, truth, tmp_path):
    scene(tmp_path)
    add(AVATAR)
    bpy.ops.wm.set_working_color_space(working_space=space)
    assert bpy.data.colorspace.working_space == space
    assert_is(still(tmp_path / "a.png"), truth["plain"])


def test_a_disabled_rig_takes_the_avatar_out_of_the_render(tmp_path, asked):
    scene(tmp_path)
    armature = armature_of(add(AVATAR))
    armature.hide_render = True
    assert not still(tmp_path / "a.png").any()
    armature.keyframe_insert("hide_render", frame=1)
    assert not still(tmp_path / "a.png").any()
    assert not asked


def test_a_view_layer_renders_the_avatars_in_its_collections(truth, tmp_path, asked):
    made = scene(tmp_path)
    add(AVATAR, "Ada")
    collection = next(each for each in made.view_layers[0].layer_collection.children if each.name == "Ada")
    made.view_layers.new("Second")
    assert_is(still(tmp_path / "a.png"), truth["plain"])
    assert len(asked) == 1
    collection.exclude = True  # in the first, which is the one that is shown
    assert not still(tmp_path / "a.png").any()


def test_duplicates_that_share_their_splats_are_rendered(truth, tmp_path):
    scene(tmp_path)
    mesh = add(AVATAR)
    armature = armature_of(mesh)
    copy, rig = mesh.copy(), armature.copy()
    for each in (copy, rig):
        bpy.context.scene.collection.objects.link(each)
    copy.parent = copy.modifiers["Armature"].object = rig
    armature.location.x, rig.location.x = 5, 0
    assert_is(still(tmp_path / "a.png"), truth["plain"])


def test_an_engine_that_dies_between_frames_is_started_again(truth, tmp_path):
    scene(tmp_path)
    keyed()
    first = []

    def kill(*_: object) -> None:
        if not first:
            first.append(session.client()._line)
            first[0].kill()

    bpy.app.handlers.render_post.append(kill)
    bpy.ops.render.render(animation=True)
    assert session.client()._line is not first[0]
    for number in (1, 2, 3):
        assert_is(read(tmp_path / f"frame_{number:04}.png"), truth[f"frame{number}"])
