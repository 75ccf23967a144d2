"""Contact sheets and line-ups: what the engine is asked for, where the pictures go, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.conventions import blender_to_head
from addon.operators.work import Work
from addon.render import engine, sheets
from addon.render.output import file_name
from addon.scene.find import armature_of, controls
from addon.scene.preset_table import PRESETS
from addon.scene.presets import save_preset
from bpy.types import Object
from render_parts import ENGINE_PYTHON, NO_ENGINE, read, whole_addon
from scene_dump import dump
from scene_parts import add, forward, lively_avatar, pose_randomly

from likeness.contract.errors import LikenessError
from likeness.contract.messages import DrawSheet, SheetDrawn

AVATAR = lively_avatar()
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005fe02fe0def46b8"
    "0000000049454e44ae426082"
)
REST = np.tile(np.eye(3), (5, 1, 1))
needs_engine = pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason=NO_ENGINE)


@pytest.fixture(scope="module", autouse=True)
def with_addon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, whole_addon():
        patch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
        yield


@pytest.fixture(autouse=True)
def folder(tmp_path) -> Path:
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.render.filepath = str(tmp_path / "out" / "frame_")
    return tmp_path / "out"


@pytest.fixture
def asked(monkeypatch) -> list[DrawSheet]:
    """Have no engine draw; return a list that grows with every request."""
    calls = []
    monkeypatch.setattr(engine, "draw", lambda request, *_: calls.append(request) or SheetDrawn(0, PNG))
    return calls


def columns(request: DrawSheet) -> dict[str, np.ndarray]:
    """Return each column's vertices, head space."""
    parts = np.split(request.vertices, np.cumsum(request.vertex_counts)[:-1])
    return {name: blender_to_head(part) for name, part in zip(request.column_names, parts, strict=True)}


def formula(values: dict[str, float]) -> np.ndarray:
    return forward(AVATAR.rig, np.array([values.get(name, 0.0) for name in AVATAR.rig.control_names]), REST)


def refusal(what: str = "contact_sheet") -> str:
    with pytest.raises(RuntimeError) as caught:
        getattr(bpy.ops.likeness, what)()
    text = str(caught.value).removeprefix("Error: ").strip()
    assert "\n" not in text and text.endswith(".")
    return text


def lively_scene() -> Object:
    """Add an avatar with everything that a sheet might disturb: keys, tweaks, drivers and turned bones."""
    scene, mesh = bpy.context.scene, add(AVATAR)
    pose_randomly(mesh, AVATAR.rig, 3)
    keyed, driven, *_ = controls(mesh)
    for frame, value in ((1, 0.0), (11, 1.0)):
        keyed.value = value
        keyed.keyframe_insert("value", frame=frame)
    driven.driver_add("value").driver.expression = "0.3"
    neck = armature_of(mesh).pose.bones["neck"]
    neck.location.x = 0.01
    neck.keyframe_insert("rotation_quaternion", frame=1)
    neck.driver_add("rotation_quaternion", 1).driver.expression = "0.1"
    scene.frame_set(5)
    keyed.value = 0.9  # not keyed: it lasts until the frame changes
    mesh.show_only_shape_key = True
    bpy.context.view_layer.update()
    return mesh


def everything(mesh: Object) -> dict[str, object]:
    """Return all of an avatar's state that may be animated, and what the file holds."""
    bones = armature_of(mesh).pose.bones
    channels = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale", "rotation_mode")
    owners = (mesh.data.shape_keys, armature_of(mesh))
    held = dump()
    held["blocks"].pop("images")
    return {
        "file": held,
        "values": [key.value for key in mesh.data.shape_keys.key_blocks],
        "bones": [str(getattr(bone, channel)[:]) for bone in bones for channel in channels],
        "drivers": [(each.data_path, each.mute) for owner in owners for each in owner.animation_data.drivers],
        "only": mesh.show_only_shape_key,
        "frame": bpy.context.scene.frame_current,
    }


