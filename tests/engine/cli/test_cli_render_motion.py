"""`likeness render --motion`, run as a person would, on an avatar and a performance the tests make."""

from __future__ import annotations

import wave
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from factories import change, make_avatar
from likeness.cli import main
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar_file import read_avatar, write_avatar
from likeness.contract.motion import Motion, write_motion

JAW = ARKIT_NAMES.index("jawOpen")


def make_motion(times=(0.0, 0.1, 0.2), **values) -> Motion:
    """A performer at rest, filmed by the test avatar's own camera unless told otherwise."""
    frames = len(times)
    view = make_avatar().view
    still = {name: np.zeros((frames, 3), np.float32) for name in ("rotation", "neck_pose", "jaw_pose", "translation")}
    rest = Motion(
        times=np.array(times, np.float64),
        expr=np.zeros((frames, 52), np.float32),
        **still,
        eyes_pose=np.zeros((frames, 6), np.float32),
        observed=np.ones(frames, np.uint8),
        fps=10.0,
        head_model="open",
        head_model_hash="",
        expr_names=ARKIT_NAMES,
        K=view.K.astype(np.float64),
        T_camera_world=view.T_camera_head.astype(np.float64),
        image_size=(view.width, view.height),
    )
    return replace(rest, **values)


def turning(frames=3, angle=0.6):
    rotation = np.zeros((frames, 3), np.float32)
    rotation[:, 1] = np.linspace(0, angle, frames)
    return rotation


@pytest.fixture
def files(tmp_path):
    write_avatar(tmp_path / "a.likeness", make_avatar(gaussians=500))

    def run(motion, *options, out="out"):
        write_motion(tmp_path / "m.npz", motion)
        return main(
            ["render", str(tmp_path / "a.likeness"), "-o", str(tmp_path / out), "--motion", str(tmp_path / "m.npz"),
             *options]
        )  # fmt: skip

    run.folder = tmp_path
    return run


def pictures(folder):
    return [np.asarray(Image.open(file)) for file in sorted(folder.iterdir())]


def still(files, *options):
    """A picture of the avatar by the options that tests of stills already hold."""
    path = files.folder / "still.png"
    assert main(["render", str(files.folder / "a.likeness"), "-o", str(path), *options]) == 0
    return np.asarray(Image.open(path))


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_every_frame_is_the_still_of_its_controls(files, capsys):
    expr = np.zeros((3, 52), np.float32)
    expr[:, JAW] = [0, 0.5, 1]
    assert files(make_motion(expr=expr)) == 0
    assert capsys.readouterr().out == f"{files.folder / 'out'}\n"
    drawn = pictures(files.folder / "out")
    assert len(drawn) == 3
    for picture, jaw in zip(drawn, (0, 0.5, 1), strict=True):
        np.testing.assert_array_equal(picture, still(files, "--controls", f"jawOpen={jaw}"))


def test_uneven_frames_are_resampled_evenly_and_controls_clipped(files):
    expr = np.zeros((3, 52), np.float32)
    expr[:, JAW] = [0, 0.25, 3.0]
    assert files(make_motion((0.0, 0.05, 0.2), expr=expr), "--fps", "20") == 0
    drawn = pictures(files.folder / "out")
    assert len(drawn) == 5
    halfway = 0.25 + (3.0 - 0.25) / 3
    for number, jaw in ((1, 0.25), (2, min(halfway, 1)), (4, 1)):
        np.testing.assert_array_equal(drawn[number], still(files, "--controls", f"jawOpen={jaw}"))


def test_the_motions_camera_sees_what_the_video_saw(files):
    """The test head's middle is 1.1 m away: 5 cm to the subject's left are 60 * 0.05 / 1.1 pixels to the right."""
    K = np.array([[60, 0, 24], [0, 60, 32], [0, 0, 1.0]])
    assert files(make_motion(K=K, rotation=turning()), "--camera", "motion") == 0
    moved = make_motion(K=K, rotation=turning(), translation=np.tile(np.float32([0.05, 0, 0]), (3, 1)))
    assert files(moved, "--camera", "motion", out="moved") == 0
    here, there = pictures(files.folder / "out"), pictures(files.folder / "moved")
    assert here[0].shape == (64, 48, 4) and (here[0] != here[2]).any()
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(np.subtract(middle(b), middle(a)), [2.73, 0], atol=0.1)


def middle(picture):
    """Where the alpha's centre of mass is, x and y."""
    alpha = picture[..., 3] / picture[..., 3].sum()
    return (alpha.sum(0) * np.arange(alpha.shape[1])).sum(), (alpha.sum(1) * np.arange(alpha.shape[0])).sum()


