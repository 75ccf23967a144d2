"""ARKit as JSON: every layout that is documented, and everything else in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from takes import k

from likeness.contract.errors import InputError
from likeness.contract.motion import check_motion
from likeness.motion import arkit_json
from likeness.motion.arkit_json import read_arkit_json

JAW, BROW = [0.0, 0.25, 0.5], [0.5, 0.5, 0.25]
TIMES = [0.0, 0.04, 0.1]
PAIRS = list(zip(JAW, BROW, strict=True))
SHAPES = [{"jawOpen": j, "browInnerUp": b} for j, b in PAIRS]
SCORES = [[{"categoryName": name, "score": v} for name, v in {"_neutral": 1e-6, **shapes}.items()] for shapes in SHAPES]
LAYOUTS = {
    "Audio2Face": {"exportFps": 60, "trackPath": "a.wav", "numPoses": 2, "numFrames": 3,
                   "facsNames": ["jawOpen", "browInnerUp"], "weightMat": PAIRS},
    "phone": [{"time": t, "blendShapes": shapes} for t, shapes in zip(TIMES, SHAPES, strict=True)],
    "MediaPipe": {"fps": 60, "frames": [{"blendshapes": scores} for scores in SCORES]},
    "names": {"fps": 60, "names": ["JawOpen", "BrowInnerUp"], "frames": [{"weights": pair} for pair in PAIRS]},
    "bare lists": {"fps": 60, "blendShapeNames": ["JawOpen", "BrowInnerUp"], "frames": PAIRS},
    "columns": {"fps": 60, "jawOpen": JAW, "browInnerUp": BROW},
    "timed columns": {"time": TIMES, "jawOpen": JAW, "browInnerUp": BROW},
    "beside the time": [{"t": t, "jaw_open": j, "brow_inner_up": b} for t, (j, b) in zip(TIMES, PAIRS, strict=True)],
    "keyframes": {"keyframes": [{"time": t, "shapes": shapes} for t, shapes in zip(TIMES, SHAPES, strict=True)]},
}  # fmt: skip


def read(content: object, fps: float | None = None) -> arkit_json.Reading:
    reading = read_arkit_json(json.dumps(content).encode(), "take.json", fps)
    check_motion(reading.motion)
    return reading


def refused(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_arkit_json(data, "take.json")
    assert caught.value.code == code and "take.json" in caught.value.message and "\n" not in str(caught.value)


def told(reading: arkit_json.Reading, words: str) -> bool:
    return any(words in note for note in reading.notes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_says_the_same(layout):
    reading = read(LAYOUTS[layout])
    np.testing.assert_allclose(reading.motion.expr[:, k("jawOpen")], JAW, atol=1e-7)
    np.testing.assert_allclose(reading.motion.expr[:, k("browInnerUp")], BROW, atol=1e-7)
    assert not np.delete(reading.motion.expr, [k("jawOpen"), k("browInnerUp")], 1).any()
    timed = layout in ("phone", "timed columns", "beside the time", "keyframes")
    np.testing.assert_allclose(reading.motion.times, TIMES if timed else np.arange(3) / 60, atol=1e-9)
    assert reading.holds == ("2 controls",) and told(reading, "stay at zero: browDownLeft")


@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
def test_the_times_unit_shows_in_their_steps(scale):
    frames = [{"timestamp": 1.7e9 * scale + t * scale, "blendShapes": {"jawOpen": 0.1}} for t in TIMES]
    reading = read(frames)
    np.testing.assert_allclose(reading.motion.times, TIMES, atol=1e-6)
    assert reading.motion.fps == pytest.approx(1 / 0.05, rel=0.01)


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_times_in_whole_milliseconds_have_a_usual_rate(fps):
    frames = [{"timestamp": round(1000 * n / fps), "jawOpen": 0.1} for n in range(90)]
    assert read(frames).motion.fps == fps


def test_a_frame_without_a_time_is_left_out_and_told():
    reading = read([{"time": 0.0, "jawOpen": 0.1}, {"jawOpen": 0.9}, {"time": 0.1, "jawOpen": 0.3}])
    np.testing.assert_allclose(reading.motion.times, [0, 0.1])
    assert told(reading, "1 frames without a time") and not told(reading, "neither times nor rate")


def test_without_times_and_rate_the_named_rate_counts():
    frames = [{"jawOpen": 0.1}] * 3
    assert read(frames, 50.0).motion.times[1] == pytest.approx(1 / 50) and not told(read(frames, 50.0), "rate")
    assert told(read(frames), "taken as 30 frames a second")


def test_numbers_that_cannot_be_are_filled_like_missing_ones():
    reading = read({"fps": 60, "jawOpen": [0.2, 1e20, 0.4], "browInnerUp": [0.0, 0.0, 0.0]})
    np.testing.assert_allclose(reading.motion.expr[:, k("jawOpen")], [0.2, 0.3, 0.4])


@pytest.mark.parametrize("rate", [0, -30, 1e-300, 1e9, "30", None])
def test_a_rate_that_cannot_be_is_none(rate):
    assert told(read({"fps": rate, "jawOpen": [0.1, 0.2]}), "neither times nor rate")


def test_frames_hours_apart_have_some_rate():
    assert read([{"time": t, "jawOpen": 0.1} for t in (0, 1e25)]).motion.fps > 0


def test_percents_are_told():
    reading = read({"fps": 60, "jawOpen": [0, 50, 100]})
    np.testing.assert_allclose(reading.motion.expr[:, k("jawOpen")], [0, 0.5, 1])
    assert told(reading, "divided by 100")


def test_names_that_are_none_of_arkits_are_listed():
    reading = read([{"time": t, "headYaw": 0.1, "jawOpen": 0.2, "_neutral": 1} for t in TIMES])
    assert told(reading, "left out: headYaw.")


def test_frames_out_of_order_are_sorted_and_gaps_filled():
    frames = [{"time": t, "blendShapes": {"jawOpen": v}} for t, v in ((0.2, 1.0), (0, 0.0), (0.1, None), (0.1, 0.7))]
    reading = read(frames)
    np.testing.assert_allclose(reading.motion.times, [0, 0.1, 0.2])
    np.testing.assert_allclose(reading.motion.expr[:, k("jawOpen")], [0, 0.5, 1])
    assert reading.motion.observed.tolist() == [1, 0, 1] and told(reading, "sorted") and told(reading, "1 frames")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "motion.empty"),
        (b"[]", "motion.empty"),
        (b'{"fps": 30, "frames": []}', "motion.empty"),
        (b"not json", "motion.unreadable"),
        (b"[" * 100000, "motion.unreadable"),
        (b"\xff\xfe\x00", "motion.unreadable"),
        (b"7", "motion.no_controls"),
        (b'{"a": 1}', "motion.no_controls"),
        (b'{"a": [1, 2]}', "motion.no_controls"),
        (b'[{"time": 0, "mood": 1}]', "motion.no_controls"),
        (b'[{"time": 0, "jawOpen": 1e999}]', "motion.no_controls"),
        (b'[{"time": 0, "jawOpen": true}]', "motion.no_controls"),
        (b"[[0.1, 0.2]]", "motion.no_controls"),
        (b'{"facsNames": ["jawOpen"], "weightMat": 3}', "motion.no_controls"),
    ],
)
def test_what_is_no_performance_is_one_line(data, code):
    refused(data, code)


def test_endless_files_are_refused(monkeypatch):
    monkeypatch.setattr(arkit_json, "MAX_FRAMES", 2)
    for layout in LAYOUTS.values():
        refused(json.dumps(layout).encode(), "motion.too_large")


PIECES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["time", "fps", "frames", "blendShapes", "names", "weights", "jawOpen", "name",
                                       "value", "weightMat", "facsNames"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_any_json_is_read_or_refused_in_one_line(content):
    try:
        check_motion(read_arkit_json(json.dumps(content).encode(), "take.json").motion)
    except InputError as error:
        assert error.code.startswith("motion.") and "\n" not in str(error)


@settings(deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), st.data())
def test_damaged_files_are_read_or_refused_in_one_line(layout, draw):
    broken = bytearray(json.dumps(LAYOUTS[layout]).encode())
    for _ in range(draw.draw(st.integers(1, 4))):
        begin = draw.draw(st.integers(0, len(broken) - 1))
        broken[begin : begin + draw.draw(st.integers(0, 9))] = draw.draw(st.binary(max_size=3) | st.just(b"1e9"))
        broken = broken or bytearray(b"x")
    try:
        check_motion(read_arkit_json(bytes(broken), "take.json").motion)
    except InputError as error:
        assert error.code.startswith("motion.") and "\n" not in str(error)