def test_each_expression_is_blenders_own_and_nothing_changes(asked, folder):
    mesh = lively_scene()
    before = everything(mesh)
    assert bpy.ops.likeness.contact_sheet() == {"FINISHED"}
    assert everything(mesh) == before
    found = columns(asked[0])
    assert list(found)[:4] == ["Neutral", "Portrait", "Smile", "Laugh"] and len(found) == 12
    np.testing.assert_allclose(found["Neutral"], formula({}), atol=2e-6)
    for name in ("Smile", "Oo"):
        np.testing.assert_allclose(found[name], formula(PRESETS[name]), atol=2e-6)
    assert (folder / "Ada_contact_sheet.png").read_bytes() == PNG
    assert bpy.data.images["Ada Contact Sheet"].filepath == str(folder / "Ada_contact_sheet.png")


def test_sculpted_changes_and_the_users_own_presets_are_in_it(asked):
    mesh = add(AVATAR)
    save_preset("Mine", {"jawOpen": 0.5})
    mesh.data.shape_keys.key_blocks["jawOpen"].data[0].co.z += 0.25
    bpy.ops.likeness.contact_sheet()
    found = columns(asked[0])
    assert list(found)[2] == "Mine" and len(found) == 12
    moved = found["Mine"] - formula({"jawOpen": 0.5})
    np.testing.assert_allclose(moved[0], (0, 0.125, 0), atol=1e-5)
    assert np.abs(moved[1:]).max() < 1e-5


def test_every_view_looks_at_the_head_from_where_it_says(asked):
    add(AVATAR)
    bpy.ops.likeness.contact_sheet()
    request = asked[0]
    views = dict(zip(request.row_names, request.T_camera_body[:, 0], strict=True))
    forward_of = {name: T[2, :3] for name, T in views.items()}  # Blender's axes: the face looks along -Y
    np.testing.assert_allclose(forward_of["Front"], (0, 1, 0), atol=1e-9)
    np.testing.assert_allclose(forward_of["Profile left"], (-1, 0, 0), atol=1e-9)
    assert forward_of["3/4 right"][0] > 0.5 and forward_of["From above"][2] < -0.3 and forward_of["From below"][2] > 0.3
    for T in views.values():
        assert np.linalg.det(T[:3, :3]) == pytest.approx(1) and T[1, 2] < 0  # Z is up in the picture
        points = columns(request)["Neutral"] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
        pixels = (points @ T[:3, :3].T + T[:3, 3]) @ request.K.T
        middle = (pixels[:, :2] / pixels[:, 2:]).mean(axis=0) / (request.width, request.height)
        assert (np.abs(middle - 0.5) < 0.4).all() and (pixels[:, 2] > 0).all()


def test_a_line_up_shows_true_sizes_as_posed_whatever_way_they_stand(asked, folder):
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    ada, bob, eve = (add(AVATAR, name) for name in ("Ada", "Bob", "Eve"))
    armature_of(bob).scale *= 2
    armature_of(bob).rotation_euler = (0.3, 0.2, 1.0)
    wanted = pose_randomly(eve, AVATAR.rig, 4)
    bpy.context.view_layer.update()
    assert bpy.ops.likeness.line_up() == {"FINISHED"}
    request = asked[0]
    assert request.column_names == ("Ada", "Bob", "Eve") and request.names_beneath
    np.testing.assert_allclose(columns(request)["Eve"], wanted, atol=1e-5)
    front = request.T_camera_body[0]
    np.testing.assert_allclose(front[1, :3, :3], 2 * front[0, :3, :3], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(front[0, 0, :3]), 1, atol=1e-6)  # metres
    assert (folder / "line_up.png").exists()
    for mesh in (ada, bob, eve):
        mesh.select_set(mesh != eve)
        armature_of(mesh).select_set(False)
    bpy.ops.likeness.line_up()
    assert asked[1].column_names == ("Ada", "Bob")


def test_one_avatar_alone_is_a_line_up_too(asked):
    add(AVATAR)
    assert bpy.ops.likeness.line_up() == {"FINISHED"}
    assert asked[0].column_names == ("Ada",)


@needs_engine
def test_the_engine_draws_both_and_every_cell_is_its_own(folder):
    mesh = lively_scene()
    before = everything(mesh)
    bpy.ops.likeness.contact_sheet()
    assert everything(mesh) == before
    page = read(folder / "Ada_contact_sheet.png")
    width, height = sheets.CONTACT_CELL
    pitch = width + 4
    left = page.shape[1] - 24 - 12 * pitch + 4
    cells = [page[-24 - height : -24, left + column * pitch :][:, :width] for column in range(12)]
    assert all(np.ptp(cell) > 0.2 for cell in cells)
    assert np.array_equal(cells[0], cells[1])  # the small avatar's portrait is neutral
    assert len({cell.tobytes() for cell in cells[1:]}) == 11
    bpy.ops.likeness.line_up()
    assert read(folder / "line_up.png").shape[0] > 3 * sheets.LINE_UP_CELL[1]


