"""Sentences in narrow panels: no line is wider than the panel, and nothing is lost."""

from __future__ import annotations

from unittest.mock import MagicMock

import bpy
from addon.panels import text
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.lists(st.text("abcdefgWi/.-", min_size=1, max_size=60), max_size=12)


def width_of(line: str) -> float:
    text.blf.size(text.FONT, text.FONT_SIZE)
    return text.blf.dimensions(text.FONT, line)[0]


@given(WORDS, st.floats(20, 600))
def test_no_line_is_too_wide_and_every_letter_is_there(words, width):
    lines = text.wrapped(" ".join(words), width)
    assert "".join(lines).replace(" ", "") == "".join(words)
    assert all(width_of(line) <= width for line in lines)


def test_words_stay_whole_where_they_fit():
    width = width_of("nothing is")
    assert 0 < width < width_of("nothing is broken")
    assert text.wrapped("nothing is broken", width) == ["nothing is", "broken"]


def test_a_line_of_one_letter_is_the_narrowest():
    assert text.wrapped("no", -10) == ["n", "o"]


def test_without_a_region_a_sentence_is_drawn_all_the_same():
    lines = text.draw_text(MagicMock(), bpy.context, "The engine is not running. " * 5, icon="ERROR")
    drawn = [call.kwargs for call in lines.label.call_args_list]
    assert len(drawn) > 1 and [each["icon"] for each in drawn[:2]] == ["ERROR", "BLANK1"]
    assert " ".join(each["text"] for each in drawn) == ("The engine is not running. " * 5).strip()
