"""The spellings of ARKit's names that other tools write."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.contract.arkit import ARKIT_NAMES, arkit_name, mirrored_name


def live_link(name: str) -> str:
    return name[0].upper() + name[1:]


def ifacialmocap(name: str) -> str:
    if re.search(r"[a-z](Left|Right)$", name) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return re.sub(r"(L)eft$|(R)ight$", lambda m: f"_{m[1] or m[2]}", name)
    return name


def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def test_there_are_52_in_alphabetical_order():
    assert len(ARKIT_NAMES) == 52 and list(ARKIT_NAMES) == sorted(set(ARKIT_NAMES))


@pytest.mark.parametrize("spell", [str, live_link, ifacialmocap, snake, str.lower, str.upper, " {} ".format])
def test_every_name_is_known_in_every_spelling(spell):
    assert [arkit_name(spell(name)) for name in ARKIT_NAMES] == list(ARKIT_NAMES)


def test_apps_spellings_as_they_stand_in_their_files():
    assert arkit_name("mouthSmile_L") == "mouthSmileLeft" and arkit_name("browDown_R") == "browDownRight"
    assert arkit_name("EyeLookInLeft") == "eyeLookInLeft" and arkit_name("brow_down_left") == "browDownLeft"


@pytest.mark.parametrize("text", ["", "_neutral", "Left", "mouth", "mouthSmile", "HeadYaw", "mouthSmileLeftish", "L"])
def test_other_words_are_none(text):
    assert arkit_name(text) is None


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_name_or_none(text):
    assert arkit_name(text) in (None, *ARKIT_NAMES)


def test_the_mirror_exchanges_sides_alone():
    assert mirrored_name("eyeLookInLeft") == "eyeLookInRight" and mirrored_name("jawRight") == "jawLeft"
    assert all(mirrored_name(mirrored_name(name)) == name for name in ARKIT_NAMES)
    without = [name for name in ARKIT_NAMES if mirrored_name(name) == name]
    assert without == [name for name in ARKIT_NAMES if "Left" not in name and "Right" not in name]
