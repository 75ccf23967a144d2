"""The photograph's colours in a render: under view transforms that change them, and in scene-linear files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.render.colors import INVERSES, changes_photos
from render_parts import ENGINE_PYTHON, NO_ENGINE, channels, linear, scene, still, whole_addon
from scene_parts import add
from test_render_frames import AVATAR, truth  # noqa: F401

MEAN, BLENDERS_4_MEAN = 0.5 / 255, 1.5 / 255
"""How far colours may come out of AgX from those that went in; its inverse is coarser before Blender 5."""


@pytest.fixture(scope="module", autouse=True)
def with_addon() -> Iterator[None]:
    if not ENGINE_PYTHON.exists():
        pytest.skip(NO_ENGINE)
    with pytest.MonkeyPatch.context() as patch, whole_addon():
        patch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
        yield


def viewed(folder: Path, transform: str, keeps: bool = True) -> bpy.types.Scene:
    made = scene(folder)
    made.view_settings.view_transform, made.likeness.photo_colors = transform, keeps
    add(AVATAR)
    return made


def error(picture: np.ndarray, wanted: np.ndarray) -> float:
    """Return the mean difference of the straight colours where the avatar is rather opaque."""
    seen = wanted[..., 3] > 0.5
    assert seen.mean() > 0.2
    return np.abs(picture[seen][:, :3] - wanted[seen][:, :3] / wanted[seen][:, 3:]).mean()


@pytest.mark.parametrize("transform", INVERSES)
def test_photos_keep_their_colours_if_they_shall(transform, truth, tmp_path):  # noqa: F811
    limit = BLENDERS_4_MEAN if transform == "AgX" and bpy.app.version < (5, 0, 0) else MEAN
    made = viewed(tmp_path, transform)
    assert changes_photos(made)
    kept = still(tmp_path / "kept.png")
    made.likeness.photo_colors = False
    changed = still(tmp_path / "changed.png")
    assert error(changed, truth["plain"]) > 5 / 255
    assert error(kept, truth["plain"]) < limit
    np.testing.assert_allclose(kept[..., 3], changed[..., 3], atol=1 / 255)


@pytest.mark.parametrize("keeps", [True, False])
def test_standard_keeps_them_in_any_case(keeps, truth, tmp_path):  # noqa: F811
    made = viewed(tmp_path, "Standard", keeps)
    assert not changes_photos(made)
    assert error(still(tmp_path / "a.png"), truth["plain"]) < MEAN


def test_exposure_still_acts(truth, tmp_path):  # noqa: F811
    viewed(tmp_path, "AgX").view_settings.exposure = -1
    picture, seen = still(tmp_path / "a.png"), truth["plain"][..., 3] > 0.9
    assert picture[seen][:, :3].mean() < 0.8 * truth["plain"][seen][:, :3].mean()


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="files have a working space since Blender 5.0")
@pytest.mark.parametrize("space", ["ACEScg", "Linear Rec.2020"])
def test_other_working_spaces_keep_them_too(space, truth, tmp_path):  # noqa: F811
    viewed(tmp_path, "AgX")
    bpy.ops.wm.set_working_color_space(working_space=space)
    assert error(still(tmp_path / "a.png"), truth["plain"]) < MEAN


@pytest.mark.parametrize("keeps", [True, False])
def test_a_scene_linear_file_knows_no_view_transform(keeps, truth, tmp_path):  # noqa: F811
    made = viewed(tmp_path, "AgX", keeps)
    settings = made.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    made.render.filepath = str(tmp_path / "a.exr")
    bpy.ops.render.render(write_still=True)
    written = channels(tmp_path / "a.exr")
    picture = np.stack([written[name] for name in "RGBA"], axis=-1)
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, linear(truth["plain"]), atol=1e-4)
