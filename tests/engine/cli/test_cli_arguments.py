from __future__ import annotations

import argparse
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.cli import arguments


@given(st.dictionaries(st.from_regex(r"[a-zA-Z]{1,12}", fullmatch=True), st.floats(-5, 5), min_size=1))
def test_controls_come_back(values):
    text = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    assert arguments.controls(text) == values


@pytest.mark.parametrize("text", ["", "jawOpen", "jawOpen=", "=1", "jawOpen=x", "jawOpen=nan", "a=1,a=2", "a=1,"])
def test_wrong_controls_are_explained(text):
    with pytest.raises(argparse.ArgumentTypeError):
        arguments.controls(text)


def test_cameras():
    assert arguments.camera("portrait") is None
    assert arguments.camera("-30,12.5") == (-30.0, 12.5)
    for text in ("", "front", "30", "1,2,3", "0,91", "400,0", "inf,0"):
        with pytest.raises(argparse.ArgumentTypeError):
            arguments.camera(text)


def test_sizes():
    assert arguments.size("640x480") == (640, 480)
    for text in ("640", "640x", "0x10", "640x480x3", "99999x99999", "-1x5", "1e3x100"):
        with pytest.raises(argparse.ArgumentTypeError):
            arguments.size(text)


def test_backgrounds():
    assert arguments.background("#ff8000") == (255, 128, 0)
    assert arguments.background("transparent") == "transparent"
    assert arguments.background("beach.jpg") == Path("beach.jpg")
    for text in ("#fff", "#gggggg", "#"):
        with pytest.raises(argparse.ArgumentTypeError):
            arguments.background(text)


@given(st.text(max_size=12))
def test_numbers_are_finite_or_refused(text):
    try:
        assert math.isfinite(arguments.number(text))
    except argparse.ArgumentTypeError as error:
        assert "not a number" in str(error)


def test_counts():
    assert arguments.count("12") == 12 and arguments.seed("0") == 0
    for parse, text in ((arguments.count, "0"), (arguments.count, "1.5"), (arguments.seed, "-1"), (arguments.seed, "")):
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)
