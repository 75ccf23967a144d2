"""The overlay in real windows: against the engine's pictures, in every shading mode, through an avatar's life."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from blenders import Blender, blenders
from overlay_expected import expected, head_arrays, over, psnr

HERE = Path(__file__).resolve().parent
MODES = ("solid", "material", "eevee", "cycles")
SEEN_THROUGH = ("xray", "wireframe")


@cache
def _run(blender_name: str, script: str, folder: Path) -> tuple[dict[str, object], dict[str, np.ndarray], Path]:
    """Run a script once in each Blender; pytest would end a fixture's life at every change of parameters."""
    blender = next(each for each in blenders() if each.name == blender_name)
    folder = folder / f"{blender.name} {script}".replace(" ", "_").replace(".", "_")
    folder.mkdir()
    arrays = head_arrays(8000)
    np.savez(folder / "arrays.npz", **arrays)
    words = ["--gpu-backend", "opengl", "--python", HERE / script, "--", folder / "arrays.npz", folder]
    outcome = blender.run(words, window=True, limit=900, folders=[folder])
    report = folder / "report.json"
    assert report.exists(), outcome.tail()
    known = json.loads(report.read_text())
    assert known.get("done"), known.get("error", outcome.tail())
    return known, arrays, folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("overlay")


@pytest.fixture
def sees(blender: Blender, folder: Path) -> tuple[dict[str, object], dict[str, np.ndarray], Path]:
    return _run(blender.name, "overlay_sees.py", folder)


@pytest.fixture
def lives(blender: Blender, folder: Path) -> dict[str, object]:
    return _run(blender.name, "overlay_lives.py", folder)[0]


@pytest.mark.parametrize("kind", ["persp", "camera"])
def test_the_window_shows_the_engines_picture(sees: tuple, kind: str) -> None:
    _, arrays, folder = sees
    kept = np.load(folder / "parity.npz")
    shown, empty = kept[f"{kind}_picture"] / 255, kept["background"] / 255
    size = shown.shape[1], shown.shape[0]
    drawn = expected(arrays, kept["matrix_world"], kept[f"{kind}_view"], kept[f"{kind}_window"], size)
    head = drawn[..., 3] > 0.01
    assert head.mean() > 0.05
    assert psnr(shown[head], over(drawn, empty)[head]) > 53
    assert psnr(shown, over(drawn, empty)) > 58


@pytest.mark.parametrize("kind", ["persp", "ortho", "camera"])
def test_nothing_is_drawn_anew_when_nothing_has_changed(sees: tuple, kind: str) -> None:
    drawn = sees[0][f"redraws_unchanged_{kind}"]
    assert drawn["splats"] == 0
    assert drawn["composite"] >= 3


@pytest.mark.parametrize("overlays", [True, False])
@pytest.mark.parametrize("mode", [*MODES, *SEEN_THROUGH])
def test_meshes_hide_and_are_hidden(sees: tuple, mode: str, overlays: bool) -> None:
    behind_cube, before_cube = sees[0][f"occlusion_{mode}_{overlays}"]
    assert before_cube
    assert behind_cube == (mode in SEEN_THROUGH)


def test_views_and_switches(sees: tuple) -> None:
    report, _, _ = sees
    alone = report["alone"]
    assert alone > 0.03
    for name in ("hidden", "excluded", "switched_off", "as_mesh", "type_hidden"):
        assert report[f"{name}_True"] == 0, name
        assert report[f"{name}_False"] == pytest.approx(alone, rel=0.01), name
    assert report["local_view_without"] == 0
    assert report["local_view_with"] == pytest.approx(alone, rel=0.01)
    assert 0.3 * alone < report["clipped"] < 0.8 * alone
    assert report["other_before"] < 0.5 * alone
    assert report["other_behind"] > 0.9 * alone
    assert report["quad_regions"] >= 4
    assert report["problems"] == {}


def test_playback_shows_every_frames_own_mesh(lives: dict) -> None:
    assert lives["frames_seen"] == 100
    assert lives["frames_stale"] == 0
    assert lives["frames_differ"] > 1e-3


def test_a_change_draws_once(lives: dict) -> None:
    assert [lives[f"splats_drawn_after_{name}"] for name in ("slider", "object", "detail", "opacity")] == [1, 1, 1, 0]


def test_a_broken_avatar_says_so_and_others_go_on(lives: dict) -> None:
    one, two = lives["detail_back"], lives["two"]
    assert two > 1.5 * one > 0
    assert lives["subdivided_seen"] == pytest.approx(one, rel=0.02)
    assert "vertices instead of" in lives["subdivided_problem"]
    assert lives["subdivided_mended"] == pytest.approx(two, rel=0.02)
    assert lives["subdivided_mended_problem"] is None
    assert "local_mean" in lives["damaged_problem"]
    assert lives["damaged_seen"] == pytest.approx(one, rel=0.02)
    assert lives["subdivided_other_problem"] is lives["damaged_other_problem"] is None


def test_an_unforeseen_error_is_said_once_and_forgotten_when_something_changes(lives: dict) -> None:
    assert lives["unforeseen_calls"] <= 2  # two avatars
    assert "made for the test" in lives["unforeseen_problem"]
    assert lives["unforeseen_mended_problem"] is None


def test_undo_scenes_and_files(lives: dict) -> None:
    one, two = lives["one"], lives["duplicated"]
    assert two > 1.5 * one > 0
    for name in ("deleted_copy", "copy_is_gone_again", "undone_both", "first_scene", "registered_again"):
        assert lives[name] == pytest.approx(one, rel=0.02), name
    assert lives["copy_is_back"] == pytest.approx(two, rel=0.02)
    assert lives["reopened"] == pytest.approx(one, rel=0.02)
    assert lives["reverted"] == pytest.approx(one, rel=0.02)
    assert lives["other_scene"] == lives["unregistered"] == 0
    assert lives["new_file"] < 0.5 * one  # the new file's own axes
    assert lives["handlers_left"] == 0
    problems = [problem for name, known in lives.items() if name.endswith("_problems") for problem in known]
    assert not any(problems)