@needs_engine
def test_a_cancelled_sheet_ends_and_leaves_no_file(folder):
    mesh = add(AVATAR)
    placed = sheets.stand(sheets_source(mesh), bpy.context.evaluated_depsgraph_get())
    with pytest.raises(LikenessError, match=r"render\.cancelled"):
        sheets.draw(sheets.line_up("x", [placed], 1.0), lambda job: False)
    assert not folder.exists()


def sheets_source(mesh: Object) -> object:
    from addon.render.avatars import read_source

    return read_source(mesh)


def test_a_failing_engine_leaves_the_old_picture(folder, monkeypatch):
    add(AVATAR)
    folder.mkdir()
    (folder / "line_up.png").write_bytes(PNG)
    monkeypatch.setenv("LIKENESS_ENGINE", "/nowhere/likeness serve")
    assert "/nowhere/likeness" in refusal("line_up")
    assert [each.name for each in folder.iterdir()] == ["line_up.png"]
    assert (folder / "line_up.png").read_bytes() == PNG


def test_the_picture_is_loaded_again_not_twice(asked):
    add(AVATAR)
    for _ in range(2):
        bpy.ops.likeness.line_up()
    assert [each.name for each in bpy.data.images if each.name.startswith("Line-Up")] == ["Line-Up"]


def test_places_that_cannot_be_written_are_told_before_anything_is_drawn(asked, folder):
    add(AVATAR)
    render = bpy.context.scene.render
    folder.write_bytes(b"a file where the folder would be")
    assert "cannot be made" in refusal() and "Output Properties" in refusal()
    folder.unlink()
    (folder / "Ada_contact_sheet.png").mkdir(parents=True)
    assert "is a folder" in refusal()
    (folder / "Ada_contact_sheet.png").rmdir()
    (folder / "Ada_contact_sheet.png").write_bytes(b"a text of mine")
    assert "is no PNG picture" in refusal()
    assert (folder / "Ada_contact_sheet.png").read_bytes() == b"a text of mine"
    render.filepath = "//frames/"
    assert "Save the file, or choose another folder" in refusal()
    if bpy.app.version >= (5, 0, 0):  # paths have names to fill in
        render.filepath = f"{folder}/{{nobody}}/"
        assert "not valid" in refusal()
    assert not asked


def test_a_saved_files_own_folder_is_found(asked, tmp_path):
    add(AVATAR)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.render.filepath = "//frames/####_x"
    bpy.ops.likeness.contact_sheet()
    assert (tmp_path / "frames" / "Ada_contact_sheet.png").exists()


def test_avatars_that_cannot_be_posed_are_told(asked):
    mesh = add(AVATAR)
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Go back to Object Mode" in refusal()
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.layer_collection.children["Ada"].exclude = True
    assert "Ada is hidden" in refusal("line_up")
    assert not asked and mesh.likeness.splats


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("Ada.001", "Ada.001"), ("花子", "花子"), ("a/b\\c:d", "a_b_c_d"), ("..", "avatar"), ("ü" * 63, "ü" * 40)],
)
def test_any_name_makes_a_files_name(name, wanted):
    assert file_name(name) == wanted


def test_esc_ends_the_operator_without_a_file(folder):
    """A window is needed to press Esc in; what follows is the same."""
    from addon.operators.sheets import SheetMaker

    told = []
    maker = type("Maker", (SheetMaker,), {"report": lambda self, *words: told.append(words)})()
    work = Work(lambda work: work.wait(5))
    work.cancel()
    assert maker.conclude(bpy.context, work) == {"CANCELLED"}
    assert told == [({"INFO"}, "Cancelled")] and not folder.exists()


def test_the_pose_is_put_back_if_blender_fails_in_the_middle(asked, monkeypatch):
    mesh = lively_scene()
    before = everything(mesh)
    from addon.render import poses

    def fail(*_: object) -> None:
        raise ValueError("in the middle")

    monkeypatch.setattr(poses.head_bones, "pose_as_in_portrait", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        bpy.ops.likeness.contact_sheet()
    assert everything(mesh) == before
