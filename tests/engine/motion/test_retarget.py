"""Retargeting: what comes out for which avatar, and what is told or refused on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from takes import HEADER, controls_motion, k, some_values, take

from factories import make_avatar
from likeness.avatar import retarget as verb
from likeness.avatar.describe import describe
from likeness.avatar.retarget import RetargetOptions, Target, retarget, target_of
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError, UsageError
from likeness.contract.motion import check_motion, motion_to_bytes, write_motion
from likeness.head.model import load_open_head

FLAME_NAMES = tuple(f"expr{n:03d}" for n in range(100))
OPEN = Target(ARKIT_NAMES, "open", "0" * 64)
FLAME = Target(ARKIT_NAMES + FLAME_NAMES, "flame2023", "f" * 64)
AS_IT_IS = RetargetOptions(neutral="off")


@pytest.fixture
def csv(tmp_path) -> Path:
    path = tmp_path / "take.csv"
    path.write_bytes(take(some_values(120)))
    return path


@pytest.fixture
def sequence(tmp_path) -> Path:
    path, rng = tmp_path / "flame.npz", np.random.default_rng(0)
    np.savez(path, expr=rng.normal(size=(50, 100)), rotation=rng.normal(0, 0.1, (50, 3)),
             jaw_pose=rng.uniform(0, 0.1, (50, 3)), translation=rng.normal(0, 0.1, (50, 3)))  # fmt: skip
    return path


@pytest.fixture
def flame_file(monkeypatch) -> Path:
    """A path for which the stand-in of FLAME, Open Head in its layout, is loaded."""
    open_head = load_open_head()
    directions = np.repeat(open_head.exprdirs[:, :, :1], 100, 2)
    directions[:, :, 0] = open_head.exprdirs[:, :, k("jawOpen")]
    head = replace(
        open_head,
        name="flame2023",
        content_hash="f" * 64,
        exprdirs=np.concatenate([open_head.exprdirs, directions], -1),
        expr_names=ARKIT_NAMES + FLAME_NAMES,
        lid_loops=None,
    )
    monkeypatch.setattr(verb, "load_flame", lambda path: path)
    monkeypatch.setattr(verb, "complete_flame", lambda _: head)
    return Path("flame2023.pkl")


def told(done, words: str) -> bool:
    return any(words in note for note in done.notes)


def test_with_everything_off_the_motion_is_the_file(csv):
    done = retarget(csv, OPEN, options=AS_IT_IS)
    check_motion(done.motion)
    np.testing.assert_array_equal(done.motion.expr, some_values(120)[:, :52].round(10).astype(np.float32))
    np.testing.assert_allclose(done.motion.times, np.arange(120) / 60, atol=1e-5)
    assert done.motion.head_model == "open" and done.motion.neck_pose.any()


def test_real_takes_come_through_exactly(shared_data):
    for path in sorted((shared_data / "arkit").glob("*.csv")):
        motion = retarget(path, OPEN, options=AS_IT_IS).motion
        lines = path.read_text().splitlines()
        names = [name[0].lower() + name[1:] for name in lines[0].split(",")]
        for row in (0, 17, len(lines) - 2):
            cells = dict(zip(names, lines[row + 1].split(","), strict=True))
            expected = [float(cells[name]) for name in ARKIT_NAMES]
            np.testing.assert_allclose(motion.expr[row], expected, atol=1e-7)


def test_the_same_options_give_the_same_bytes(csv):
    options = RetargetOptions(smoothing="one-euro", gains={"mouth": 1.3}, mirror=True, start=0.5)
    one, other = (motion_to_bytes(retarget(csv, OPEN, options=options).motion) for _ in range(2))
    assert one == other


def test_the_range_begins_at_zero_and_the_neutral_is_of_the_whole_take(csv):
    whole = retarget(csv, OPEN).motion
    part = retarget(csv, OPEN, options=RetargetOptions(start=0.5, end=1.0)).motion
    np.testing.assert_array_equal(part.expr, whole.expr[30:60])
    np.testing.assert_allclose(part.times[:2], [0, 1 / 60], atol=1e-5)


def test_a_named_neutral_is_at_a_time_of_the_file(csv):
    options = RetargetOptions(neutral="at", neutral_at=1.0, start=1.0)
    with pytest.raises(UsageError, match=r"motion\.not_neutral"):
        retarget(csv, OPEN, options=options)
    calm = some_values(120)
    calm[60, :52] = 0.3
    calm[:, [k(f"eyeLook{way}{side}") for way in ("In", "Up") for side in ("Left", "Right")]] = 0  # never both ways
    csv.write_bytes(take(calm))
    assert not retarget(csv, OPEN, options=options).motion.expr[0].any()


def test_the_head_may_hold_still(csv):
    done = retarget(csv, OPEN, options=RetargetOptions(head_motion=False))
    assert not done.motion.neck_pose.any() and told(done, "head's motion was left out")


def test_channels_that_the_avatar_lacks_are_told(csv):
    less = Target(tuple(name for name in ARKIT_NAMES if name != "tongueOut"), "open", "")
    done = retarget(csv, less, options=AS_IT_IS)
    assert "tongueOut" not in done.motion.expr_names and told(done, "avatar lacks were left out: tongueOut")


def test_values_outside_are_told(csv):
    values = some_values(120)
    values[5, k("jawOpen")] = 1.4
    csv.write_bytes(take(values))
    done = retarget(csv, OPEN, options=AS_IT_IS)
    assert done.motion.expr.max() <= 1 and told(done, "1 values of controls lay outside")


def test_regions_that_are_none_are_refused(csv):
    with pytest.raises(UsageError, match=r"motion\.region: ears is no region"):
        retarget(csv, OPEN, options=RetargetOptions(gains={"ears": 1.0}))


def test_flame_goes_to_a_flame_avatar_as_it_is(sequence):
    done = retarget(sequence, FLAME, options=AS_IT_IS)
    with np.load(sequence) as arrays:
        np.testing.assert_array_equal(done.motion.expr, arrays["expr"].astype(np.float32))
        np.testing.assert_array_equal(done.motion.rotation, arrays["rotation"].astype(np.float32))
        np.testing.assert_array_equal(done.motion.translation, arrays["translation"].astype(np.float32))
    assert (done.motion.head_model, done.motion.head_model_hash) == ("flame2023", "f" * 64)
    assert told(done, "does not say its FLAME model")


def test_flame_on_open_head_needs_its_model(sequence):
    with pytest.raises(InputError, match=r"motion\.needs_head.*--source-head"):
        retarget(sequence, OPEN)


def test_flame_of_another_model_is_refused(tmp_path, sequence):
    own = replace(retarget(sequence, FLAME, options=AS_IT_IS).motion, head_model_hash="e" * 64)
    write_motion(tmp_path / "own.npz", own)
    with pytest.raises(InputError, match=r"motion\.other_head.*another FLAME model"):
        retarget(tmp_path / "own.npz", FLAME)


def test_a_named_model_that_is_not_the_files_is_refused(tmp_path, sequence, flame_file):
    own = replace(retarget(sequence, FLAME, options=AS_IT_IS).motion, head_model_hash="e" * 64)
    write_motion(tmp_path / "own.npz", own)
    with pytest.raises(InputError, match=r"motion\.other_head: flame2023\.pkl is not"):
        retarget(tmp_path / "own.npz", OPEN, options=RetargetOptions(source_head=flame_file))


def test_flame_becomes_arkit_for_open_head(tmp_path, flame_file):
    path, expr = tmp_path / "flame.npz", np.zeros((10, 100))
    expr[:, 0] = np.linspace(0, 1, 10)
    np.savez(path, expr=expr)
    done = retarget(path, OPEN, options=RetargetOptions(neutral="off", source_head=flame_file))
    np.testing.assert_allclose(done.motion.expr[:, k("jawOpen")], expr[:, 0], atol=0.02)
    assert done.motion.expr_names == ARKIT_NAMES and told(done, "became ARKit's controls")


def test_arkit_may_be_written_as_flame(csv, flame_file):
    options = RetargetOptions(neutral="off", source_head=flame_file, as_flame=True)
    motion = retarget(csv, FLAME, options=options).motion
    check_motion(motion)
    assert motion.expr_names == FLAME_NAMES and motion.head_model_hash == "f" * 64 and motion.eyes_pose.any()
    with pytest.raises(UsageError, match=r"motion\.not_flame"):
        retarget(csv, OPEN, options=options)
    with pytest.raises(UsageError, match=r"motion\.needs_head"):
        retarget(csv, FLAME, options=replace(options, source_head=None))
    with pytest.raises(InputError, match=r"motion\.other_head"):
        retarget(csv, replace(FLAME, head_model_hash="a" * 64), options=options)


def test_arkit_drives_a_flame_avatars_controls_directly(csv):
    motion = retarget(csv, FLAME, options=AS_IT_IS).motion
    assert motion.expr_names == ARKIT_NAMES and motion.head_model == "open"


def test_gains_and_mirror_tell_what_they_cannot_do_to_coefficients(sequence):
    done = retarget(sequence, FLAME, options=RetargetOptions(gains={"mouth": 2.0}, mirror=True))
    assert told(done, "neither regions nor sides")


def test_a_video_is_tracked_and_then_edited_alike(tmp_path, monkeypatch, csv):
    tracked = controls_motion(some_values(120)[:, :52], head=np.full((120, 3), 0.2))
    tracked = replace(tracked, K=np.eye(3), T_camera_world=np.eye(4), image_size=(4, 4))
    asked = {}

    def track(video, *, avatar=None, options=None, progress=None, on_frame=None):
        asked.update(video=video, options=options)
        on_frame(0.0, tracked.expr[0], np.zeros((5, 3)))
        return SimpleNamespace(motion=tracked, notes=("Two people are seen.",))

    module = SimpleNamespace(track=track, TrackOptions=SimpleNamespace)
    monkeypatch.setitem(__import__("sys").modules, "likeness.avatar.track", module)
    opened = SimpleNamespace(info=SimpleNamespace(seconds=2.0))
    monkeypatch.setattr("likeness.portrait.clip.open_clip", lambda _: opened)
    frames = []
    options = RetargetOptions(performer=2, start=0.5, neutral="at", neutral_at=0.25)
    with pytest.raises(UsageError, match=r"motion\.not_neutral"):
        retarget(tmp_path / "clip.mp4", OPEN, options=options, on_frame=lambda *frame: frames.append(frame))
    assert asked["options"].performer == 2 and asked["options"].start == 0.25 and len(frames) == 1
    done = retarget(tmp_path / "clip.mp4", OPEN, options=AS_IT_IS, on_frame=lambda *_: None)
    assert done.motion.K is not None and told(done, "Two people")  # untouched, so that it may be laid over its video
    done = retarget(tmp_path / "clip.mp4", OPEN, on_frame=lambda *_: None)
    assert done.motion.K is None and np.abs(done.motion.neck_pose).max() < 1e-6
    asked.clear()
    with pytest.raises(UsageError, match=r"motion\.range: There is no frame at 9 s"):
        retarget(tmp_path / "clip.mp4", OPEN, options=replace(options, neutral_at=9.0))
    with pytest.raises(UsageError, match=r"motion\.not_flame"):
        retarget(tmp_path / "clip.mp4", OPEN, options=RetargetOptions(as_flame=True))
    with pytest.raises(UsageError, match=r"motion\.needs_head"):
        retarget(tmp_path / "clip.mp4", FLAME, options=RetargetOptions(as_flame=True))
    assert not asked  # refused before minutes of tracking, not after them


def test_a_description_says_what_the_panel_shows(csv, sequence, tmp_path):
    told_csv = describe(csv)
    assert (told_csv.kind, told_csv.fps, told_csv.frames) == ("Live Link Face CSV", 60, 120)
    assert told_csv.seconds == pytest.approx(2) and told_csv.holds == ("52 controls", "head", "eyes")
    assert describe(sequence).kind == "FLAME sequence" and describe(sequence).seconds == pytest.approx(2)
    with pytest.raises(InputError, match=r"motion\.missing"):
        describe(tmp_path / "no.csv")


def test_a_videos_description_opens_it_only(monkeypatch):
    from likeness.portrait import clip

    info = SimpleNamespace(width=64, height=48, fps=25.0, seconds=4.0, frame_count=100, is_still=False, has_sound=True)
    monkeypatch.setattr(clip, "open_clip", lambda _: SimpleNamespace(info=info))
    told_clip = describe(Path("clip.mp4"))
    assert (told_clip.kind, told_clip.has_sound, told_clip.frames) == ("Video, 64 x 48", True, 100)


def test_a_target_is_an_avatars():
    avatar = make_avatar()
    assert target_of(avatar) == Target(avatar.rig.control_names, "open", "0" * 64)


def test_the_header_of_the_tests_is_the_apps(shared_data):
    first = (shared_data / "arkit" / "livelink_happy.csv").read_text().partition("\n")[0].split(",")
    assert {name.lower() for name in first} == {name.lower() for name in HEADER}
