"""Work beside other work: its result, and its error where the result is asked for."""

from __future__ import annotations

import threading

import pytest

from likeness.geometry.threads import in_background


def test_the_caller_goes_on_and_gets_the_result_later():
    go = threading.Event()
    result = in_background(lambda: go.wait(10) and threading.current_thread().name)
    go.set()
    assert result() == result() == "likeness-background"


def test_an_error_is_raised_where_the_result_is_asked_for():
    def fail() -> None:
        raise KeyError("missing")

    result = in_background(fail)
    with pytest.raises(KeyError, match="missing"):
        result()
