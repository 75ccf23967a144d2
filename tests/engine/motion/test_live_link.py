"""Live Link Face's CSV: exact values, every way in which takes are damaged, and which way heads turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from takes import APP_NAMES, HEADER, k, some_values, take, timecodes

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError
from likeness.contract.motion import check_motion
from likeness.motion import live_link, live_link_table
from likeness.motion.live_link import read_live_link, rotvec


def read(data: bytes) -> live_link.Reading:
    reading = read_live_link(data, "take.csv")
    check_motion(reading.motion)
    return reading


def refused(data: bytes, code: str) -> str:
    with pytest.raises(InputError) as caught:
        read_live_link(data, "take.csv")
    assert caught.value.code == code and "take.csv" in caught.value.message and "\n" not in str(caught.value)
    return caught.value.message


def told(reading: live_link.Reading, words: str) -> bool:
    return any(words in note for note in reading.notes)


def test_the_values_are_the_files():
    values = some_values(40)
    reading = read(take(values))
    np.testing.assert_allclose(reading.motion.expr, values[:, :52], atol=1e-7)
    assert reading.motion.expr_names == ARKIT_NAMES and reading.motion.fps == 60
    np.testing.assert_allclose(reading.motion.times, np.arange(40) / 60, atol=1e-6)
    assert reading.motion.observed.all() and reading.holds == ("52 controls", "head", "eyes")


def test_columns_in_another_order_and_the_old_header_mean_the_same():
    values, shuffled = some_values(), np.random.default_rng(3).permutation(61)
    header = ["Timecode", "BlendshapeCount", *np.array(HEADER[2:])[shuffled]]
    mixed = read(take(values[:, shuffled], header=header))
    np.testing.assert_array_equal(mixed.motion.expr, read(take(values)).motion.expr)
    np.testing.assert_array_equal(mixed.motion.neck_pose, read(take(values)).motion.neck_pose)


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\n\n"),
        lambda text: text.decode().encode("utf-16"),
        lambda text: text.replace(b",", b"\t"),
        lambda text: text.replace(b"BlendShapeCount", b"blendshapecount"),
        lambda text: b"\n".join(b",".join(b'"%s"' % cell for cell in line.split(b",")) for line in text.split(b"\n")),
    ],
    ids=["BOM", "CRLF", "empty lines", "UTF-16", "tabs", "case", "quotes"],
)
def test_dress_does_not_matter(dress):
    values = some_values()
    np.testing.assert_array_equal(read(dress(take(values))).motion.expr, read(take(values)).motion.expr)


def test_semicolons_come_with_decimal_commas():
    values = some_values()
    reading = read(take(values, separator=";"))
    np.testing.assert_allclose(reading.motion.expr, values[:, :52], atol=1e-7)
    np.testing.assert_allclose(reading.motion.times, np.arange(8) / 60, atol=1e-6)


@pytest.mark.parametrize(
    ("angles", "turned"),
    [
        ((0.3, 0, 0), (0, -0.3, 0)),  # yaw: towards the subject's right
        ((0, 0.3, 0), (0.3, 0, 0)),  # pitch: down
        ((0, 0, 0.3), (0, 0, -0.3)),  # roll: to the subject's left
    ],
)
def test_heads_turn_the_documented_way(angles, turned):
    values = np.zeros((2, 61))
    values[:, 52:55] = angles
    np.testing.assert_allclose(read(take(values)).motion.neck_pose[0], turned, atol=1e-6)


def test_the_face_points_where_yaw_and_pitch_say():
    # Looking down by 0.2 after turning to the right by 0.5: the nose's direction, by hand.
    turn = live_link.Rotation.from_rotvec(rotvec(np.array([[0.5, 0.2, 0.7]])))[0].as_matrix()
    nose = [-np.sin(0.5) * np.cos(0.2), -np.sin(0.2), np.cos(0.5) * np.cos(0.2)]
    np.testing.assert_allclose(turn @ [0, 0, 1], nose, atol=1e-12)


def test_real_takes_show_the_sense_of_the_eyes_angles(shared_data):
    for path in sorted((shared_data / "arkit").glob("*.csv")):
        table = live_link_table.read_table(path.read_bytes(), path.name)
        for side, first in (("Left", 55), ("Right", 58)):
            turned = rotvec(table.values[:, first : first + 3])
            column = {way: table.values[:, k(f"eyeLook{way}{side}")] for way in ("In", "Out", "Up", "Down")}
            sideways = (column["Out"] - column["In"]) * (1 if side == "Left" else -1)
            assert np.corrcoef(turned[:, 0], column["Down"] - column["Up"])[0, 1] > 0.9
            # A gaze that never moves says nothing.
            assert np.std(sideways) < 0.02 or np.corrcoef(turned[:, 1], sideways)[0, 1] > 0.9


def test_real_takes_are_read_whole(shared_data):
    paths = sorted((shared_data / "arkit").glob("*.csv"))
    assert len(paths) == 4
    for path in paths:
        reading = read(path.read_bytes())
        lines = path.read_text().splitlines()
        assert reading.motion.fps == 60 and len(reading.motion.times) == len(lines) - 1
        row = dict(zip(lines[0].split(","), lines[101].split(","), strict=True))
        expected = [float(row[name]) for name in APP_NAMES]
        np.testing.assert_allclose(reading.motion.expr[100], expected, atol=1e-6)
        assert np.diff(reading.motion.times).min() > 0.0166 and np.diff(reading.motion.times).max() < 0.0168


def test_the_gaze_is_taken_from_one_place_only():
    both = read(take(some_values()))
    assert not both.motion.eyes_pose.any() and told(both, "angles say the same")
    values = some_values()
    values[:, live_link.LOOKS] = 0
    angles = read(take(values))
    np.testing.assert_allclose(angles.motion.eyes_pose[:, 3:], rotvec(values[:, 58:]), atol=1e-6)
    assert told(angles, "taken from the eyes' angles")


def test_missing_columns_are_listed_and_stay_zero():
    header = [name for name in HEADER if name not in ("JawOpen", "HeadYaw")]
    kept = [index for index, name in enumerate(HEADER[2:]) if name not in ("JawOpen", "HeadYaw")]
    reading = read(take(some_values()[:, kept], header=header))
    assert not reading.motion.expr[:, k("jawOpen")].any() and told(reading, "stay at zero: jawOpen.")
    assert reading.holds[0] == "51 controls"


def test_extra_columns_are_listed():
    values = np.concatenate([some_values(), np.ones((8, 2))], 1)
    reading = read(take(values, header=[*HEADER, "Mood", "Heart\x1b[31mbeat"]))
    assert told(reading, "left out: Mood and Heart?[31mbeat.")
    np.testing.assert_allclose(reading.motion.expr, values[:, :52], atol=1e-7)


def test_empty_and_wrong_cells_are_filled_from_their_neighbours():
    values = np.linspace(0, 1, 11)[:, None] * np.ones(61)
    lines = take(values).decode().splitlines()
    for row, cell in ((3, ""), (4, "NaN"), (5, "oops"), (6, "inf"), (7, "1e39")):
        cells = lines[row].split(",")
        cells[2 + k("jawOpen")] = cell
        lines[row] = ",".join(cells)
    reading = read("\n".join(lines).encode())
    np.testing.assert_allclose(reading.motion.expr[:, k("jawOpen")], values[:, 0], atol=1e-6)
    assert told(reading, "5 empty cells") and reading.motion.observed.all()


def test_frames_without_a_face_are_gaps_that_are_filled_and_told():
    values = np.linspace(0, 1, 11)[:, None] * np.ones(61)
    lines = take(values).decode().splitlines()
    lines[5] = lines[5].split(",")[0] + ",0"
    lines[6] = lines[6].split(",")[0] + ",0" + ",0.0" * 61
    reading = read("\n".join(lines).encode())
    np.testing.assert_allclose(reading.motion.expr[:, 0], values[:, 0], atol=1e-6)
    assert reading.motion.observed.tolist() == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1] and told(reading, "2 of 11 frames")


def test_rows_out_of_order_are_sorted_and_repeated_ones_dropped():
    values, when = some_values(6), timecodes(6)
    order = [0, 2, 1, 3, 3, 4, 5]
    reading = read(take(values[order], [when[n] for n in order]))
    np.testing.assert_allclose(reading.motion.expr, values[:, :52], atol=1e-7)
    assert told(reading, "jumps back: 1.") and told(reading, "another row has were left out: 1.")


def test_dropped_frames_leave_gaps_in_the_times():
    kept = [0, 1, 2, 3, 8, 9, 10, 30, 31, 32]
    when = timecodes(40, first=59.9)
    reading = read(take(some_values(10), [when[n] for n in kept]))
    np.testing.assert_allclose(reading.motion.times, np.array(kept) / 60, atol=1e-5)
    assert told(reading, "23 frames were dropped by the phone, at 2 places")


def test_rows_without_a_timecode_are_left_out():
    lines = take(some_values()).decode().splitlines()
    lines[4] = "later" + lines[4][11:]
    reading = read("\n".join(lines).encode())
    assert len(reading.motion.times) == 7 and told(reading, "without a sensible timecode were left out: 1.")


def test_a_frame_number_that_cannot_be_is_left_out_and_changes_no_other_time():
    when = timecodes(240)
    when[50] = when[50][:9] + "999.0"
    reading = read(take(some_values(240), when))
    np.testing.assert_allclose(reading.motion.times, np.delete(np.arange(240) / 60, 50), atol=1e-5)
    assert reading.motion.fps == 60 and told(reading, "sensible timecode were left out: 1.")


def test_a_drop_frame_takes_rate_is_the_true_one():
    when = [f"00:00:{n // 30:02d};{n % 30:02d}" for n in range(90)]
    assert read(take(some_values(90), when)).motion.fps == pytest.approx(30000 / 1001)


def test_a_take_of_one_frame():
    reading = read(take(some_values(1)))
    assert reading.motion.times.tolist() == [0.0] and reading.motion.fps == 60


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "motion.empty"),
        (b"\n\n", "motion.empty"),
        (take(np.zeros((0, 61))), "motion.empty"),
        (take(some_values()).replace(b":", b"."), "motion.empty"),
        (take(np.full((3, 61), np.nan)), "motion.empty"),
        (b"a,b\n1,2\n", "motion.unreadable"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "motion.unreadable"),
        (b"Timecode,BlendShapeCount,Mood\n00:00:00:00.000,1,0.5\n", "motion.no_controls"),
        (b"Timecode," + b"x," * 2000 + b"\n", "motion.unreadable"),
        (take(some_values(), [f"00:00:00:{n * 1e-4:.4f}" for n in range(8)]), "motion.unreadable"),
    ],
)
def test_what_is_no_take_is_one_line(data, code):
    refused(data, code)


def test_endless_takes_are_refused_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(live_link_table, "MAX_FRAMES", 7)
    refused(take(some_values(8)), "motion.too_large")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_takes_are_read_or_refused_in_one_line(draw):
    broken = bytearray(take(some_values(4), separator=draw.draw(st.sampled_from(",;\t"))))
    for _ in range(draw.draw(st.integers(0, 6))):
        begin = draw.draw(st.integers(0, len(broken) - 1))
        broken[begin : begin + draw.draw(st.integers(0, 40))] = draw.draw(st.binary(max_size=6) | st.just(b'\n,:"9'))
        broken = broken or bytearray(b"x")
    try:
        check_motion(read_live_link(bytes(broken), "take.csv").motion)
    except InputError as error:
        assert error.code.startswith("motion.") and "\n" not in str(error)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_one_line(noise):
    with pytest.raises(InputError):
        read_live_link(b"Timecode,JawOpen\n" + noise.replace(b":", b""), "take.csv")
