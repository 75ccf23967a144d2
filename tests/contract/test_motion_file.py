"""The motion file: every performance comes back, and other bytes give one readable error."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from likeness.contract import motion as motion_file
from likeness.contract.errors import InputError
from likeness.contract.motion import ARRAYS, Motion, motion_from_bytes, motion_to_bytes, read_motion, write_motion
from likeness.contract.safe_npz import read_npz, write_npz


def make_motion(frames: int = 4, channels: int = 3, *, camera: bool = True, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)
    rows = {name: rng.normal(size=(frames, *row)).astype(np.float32) for name, row in ARRAYS.items()}
    rows |= {"times": np.cumsum(rng.uniform(0.01, 0.1, frames)), "observed": rng.integers(0, 2, frames, np.uint8)}
    filmed = {"K": np.eye(3) * 500, "T_camera_world": np.eye(4), "image_size": (640, 480)} if camera else {}
    return Motion(
        **rows,
        expr=rng.normal(size=(frames, channels)).astype(np.float32),
        fps=29.97,
        head_model="flame2023",
        head_model_hash="0" * 64,
        expr_names=tuple(f"expr{k:03d}" for k in range(channels)),
        **filmed,
    )


@pytest.fixture(scope="module")
def data() -> bytes:
    return motion_to_bytes(make_motion())


def assert_same(one: Motion, other: Motion) -> None:
    for field in fields(Motion):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b


def changed(data: bytes, **arrays: np.ndarray | None) -> bytes:
    """Return the file with some arrays replaced or, with None, left out."""
    stored = read_npz(data) | arrays
    return write_npz({name: np.asarray(array) for name, array in stored.items() if array is not None})


def refused(data: bytes, code: str = "motion.damaged") -> str:
    with pytest.raises(InputError) as caught:
        motion_from_bytes(data, "take.npz")
    assert caught.value.code == code and caught.value.exit_code == 3
    assert "take.npz" in caught.value.message and "\n" not in str(caught.value)
    return caught.value.message


@st.composite
def motions(draw: st.DrawFn) -> Motion:
    frames, channels = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    numbers = st.floats(-1e3, 1e3, width=32)
    rows = {name: draw(hnp.arrays(np.float32, (frames, *row), elements=numbers)) for name, row in ARRAYS.items()}
    steps = draw(hnp.arrays(np.float64, frames, elements=st.floats(1e-3, 10)))
    rows |= {"times": np.cumsum(steps), "observed": draw(hnp.arrays(np.uint8, frames, elements=st.integers(0, 1)))}
    words = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=8)
    filmed = {"K": np.eye(3), "T_camera_world": np.eye(4), "image_size": (3, 2)} if draw(st.booleans()) else {}
    return Motion(
        **rows,
        expr=draw(hnp.arrays(np.float32, (frames, channels), elements=numbers)),
        fps=draw(st.floats(0.1, 1000)),
        head_model=draw(words),
        head_model_hash=draw(st.sampled_from(["", "f" * 64])),
        expr_names=tuple(draw(st.lists(words, min_size=channels, max_size=channels, unique=True))),
        **filmed,
    )


@settings(deadline=None)
@given(motions())
def test_every_performance_comes_back(motion):
    stored = motion_to_bytes(motion)
    assert_same(motion, motion_from_bytes(stored, "take.npz"))
    assert motion_to_bytes(motion) == stored


def test_it_is_written_and_read(tmp_path, data):
    write_motion(tmp_path / "take.npz", make_motion())
    assert_same(read_motion(tmp_path / "take.npz"), make_motion())
    assert (tmp_path / "take.npz").read_bytes() == data and len(list(tmp_path.iterdir())) == 1


def test_numpy_reads_it_without_pickles_under_the_fields_own_names(data):
    motion = make_motion()
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        for name in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation", "K"):
            np.testing.assert_array_equal(stored[name], getattr(motion, name))
        assert stored["head_model"].tobytes().decode() == "flame2023" and float(stored["fps"]) == 29.97


def test_a_newer_file_says_so_whatever_it_holds(data):
    newer = changed(data, schema_version=np.int64(2), expr=None, times=np.zeros((3, 3)))
    assert "newer" in refused(newer, "motion.too_new")


def test_arrays_of_a_later_revision_are_ignored(data):
    assert_same(motion_from_bytes(changed(data, more=np.ones(3)), "take.npz"), make_motion())


@pytest.mark.parametrize("name", [*ARRAYS, "expr", "fps", "head_model", "head_model_hash", "expr_names"])
def test_a_missing_array_is_damage(data, name):
    refused(changed(data, **{name: None}))


def test_other_peoples_archives_are_not_ours(data):
    assert "Likeness did not write it" in refused(changed(data, schema_version=None))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"times": np.array([0.0, 1, 1, 2])}, "times do not rise"),
        ({"times": np.array([0.0, 2, 1, 3])}, "times do not rise"),
        ({"times": np.array([0.0, 1, 2, np.nan])}, "times"),
        ({"expr": np.full((4, 3), np.inf, np.float32)}, "expr"),
        ({"expr": np.zeros((5, 3), np.float32)}, "expr"),
        ({"expr": np.zeros((4, 2), np.float32)}, "expr"),
        ({"eyes_pose": np.zeros((4, 2, 3), np.float32)}, "eyes_pose"),
        ({"rotation": np.zeros(12, np.float32)}, "rotation"),
        ({"fps": np.float64(0)}, "rate"),
        ({"fps": np.float64(np.nan)}, "rate"),
        ({"fps": np.zeros(2)}, ""),
        ({"schema_version": np.zeros(2, np.int64)}, ""),
        ({"schema_version": np.float64(np.nan)}, "did not write it"),
        ({"schema_version": np.float64(np.inf)}, "did not write it"),
        ({"image_size": np.array([np.inf, 3])}, ""),
        ({"rotation": np.full((4, 3), 1e300)}, "rotation"),
        ({"head_model": np.array([0xFF, 0xFE], np.uint8)}, ""),
        ({"expr_names": np.frombuffer(b"a\na\nb", np.uint8)}, "twice"),
        ({"expr_names": np.frombuffer(b"a\nb", np.uint8)}, "expr"),
        ({"K": None}, "camera is incomplete"),
        ({"image_size": None}, "camera is incomplete"),
        ({"image_size": np.array([0, 480])}, "camera"),
        ({"image_size": np.array([1, 2, 3])}, ""),
        ({"K": np.eye(4)}, "camera"),
        ({"T_camera_world": np.full((4, 4), np.nan)}, "camera"),
    ],
)
def test_what_does_not_fit_together_is_damage(data, arrays, reason):
    assert reason in refused(changed(data, **arrays))


def test_a_file_without_frames_is_damage():
    nothing = {name: getattr(make_motion(), name)[:0] for name in (*ARRAYS, "expr")}
    assert "no frames" in refused(motion_to_bytes(replace(make_motion(), **nothing)))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_one_line(noise):
    refused(noise)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_bytes_give_a_sound_motion_or_one_line(data, draw):
    broken = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        broken[draw.draw(st.integers(0, len(broken) - 1))] = draw.draw(st.integers(0, 255))
    broken = broken[: draw.draw(st.integers(0, len(broken)))]
    try:
        motion_file.check_motion(motion_from_bytes(bytes(broken), "take.npz"))
    except InputError as error:
        assert error.code in ("motion.damaged", "motion.too_new")


def test_missing_files_are_named(tmp_path):
    for path in (tmp_path / "no.npz", tmp_path):
        with pytest.raises(InputError, match=r"motion\.missing"):
            read_motion(path)


def test_endless_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(motion_file, "MAX_FILE_BYTES", 10)
    (tmp_path / "large.npz").write_bytes(b"x" * 11)
    with pytest.raises(InputError, match="larger than any performance"):
        read_motion(Path(tmp_path / "large.npz"))


def test_the_poses_joints_are_in_order():
    motion = make_motion()
    np.testing.assert_array_equal(motion.pose[:, 2], motion.jaw_pose)
    np.testing.assert_array_equal(motion.pose[:, 4], motion.eyes_pose[:, 3:])
