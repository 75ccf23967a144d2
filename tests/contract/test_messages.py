"""The closed set: every message once, frozen, of types that the codec carries, answers with their request's id."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing

import numpy as np
import pytest

from likeness.contract import messages
from likeness.contract.messages import MESSAGES

CARRIED = {bool, int, float, str, bytes, np.ndarray, type(None)}


def carried(hint) -> bool:
    if isinstance(hint, types.UnionType):
        return all(carried(option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        item, rest = typing.get_args(hint)
        return rest is ... and carried(item)
    return hint in CARRIED


def test_the_set_holds_every_message_of_the_module():
    defined = [cls for _, cls in inspect.getmembers(messages, dataclasses.is_dataclass)]
    assert set(defined) == set(MESSAGES) and len(MESSAGES) == len(defined)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_is_frozen_explained_and_of_types_that_are_carried(kind):
    assert kind.__dataclass_params__.frozen and kind.__doc__
    assert all(carried(hint) for hint in typing.get_type_hints(kind).values())
    names = [field.name for field in dataclasses.fields(kind)]
    assert "id" not in names or names[0] == "id"


def test_hello_and_welcome_stay_as_every_version_knows_them():
    described = [[(field.name, field.type) for field in dataclasses.fields(kind)] for kind in MESSAGES[:2]]
    assert [kind.__name__ for kind in MESSAGES[:2]] == ["Hello", "Welcome"]
    assert described == [
        [("protocol", "int"), ("software", "str")],
        [("protocol", "int"), ("software", "str"), ("python", "str")],
    ]
