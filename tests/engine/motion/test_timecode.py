"""Timecodes to seconds: every rate, drop-frame, midnight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.motion import timecode


def drop_frame(number: int, rate: int) -> str:
    """Return the drop-frame timecode of a frame counted from midnight (SMPTE 12M, as Heidelberger's formula has it)."""
    dropped = rate // 15
    per_minute, per_ten = rate * 60 - dropped, rate * 600 - 9 * dropped
    tens, rest = divmod(number, per_ten)
    number += 9 * dropped * tens + (dropped * ((rest - dropped) // per_minute) if rest > dropped else 0)
    seconds, frames = divmod(number, rate)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def read(texts: list[str]) -> tuple[np.ndarray, timecode.Clock]:
    parsed = [timecode.parse(text) for text in texts]
    seconds, frames = np.array([p[0] for p in parsed], float), np.array([p[1] for p in parsed], float)
    clock = timecode.find_clock(seconds, frames, any(p[2] for p in parsed))
    return timecode.to_seconds(seconds, frames, clock), clock


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 50, 60, 120])
@pytest.mark.parametrize("first", [0.0, 0.5, 36010.25])
def test_the_rate_is_worked_out_from_the_timecodes(rate, first):
    numbers = np.arange(round(first * rate), round(first * rate) + 3 * rate)
    texts = [f"{n // rate // 3600:02d}:{n // rate // 60 % 60:02d}:{n // rate % 60:02d}:{n % rate:02d}" for n in numbers]
    when, clock = read(texts)
    assert clock == timecode.Clock(rate, False)
    np.testing.assert_allclose(when, numbers / rate, atol=1e-9)


def test_the_worked_example():
    when, clock = read(["19:16:29:35.273", "19:16:29:36.275", "19:16:30:01.313"])
    assert clock.rate == 60
    assert when[0] == pytest.approx(19 * 3600 + 16 * 60 + 29 + 35.273 / 60)


def test_thirty_frames_under_a_sixty_frames_timecode():
    texts = [f"10:00:{second:02d}:{frame:02d}.500" for second in range(3) for frame in range(0, 60, 2)]
    when, clock = read(texts)
    assert clock.rate == 60
    np.testing.assert_allclose(np.diff(when), 1 / 30)


def test_a_take_within_a_second_has_the_usual_rate():
    assert read(["00:00:01:03.000", "00:00:01:04.000"])[1].rate == 60
    assert read(["00:00:01:03.000", "00:00:01:99.000"])[1].rate == 100


def test_damaged_rows_do_not_make_the_rate_a_higher_one():
    texts = [f"00:00:{second:02d}:{frame:02d}" for second in range(5) for frame in range(60)]
    assert read([*texts, "00:00:05:98", "00:00:05:999"])[1].rate == 60


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("minute", [0, 1, 9, 59, 600])
def test_drop_frame_keeps_pace_with_the_clock(rate, minute):
    first = int(minute * 60 * rate * 1000 / 1001) - rate
    numbers = np.arange(max(first, 0), first + 62 * rate)
    when, clock = read([drop_frame(n, rate) for n in numbers])
    assert clock.drop_frame and clock.fps == pytest.approx(rate * 1000 / 1001)
    np.testing.assert_allclose(when, numbers * 1001 / (rate * 1000), atol=1e-6)


def test_a_semicolon_marks_drop_frame():
    assert read(["00:00:01;27", "00:00:01;28", "00:00:01;29", "00:00:02;00"])[1].drop_frame


def test_a_minute_that_begins_with_all_its_numbers_is_no_drop_frame():
    texts = [f"00:0{minute}:{second:02d}:{n:02d}" for minute, second in ((0, 59), (1, 0)) for n in range(60)]
    assert not read(texts)[1].drop_frame


def test_a_take_over_midnight_goes_on():
    when, _ = read(["23:59:59:58.000", "23:59:59:59.000", "00:00:00:00.000", "00:00:00:01.000"])
    np.testing.assert_allclose(np.diff(when), 1 / 60, atol=1e-9)


@pytest.mark.parametrize("text", ["", "1", "10:00:00", "24:00:00:00", "10:60:00:00", "10:00:60:00", "1:2:3:-4"])
def test_other_text_is_no_timecode(text):
    assert timecode.parse(text) is None


@settings(deadline=None)
@given(st.text())
def test_any_text_is_parsed_or_none(text):
    parsed = timecode.parse(text)
    assert parsed is None or 0 <= parsed[0] < timecode.DAY


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, timecode.DAY - 1), st.floats(0, 130)), min_size=1, max_size=30), st.booleans())
def test_any_rows_have_finite_times(rows, marked):
    seconds, frames = np.array(rows, float).T
    clock = timecode.find_clock(seconds, frames, marked)
    assert np.isfinite(timecode.to_seconds(seconds, frames, clock)).all()
