"""The commands that draw and export, run as a person would, on an avatar the tests make."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from factories import make_avatar, png_bytes
from likeness.cli import main
from likeness.contract.avatar_file import write_avatar


@pytest.fixture(scope="module")
def avatar_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "a.likeness"
    write_avatar(path, make_avatar(gaussians=500))
    return str(path)


def draw(avatar_path, tmp_path, *options):
    assert main(["render", avatar_path, "-o", str(tmp_path / "out.png"), *options]) == 0
    with Image.open(tmp_path / "out.png") as picture:
        return np.asarray(picture)


def test_the_photographs_camera_gives_the_photographs_size_with_alpha(avatar_path, tmp_path, capsys):
    picture = draw(avatar_path, tmp_path)
    assert picture.shape == (64, 48, 4) and picture[0, 0, 3] == 0 and picture[32, 24, 3] > 200
    assert capsys.readouterr().out == f"{tmp_path / 'out.png'}\n"


def test_sizes_and_cameras(avatar_path, tmp_path):
    front = draw(avatar_path, tmp_path, "--camera", "0,0", "--size", "40x30")
    turned = draw(avatar_path, tmp_path, "--camera", "-40,10", "--size", "40x30")
    assert front.shape == turned.shape == (30, 40, 4)
    assert (front != turned).mean() > 0.1
    assert draw(avatar_path, tmp_path, "--camera", "0,0").shape == (1024, 1024, 4)


def test_expressions_and_controls_change_the_picture(avatar_path, tmp_path):
    still = draw(avatar_path, tmp_path)
    for options in (["--expression", "portrait"], ["--controls", "jawOpen=1,mouthPucker=0.5"]):
        assert (draw(avatar_path, tmp_path, *options) != still).any()
    np.testing.assert_array_equal(draw(avatar_path, tmp_path, "--expression", "neutral"), still)


def test_backgrounds(avatar_path, tmp_path):
    clear = draw(avatar_path, tmp_path, "--expression", "portrait")
    blue = draw(avatar_path, tmp_path, "--expression", "portrait", "--background", "#0000ff")
    assert blue.shape[2] == 3 and (blue[clear[..., 3] == 0] == [0, 0, 255]).all()
    photograph = draw(avatar_path, tmp_path, "--expression", "portrait", "--background", "portrait")
    (tmp_path / "green.png").write_bytes(png_bytes(np.full((5, 9, 3), [0, 200, 0], np.uint8)))
    green = draw(avatar_path, tmp_path, "--expression", "portrait", "--background", str(tmp_path / "green.png"))
    assert (green[clear[..., 3] == 0] == [0, 200, 0]).all()
    assert len(np.unique(photograph[clear[..., 3] == 0], axis=0)) > 100


def test_a_missing_background_is_an_input_error(avatar_path, tmp_path, capsys):
    code = main(["render", avatar_path, "-o", str(tmp_path / "x.png"), "--background", str(tmp_path / "none.png")])
    assert code == 3 and capsys.readouterr().err.splitlines()[-1].startswith("error: picture.missing: ")
    assert list(tmp_path.iterdir()) == []


def test_orbits_become_numbered_pictures_and_videos(avatar_path, tmp_path):
    orbit = ["--orbit", "3", "--size", "33x35"]
    assert main(["render", avatar_path, "-o", str(tmp_path / "frames"), *orbit]) == 0
    assert sorted(file.name for file in (tmp_path / "frames").iterdir()) == ["0001.png", "0002.png", "0003.png"]
    assert main(["render", avatar_path, "-o", str(tmp_path / "turn.mp4"), *orbit]) == 0
    assert (tmp_path / "turn.mp4").stat().st_size > 500


def draw_exr(avatar_path, tmp_path, *options):
    assert main(["render", avatar_path, "-o", str(tmp_path / "out.exr"), *options]) == 0
    return read_exr(tmp_path / "out.exr")


def read_exr(path):
    with OpenEXR.File(str(path)) as file:
        channels = file.channels()
        return channels["RGBA"].pixels.astype(np.float64), channels["Z"].pixels


def as_png(rgba, *, encode):
    """Straight 8-bit RGBA of premultiplied RGBA, with IEC 61966-2-1 where the colours are linear."""
    alpha = rgba[..., 3:]
    color = np.divide(rgba[..., :3], alpha, out=np.zeros_like(rgba[..., :3]), where=alpha > 0)
    if encode:
        color = np.where(color <= 0.0031308, 12.92 * color, 1.055 * color ** (1 / 2.4) - 0.055)
    return np.round(255 * np.concatenate([color, alpha], -1).clip(0, 1))


@pytest.mark.parametrize("options", [[], ["--camera", "-40,10", "--size", "41x30"], ["--background", "#c08020"]])
@pytest.mark.parametrize("encoding", [[], ["--encoding", "linear"], ["--encoding", "srgb"]])
def test_an_exr_is_the_png_after_encoding(avatar_path, tmp_path, capsys, options, encoding):
    rgba, depth = draw_exr(avatar_path, tmp_path, *options, *encoding)
    assert capsys.readouterr().out == f"{tmp_path / 'out.exr'}\n"
    picture = draw(avatar_path, tmp_path, *options)
    encoded = as_png(rgba, encode="srgb" not in encoding)
    np.testing.assert_allclose(encoded[..., : picture.shape[2]], picture, atol=1)
    seen = draw(avatar_path, tmp_path, *options, "--background", "transparent")[..., 3] > 0
    assert (np.abs(depth[seen] - 1.1) < 0.2).all() and (depth[~seen] == 1e10).all() and seen.any()


def test_orbits_become_numbered_exrs(avatar_path, tmp_path):
    orbit = ["--orbit", "3", "--size", "33x35", "--format", "exr"]
    assert main(["render", avatar_path, "-o", str(tmp_path / "frames"), *orbit]) == 0
    assert sorted(file.name for file in (tmp_path / "frames").iterdir()) == ["0001.exr", "0002.exr", "0003.exr"]
    single = draw_exr(avatar_path, tmp_path, "--camera", "120,0", "--size", "33x35")
    for ours, alone in zip(read_exr(tmp_path / "frames" / "0002.exr"), single, strict=True):
        np.testing.assert_array_equal(ours, alone)


@pytest.mark.parametrize(
    "options, remedy",
    [
        (["-o", "x.png", "--encoding", "linear"], "or write .exr"),
        (["-o", "x.mp4", "--orbit", "2", "--encoding", "srgb"], "or write .exr"),
        (["-o", "x", "--orbit", "2", "--encoding", "srgb"], "or write .exr"),
        (["-o", "x", "--orbit", "2", "--format", "png", "--encoding", "srgb"], "or write .exr"),
        (["-o", "x.mp4", "--orbit", "2", "--format", "exr"], "--format is for folders"),
        (["-o", "x.exr", "--format", "exr"], "--format is for folders"),
        (["-o", "x.exr", "--orbit", "2"], "--format exr"),
        (["-o", "x", "--format", "exr"], "Add --orbit N"),
        (["-o", "x.exr", "--encoding", "aces"], "--help"),
    ],
)
def test_options_that_do_not_fit_are_explained(avatar_path, tmp_path, capsys, monkeypatch, options, remedy):
    monkeypatch.chdir(tmp_path)
    assert main(["render", avatar_path, *options]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: usage: ") and remedy in last
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output, options", [("x.exr", []), ("frames", ["--orbit", "2", "--format", "exr"])])
def test_a_full_disk_leaves_what_was_there(avatar_path, tmp_path, capsys, monkeypatch, output, options):
    def full(path, data):
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "x.exr").write_text("older")
    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["render", avatar_path, "-o", str(tmp_path / output), *options, "--size", "20x20"]) == 3
    assert "error: output.disk_full: " in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["x.exr"] and (tmp_path / "x.exr").read_text() == "older"


def test_sheet_and_export_say_where_they_wrote(avatar_path, tmp_path, capsys):
    commands = {"sheet": "sheet.png", "export": "a.ply", "export ": "a.obj"}
    for command, name in commands.items():
        assert main([command.strip(), avatar_path, "-o", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out == f"{tmp_path / name}\n"
        assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.parametrize("command, name", [("render", "x.png"), ("render", "x.exr"), ("sheet", "x.png")])
def test_an_unwritable_place_is_an_input_error(avatar_path, tmp_path, capsys, command, name):
    assert main([command, avatar_path, "-o", str(tmp_path / "missing" / name)]) == 3
    assert "error: output.no_folder: " in capsys.readouterr().err
