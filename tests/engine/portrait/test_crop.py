"""Squares cut from pictures."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.portrait.crop import resample_square, valid_square

PICTURE = np.random.default_rng(1).integers(0, 255, (23, 31, 3), np.uint8)


@settings(deadline=None)
@given(left=st.integers(-60, 60), top=st.integers(-60, 60), side=st.integers(1, 50))
def test_full_size_square_is_the_picture_with_its_border_repeated(left: int, top: int, side: int) -> None:
    piece = resample_square(PICTURE, (left, top, side), side)
    rows = np.clip(np.arange(top, top + side), 0, 22)
    columns = np.clip(np.arange(left, left + side), 0, 30)
    np.testing.assert_array_equal(piece, PICTURE[rows][:, columns])


@settings(deadline=None)
@given(left=st.integers(-60, 60), top=st.integers(-60, 60), side=st.integers(1, 50))
def test_valid_marks_exactly_the_picture(left: int, top: int, side: int) -> None:
    valid = valid_square((23, 31), (left, top, side), side)
    y, x = np.mgrid[top : top + side, left : left + side]
    np.testing.assert_array_equal(valid, (y >= 0) & (y < 23) & (x >= 0) & (x < 31))


def test_reduction_averages() -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    small = resample_square(checks.astype(np.uint8), (0, 0, 64), 16)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_float_channel_keeps_its_values() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    small = resample_square(ramp, (0, 0, 64), 32)
    np.testing.assert_allclose(small[16, 2:-2], ramp.reshape(64, 32, 2).mean(2)[16, 2:-2], atol=1e-3)
