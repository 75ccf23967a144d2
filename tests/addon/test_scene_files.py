"""A .blend file with an avatar, opened in a fresh Blender, with and without the extension, on another machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.scene.find import armature_of
from bpy.types import Object
from create_parts import registered
from scene_parts import add, evaluated, lively_avatar

from likeness.contract.lighting import lit_colors

AVATAR = lively_avatar()
SCRIPT = Path(__file__).resolve().parent / "scene_reopened.py"


@pytest.fixture(autouse=True)
def addon_in_an_empty_file() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def mesh() -> Object:
    """Return an avatar that opens its mouth and turns its head from frame 1 to 10."""
    mesh = add(AVATAR)
    mesh.likeness.show = "BOTH"
    neck, jaw_open = armature_of(mesh).pose.bones["neck"], mesh.data.shape_keys.key_blocks["jawOpen"]
    for frame, amount in ((1, 0.0), (10, 1.0)):
        jaw_open.value, neck.rotation_euler = amount, (0.2 * amount, -0.5 * amount, 0.1 * amount)
        jaw_open.keyframe_insert("value", frame=frame)
        neck.keyframe_insert("rotation_euler", frame=frame)
    return mesh


def reopened(file: Path, extension: str) -> dict[str, np.ndarray]:
    """Return what a fresh Blender finds in the file."""
    out = file.with_name(f"{extension}.npz")
    words = [sys.executable, str(SCRIPT), str(file), str(out), extension]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(out) as found:
        return dict(found)


def frames(mesh: Object) -> np.ndarray:
    shown = []
    for frame in (1, 5, 10):
        bpy.context.scene.frame_set(frame)
        shown.append(evaluated(mesh))
    return np.stack(shown)


@pytest.fixture
def moved_file(mesh, tmp_path) -> Path:
    """Return the saved file, moved to where nothing else is."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere" / "far"
    home.mkdir()
    elsewhere.mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(home / "shot.blend"))
    assert [path.name for path in home.iterdir()] == ["shot.blend"]
    shutil.move(home / "shot.blend", elsewhere / "shot.blend")
    home.rmdir()
    return elsewhere / "shot.blend"


def test_without_the_extension_the_head_is_animated_as_before_and_nothing_is_lost(mesh, moved_file):
    shown = frames(mesh)
    plain = reopened(moved_file, "without")
    np.testing.assert_allclose(plain["frames"], shown, atol=1e-6)
    assert np.abs(plain["frames"][2] - plain["frames"][0]).max() > 0.01
    assert plain["photo"].tobytes() == AVATAR.portrait_png
    np.testing.assert_array_equal(plain["points.albedo"], lit_colors(AVATAR).albedo)
    assert len([name for name in plain if name.startswith("points.")]) == 12
    again = reopened(moved_file, "with")  # saved meanwhile by a Blender that does not know avatars
    assert_is_the_avatar(again, plain)


def test_with_the_extension_it_is_the_avatar(mesh, moved_file):
    shown = frames(mesh)
    found = reopened(moved_file, "with")
    np.testing.assert_allclose(found["frames"], shown, atol=1e-6)
    assert_is_the_avatar(found, found)


def assert_is_the_avatar(found: dict[str, np.ndarray], plain: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(found["frames"], plain["frames"])
    for name in (each for each in plain if each.startswith("points.")):
        np.testing.assert_array_equal(found[name], plain[name])
    assert found["names"].tolist() == ["Ada", "Ada Rig", "Ada Splats", "Ada Portrait", "Ada Portrait"]
    assert tuple(found["controls"].tolist()) == AVATAR.rig.control_names
    assert found["intact"] and found["show"] == "BOTH"
    np.testing.assert_allclose(found["K"], AVATAR.view.K.ravel())
    np.testing.assert_allclose(found["T_camera_head"], AVATAR.view.T_camera_head.ravel())
    assert found["head"].tolist() == ["open", "CC0-1.0", "0" * 64]


def test_a_file_unpacks_its_photograph_where_it_lies(mesh, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    image = mesh.likeness.portrait.image
    image.unpack(method="WRITE_LOCAL")
    (written,) = tmp_path.rglob("*.png")
    assert written.read_bytes() == AVATAR.portrait_png
