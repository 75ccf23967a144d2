"""FLAME sequences as VHAP and GaussianAvatars write them, and Likeness's own motion files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from takes import controls_motion

from likeness.contract.errors import InputError
from likeness.contract.motion import check_motion, motion_to_bytes, write_motion
from likeness.motion.flame_sequence import read_flame_sequence

T, E = 5, 100


def vhap(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {"expr": rng.normal(size=(T, E)), "rotation": rng.normal(size=(T, 3)), "neck_pose": np.zeros((T, 3)),
              "jaw_pose": rng.uniform(0, 0.3, (T, 3)), "eyes_pose": np.zeros((T, 6)),
              "translation": rng.normal(size=(T, 3)) * 0.1, "shape": np.zeros(300),
              "static_offset": np.zeros((1, 5143, 3)), "timestep_id": np.array(["000", "001", "002", "003", "004"]),
              "focal_length": np.ones(1)}  # fmt: skip
    return {name: array for name, array in (arrays | changes).items() if array is not None}


def save(path, arrays):
    np.savez(path, **arrays)
    return path


def refused(path, code):
    with pytest.raises(InputError) as caught:
        read_flame_sequence(path)
    assert caught.value.code == code and path.name in caught.value.message and "\n" not in str(caught.value)


def test_a_sequence_comes_back_as_it_is(tmp_path):
    arrays = vhap()
    reading = read_flame_sequence(save(tmp_path / "tracked_flame_params_30.npz", arrays))
    check_motion(reading.motion)
    for name in ("expr", "rotation", "jaw_pose", "eyes_pose", "translation"):
        np.testing.assert_array_equal(getattr(reading.motion, name), arrays[name].astype(np.float32))
    assert reading.motion.expr_names[:2] == ("expr000", "expr001") and reading.motion.head_model_hash == ""
    assert reading.holds == ("100 FLAME coefficients", "head", "jaw", "position")
    assert any("shape and static_offset" in note for note in reading.notes)
    assert any("taken as 25 frames a second" in note for note in reading.notes)


def test_the_rate_may_be_named_or_stand_in_the_file(tmp_path):
    path = save(tmp_path / "a.npz", vhap())
    assert read_flame_sequence(path, 30.0).motion.times[1] == pytest.approx(1 / 30)
    assert read_flame_sequence(save(path, vhap(fps=np.float64(50)))).motion.fps == 50
    for wrong in (0.0, 1e-300, 1e9, np.nan):
        assert read_flame_sequence(save(path, vhap(fps=np.float64(wrong)))).motion.fps == 25


def test_a_folder_of_frames_is_the_sequence(tmp_path):
    arrays, folder = vhap(), tmp_path / "flame_param"
    folder.mkdir()
    for frame in range(T):
        rows = {name: array[frame : frame + 1] for name, array in arrays.items() if len(array) == T}
        save(folder / f"{frame:05d}.npz", rows | {"shape": arrays["shape"]})
    whole = read_flame_sequence(save(tmp_path / "a.npz", arrays)).motion
    stacked = read_flame_sequence(folder).motion
    for name in ("times", "expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation"):
        np.testing.assert_array_equal(getattr(stacked, name), getattr(whole, name))


def test_missing_arrays_stay_at_rest_and_are_told(tmp_path):
    reading = read_flame_sequence(save(tmp_path / "a.npz", vhap(eyes_pose=None, translation=None)))
    assert not reading.motion.eyes_pose.any()
    assert any("eyes_pose and translation" in note for note in reading.notes)


def test_a_motion_file_keeps_its_times_and_model(tmp_path):
    motion = controls_motion(np.random.default_rng(0).uniform(0, 1, (4, 52)), np.array([0.0, 0.1, 0.15, 1]))
    write_motion(tmp_path / "take.npz", motion)
    reading = read_flame_sequence(tmp_path / "take.npz")
    np.testing.assert_array_equal(reading.motion.times, motion.times)
    assert reading.kind == "Likeness motion" and reading.holds == ("52 controls",)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expr": None}, "motion.unreadable"),
        ({"expr": np.zeros(T)}, "motion.unreadable"),
        ({"expr": np.zeros((T, 4000))}, "motion.unreadable"),
        ({"expr": np.zeros((0, E))}, "motion.empty"),
        ({"expr": np.full((T, E), np.nan)}, "motion.unreadable"),
        ({"expr": np.full((T, E), 1e9)}, "motion.unreadable"),
        ({"rotation": np.zeros((T + 1, 3))}, "motion.unreadable"),
        ({"eyes_pose": np.zeros((T, 3))}, "motion.unreadable"),
        ({"expr": np.array([["a"] * 3] * T)}, "motion.unreadable"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, changes, code):
    refused(save(tmp_path / "a.npz", vhap(**changes)), code)


def test_pickles_are_never_loaded(tmp_path):
    refused(save(tmp_path / "a.npz", vhap(expr=np.array([{"a": 1}], object))), "motion.unreadable")


def test_folders_that_hold_no_sequence_are_one_line(tmp_path):
    refused(tmp_path, "motion.empty")
    for frame, size in enumerate((100, 50)):
        save(tmp_path / f"{frame}.npz", {"expr": np.zeros((1, size))})
    refused(tmp_path, "motion.unreadable")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused_in_one_line(tmp_path_factory, draw):
    stream = io.BytesIO()
    np.savez(stream, **{name: array for name, array in vhap(static_offset=None).items() if name != "timestep_id"})
    own = motion_to_bytes(controls_motion(np.zeros((3, 52))))
    broken = bytearray(draw.draw(st.sampled_from([stream.getvalue(), own])))
    for _ in range(draw.draw(st.integers(1, 5))):
        broken[draw.draw(st.integers(0, len(broken) - 1))] = draw.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(broken[: draw.draw(st.integers(0, len(broken)))])
    try:
        check_motion(read_flame_sequence(path).motion)
    except InputError as error:
        assert error.code.startswith("motion.") and "\n" not in str(error)