def test_the_picture_of_the_motions_camera_may_be_larger(files):
    assert files(make_motion(), "--camera", "motion", "--size", "96x128") == 0
    np.testing.assert_array_equal(pictures(files.folder / "out")[0], still(files, "--size", "96x128"))


def test_a_head_filmed_anywhere_begins_where_the_photograph_has_it(files):
    filmed = make_motion(
        rotation=turning() + np.float32([0, 0.3, 0]), translation=np.float32([[0.3, 0, 0], [0.3, 0, 0], [0.32, 0, 0]])
    )
    assert files(filmed) == 0
    begins, _, ends = pictures(files.folder / "out")
    np.testing.assert_array_equal(begins, still(files))
    relative = make_motion(K=None, T_camera_world=None, image_size=None, rotation=turning())
    turned = np.linalg.inv(rotation_about_y(0.3))[:, 0] * 0.02
    relative.translation[2] = turned
    assert files(relative, out="relative") == 0
    np.testing.assert_allclose(ends.astype(int), pictures(files.folder / "relative")[2].astype(int), atol=1)


def rotation_about_y(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def test_a_retargeted_performance_is_applied_as_it_stands(files):
    relative = make_motion(K=None, T_camera_world=None, image_size=None, rotation=turning() + np.float32([0, 0.3, 0]))
    assert files(relative) == 0
    assert (pictures(files.folder / "out")[0] != still(files)).mean() > 0.05


def test_a_video_has_the_performances_rate_and_sound(files):
    with wave.open(str(files.folder / "s.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes((np.sin(np.arange(16000) * 0.2) * 9000).astype(np.int16).tobytes())
    motion = make_motion(np.arange(11) / 10, **{n: np.zeros((11, 3), np.float32) for n in POSES}, **rows(11))
    assert files(motion, "--sound", str(files.folder / "s.wav"), "--background", "#0000ff", out="o.mp4") == 0
    with av.open(str(files.folder / "o.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert video.average_rate == 10 and video.frames == 11 and (video.width, video.height) == (48, 64)
        assert float(sound.duration * sound.time_base) == pytest.approx(1.0, abs=0.15)
    corner = decoded(files.folder / "o.mp4")[0][1, 1].astype(int)
    assert np.abs(corner - [0, 0, 255]).max() < 12


POSES = ("rotation", "neck_pose", "jaw_pose", "translation")


def rows(frames):
    return {
        "expr": np.zeros((frames, 52), np.float32),
        "eyes_pose": np.zeros((frames, 6), np.float32),
        "observed": np.ones(frames, np.uint8),
    }


def test_an_odd_camera_loses_its_last_row_or_column_in_a_video_and_nothing_moves(files):
    odd = make_motion(image_size=(47, 63))
    assert files(odd, "--camera", "motion", "--background", "#101010") == 0
    assert files(odd, "--camera", "motion", "--background", "#101010", out="o.mp4") == 0
    picture, frame = pictures(files.folder / "out")[0], decoded(files.folder / "o.mp4")[0]
    assert picture.shape == (63, 47, 3) and frame.shape == (62, 46, 3)
    assert np.abs(picture[:62, :46].astype(int) - frame).mean() < 12


def test_one_frame_may_become_one_picture(files, capsys):
    one = make_motion((4.0,), **{n: np.zeros((1, 3), np.float32) for n in POSES}, **rows(1))
    assert files(one, out="one.png") == 0
    np.testing.assert_array_equal(np.asarray(Image.open(files.folder / "one.png")), still(files))
    assert files(make_motion(), out="several.png") == 2
    assert "has 3 pictures. Name a folder" in capsys.readouterr().err


def test_named_controls_win_over_the_performance(files):
    expr = np.zeros((3, 52), np.float32)
    expr[:, JAW] = 0.9
    assert files(make_motion(expr=expr), "--controls", "jawOpen=0.2") == 0
    np.testing.assert_array_equal(pictures(files.folder / "out")[1], still(files, "--controls", "jawOpen=0.2"))


def test_the_photographs_plate_stays_behind_a_moving_head(files, monkeypatch):
    plate = np.full((64, 48, 3), [10, 200, 30], np.uint8)
    monkeypatch.setattr("likeness.avatar.plate.make_plate", lambda *_: plate)
    assert files(make_motion(rotation=turning()), "--background", "portrait") == 0
    for picture in pictures(files.folder / "out"):
        assert (picture[0, 0] == [10, 200, 30]).all()


def test_what_the_avatar_lacks_is_told_if_it_moves(files, capsys):
    path = files.folder / "a.likeness"
    avatar = read_avatar(path)
    kept = [k for k, name in enumerate(ARKIT_NAMES) if name not in ("tongueOut", "cheekPuff")]
    names = tuple(ARKIT_NAMES[k] for k in kept)
    avatar = change(avatar, "rig", control_names=names, shapedirs=avatar.rig.shapedirs[:, :, kept].copy())
    write_avatar(path, change(avatar, "view", controls=avatar.view.controls[kept]))
    expr = np.zeros((3, 52), np.float32)
    expr[1, ARKIT_NAMES.index("tongueOut")] = 0.5
    expr[:, JAW] = 0.5
    assert files(make_motion(expr=expr)) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert warnings == ["warning: This avatar lacks tongueOut; what the performance does there is left out."]
    np.testing.assert_array_equal(pictures(files.folder / "out")[0], still(files, "--controls", "jawOpen=0.5"))


@pytest.mark.parametrize(
    "values, code",
    [
        ({"expr_names": tuple(f"expr{k:03d}" for k in range(52)), "head_model": "flame2020"}, "motion.other_head"),
        (
            {"expr_names": tuple(f"expr{k:03d}" for k in range(52)), "head_model_hash": "ff"},
            "motion.other_head",
        ),
    ],
)
def test_coefficients_of_another_head_are_refused(files, capsys, values, code):
    assert files(make_motion(**values)) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {code}: ") and "likeness retarget" in last
    assert not (files.folder / "out").exists()


def test_arkits_names_mean_the_same_on_every_head(files):
    assert files(make_motion(head_model="flame2020", head_model_hash="ff")) == 0


def test_a_performance_without_a_camera_has_no_camera_to_render_from(files, capsys):
    assert files(make_motion(K=None, T_camera_world=None, image_size=None), "--camera", "motion") == 3
    assert "error: motion.no_camera: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, remedy",
    [
        (["-o", "x", "--motion", "m.npz", "--orbit", "3"], "Leave out --orbit"),
        (["-o", "x", "--motion", "m.npz", "--expression", "portrait"], "with --controls"),
        (["-o", "x", "--motion", "m.npz", "--sound", "s.wav"], "Name an .mp4"),
        (["-o", "x.png", "--camera", "motion"], "Add --motion"),
        (["-o", "x.png", "--fps", "12"], "Add --motion"),
        (["-o", "x.mp4", "--orbit", "3", "--sound", "s.wav"], "Add --motion"),
        (["-o", "x", "--motion", "m.npz", "--camera", "motion", "--background", "portrait"], "--camera portrait"),
        (["-o", "x", "--motion", "m.npz", "--fps", "0"], "--help"),
        (["-o", "x.mp4"], "--motion FILE"),
    ],
)
def test_options_that_do_not_fit_are_explained(files, capsys, monkeypatch, options, remedy):
    monkeypatch.chdir(files.folder)
    assert main(["render", "a.likeness", *options]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: usage: ") and remedy in last
    assert [file.name for file in files.folder.iterdir()] == ["a.likeness"]


def test_a_missing_or_damaged_performance_is_an_input_error(files, capsys, monkeypatch):
    monkeypatch.chdir(files.folder)
    assert main(["render", "a.likeness", "-o", "x.mp4", "--motion", "none.npz"]) == 3
    assert "error: motion.missing: " in capsys.readouterr().err
    (files.folder / "bad.npz").write_bytes(b"PK\x03\x04 nothing")
    assert main(["render", "a.likeness", "-o", "x.mp4", "--motion", "bad.npz"]) == 3
    assert "error: motion.damaged: " in capsys.readouterr().err
    assert not (files.folder / "x.mp4").exists()


@pytest.mark.parametrize("out", ["x.mp4", "frames"])
def test_stopping_leaves_what_was_there(files, capsys, monkeypatch, out):
    from likeness.avatar import animate

    (files.folder / "x.mp4").write_text("older")
    original, drawn = animate.draw_avatar, []

    def stopping(*values):
        drawn.append(1)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return original(*values)

    monkeypatch.setattr(animate, "draw_avatar", stopping)
    assert files(make_motion(), "--background", "#000000", out=out) == 130
    assert sorted(file.name for file in files.folder.iterdir()) == ["a.likeness", "m.npz", "x.mp4"]
    assert (files.folder / "x.mp4").read_text() == "older"


def test_frames_go_to_the_encoder_one_by_one(files, monkeypatch):
    """However long the take, no more than a frame waits."""
    from likeness.avatar import animate, video

    log = []
    original, write = animate.draw_avatar, video.write_video
    monkeypatch.setattr(animate, "draw_avatar", lambda *values: log.append("draw") or original(*values))

    def logged(path, frames, size, **options):
        write(path, (log.append("encode") or frame for frame in frames), size, **options)

    monkeypatch.setattr(video, "write_video", logged)
    assert files(make_motion(), out="x.mp4") == 0
    assert log == ["draw", "encode"] * 3
