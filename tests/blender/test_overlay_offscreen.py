"""The overlay's shader against the engine's rasterizer, without a screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from blenders import Blender
from overlay_expected import expected, head_arrays, psnr

HERE = Path(__file__).resolve().parent
SIZE = (300, 220)


def test_pictures_equal_the_engines(gpu_python: Blender, tmp_path: Path) -> None:
    arrays = head_arrays(4000)
    views = {
        "front": _view(),
        "placed": _view(world=_placed()),
        "shifted": _view(shift=(0.4, -0.3)),
        "close": _view(0.3),
    }
    pictures = _draw(gpu_python, tmp_path, arrays, views)
    for name, view in views.items():
        wanted = expected(arrays, view["world"], view["view"], view["window"], SIZE)
        assert wanted[..., 3].mean() > 0.05, name
        assert psnr(pictures[name][..., :3], wanted[..., :3]) > 55, name
        assert psnr(pictures[name][..., 3], wanted[..., 3]) > 60, name


def test_orthographic_views_are_what_a_far_camera_sees(gpu_python: Blender, tmp_path: Path) -> None:
    arrays = head_arrays(4000)
    far = _view(distance=100.0, focal=100.0 / 0.15)
    views = {
        "ortho": {**_view(), "window": np.diag([1 / (0.15 * SIZE[0] / SIZE[1]), 1 / 0.15, -0.01, 1.0])},
        "far": far,
    }
    pictures = _draw(gpu_python, tmp_path, arrays, views)
    assert pictures["far"][..., 3].mean() > 0.05
    assert psnr(pictures["ortho"], pictures["far"]) > 35


@pytest.mark.parametrize("count", [40_000, 80_000])
def test_a_level_of_detail_leaves_no_holes(gpu_python: Blender, tmp_path: Path, count: int) -> None:
    arrays = head_arrays(count)
    views = {"all": _view(), "some": {**_view(), "detail": np.array("20K")}}
    pictures = _draw(gpu_python, tmp_path, arrays, views)
    inside = pictures["all"][..., 3] > 0.999
    assert inside.mean() > 0.05
    assert (pictures["some"][..., 3][inside] > 0.9).mean() > 0.99


def _draw(
    gpu_python: Blender, folder: Path, arrays: dict[str, np.ndarray], views: dict[str, dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    paths = [folder / name for name in ("arrays.npz", "views.npz", "pictures.npz")]
    np.savez(paths[0], **arrays)
    np.savez(paths[1], **{f"{name}_{key}": value for name, view in views.items() for key, value in view.items()})
    outcome = gpu_python.run([HERE / "overlay_offscreen.py", *paths], folders=[folder])
    assert paths[2].exists(), outcome.tail()
    return dict(np.load(paths[2]))


def _view(
    distance: float = 0.6,
    *,
    focal: float = 2.5,
    shift: tuple[float, float] = (0.0, 0.0),
    world: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return a view along +y (z up) on the head's middle; `focal` in half heights of the picture."""
    near, far = 0.01, 200.0
    window = np.zeros((4, 4))
    window[0, 0], window[1, 1] = focal * SIZE[1] / SIZE[0], focal
    window[0, 2], window[1, 2] = shift
    window[2, 2:], window[3, 2] = [-(far + near) / (far - near), -2 * far * near / (far - near)], -1
    view = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, -distance + 0.1], [0, 0, 0, 1]], float)
    return {
        "view": view,
        "window": window,
        "world": _turned() if world is None else world,
        "size": np.array(SIZE),
        "detail": np.array("FULL"),
    }


def _turned() -> np.ndarray:
    """Return a small turn, without which whole triangles lie at the same depth and their order is anyone's."""
    cos, sin = np.cos([0.21, 0.34]), np.sin([0.21, 0.34])
    about_x = np.array([[1, 0, 0, 0], [0, cos[0], -sin[0], 0], [0, sin[0], cos[0], 0], [0, 0, 0, 1]])
    about_z = np.array([[cos[1], -sin[1], 0, 0], [sin[1], cos[1], 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return about_x @ about_z


def _placed() -> np.ndarray:
    """Return a matrix that turns, shears, mirrors and moves."""
    world = np.eye(4)
    world[:3, :3] = [[-1.1, 0.2, 0.1], [0.1, 0.9, -0.3], [0.0, 0.3, 1.2]]
    world[:3, 3] = [0.03, 0.05, -0.02]
    return world
