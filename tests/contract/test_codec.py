"""Frames: every message there and back, and nothing but one readable error for whatever else arrives."""

from __future__ import annotations

import io
import json
import math
import os
import re
import threading
import tracemalloc
import types
import typing
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from likeness.contract import codec
from likeness.contract.codec import DTYPES, MAGIC, MAX_WHOLE_NUMBER, PRELUDE, encode, read_message, write_message
from likeness.contract.errors import LikenessError
from likeness.contract.messages import MESSAGES, AvatarCreated, Cancel, CreateAvatar, Hello, JobProgress, Ping

PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"


@dataclass(frozen=True)
class Picture:
    """What a render may come back as."""

    id: int
    color: np.ndarray
    depth: np.ndarray
    exact: bool


KNOWN = (*MESSAGES, Picture)
PLAIN = {
    bool: st.booleans(),
    int: st.integers(1 - MAX_WHOLE_NUMBER, MAX_WHOLE_NUMBER - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(), max_size=40),
    bytes: st.binary(max_size=300),
    type(None): st.none(),
    np.ndarray: hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)),
}


def values(hint):
    if isinstance(hint, types.UnionType):
        return st.one_of(*map(values, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return st.lists(values(typing.get_args(hint)[0]), max_size=4).map(tuple)
    return PLAIN[hint]


def instances(kind):
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(kind)})


MESSAGE = st.sampled_from(KNOWN).flatmap(instances)


def frame(message) -> bytes:
    return b"".join(encode(message, KNOWN))


def made(header: object, blocks: bytes = b"", *, announced: int | None = None) -> bytes:
    """Return a frame with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return PRELUDE.pack(MAGIC, len(text), len(blocks) if announced is None else announced) + text + blocks


def read_all(data: bytes) -> list[object]:
    stream, found = io.BytesIO(data), []
    while (message := read_message(stream, KNOWN)) is not None:
        found.append(message)
    return found


def same(one, other) -> bool:
    described = [
        [described_value(getattr(message, field.name)) for field in fields(message)] for message in (one, other)
    ]
    return type(one) is type(other) and described[0] == described[1]


def described_value(value):
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def error_of(data: bytes) -> LikenessError:
    with pytest.raises(LikenessError) as caught:
        read_all(data)
    assert caught.value.code.startswith("protocol.") and "\n" not in str(caught.value)
    assert caught.value.message.endswith(".") and caught.value.remedy.endswith(".")
    return caught.value


@given(st.lists(MESSAGE, max_size=3))
def test_every_message_comes_back_as_it_was(sent):
    stream = io.BytesIO()
    for message in sent:
        write_message(stream, message, KNOWN)
    received = read_all(stream.getvalue())
    assert len(received) == len(sent) and all(map(same, received, sent))


@given(st.binary(max_size=200))
def test_random_bytes_are_messages_or_one_error(data):
    try:
        assert data == b"" or read_all(data)
    except LikenessError as error:
        assert error.code.startswith("protocol.")


@given(MESSAGE, st.data())
def test_a_frame_with_changed_bytes_is_a_message_or_one_error(message, data):
    spoilt = bytearray(frame(message))
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert all(type(found) in KNOWN for found in read_all(bytes(spoilt)))
    except LikenessError as error:
        assert error.code.startswith("protocol.")


@given(MESSAGE, st.data())
def test_a_stream_that_ends_within_a_frame_is_told(message, data):
    whole = frame(message)
    cut = data.draw(st.integers(1, len(whole) - 1))
    assert error_of(frame(Ping(1)) + whole[:cut]).code == "protocol.truncated"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(KNOWN), st.data())
def test_fields_of_any_json_are_the_right_types_or_one_error(kind, data):
    hints = typing.get_type_hints(kind)
    named = {name: data.draw(json_values) for name, hint in hints.items() if hint not in (bytes, np.ndarray)}
    sizes = {name: data.draw(json_values) for name, hint in hints.items() if hint in (bytes, np.ndarray)}
    try:
        (message,) = read_all(made({"type": kind.__name__, "fields": named, "blocks": sizes}, bytes(8)))
    except LikenessError as error:
        assert error.code.startswith("protocol.")
    else:
        assert frame(message)


PROGRESS = {"id": 1, "stage": "fit", "fraction": 0.5}


@pytest.mark.parametrize(
    "plain",
    [
        PROGRESS | {"id": True},
        PROGRESS | {"id": 1.0},
        PROGRESS | {"id": 2**53},
        PROGRESS | {"id": None},
        PROGRESS | {"fraction": math.nan},
        PROGRESS | {"fraction": math.inf},
        PROGRESS | {"fraction": "0.5"},
        PROGRESS | {"fraction": False},
        PROGRESS | {"stage": 3},
        PROGRESS | {"stage": ["fit"]},
        PROGRESS | {"more": 1},
        {"id": 1, "stage": "fit"},
        {},
    ],
)
def test_wrong_fields_are_refused(plain):
    assert error_of(made({"type": "JobProgress", "fields": plain, "blocks": {}})).code == "protocol.malformed"


def test_the_same_header_with_right_fields_is_taken():
    assert read_all(made({"type": "JobProgress", "fields": PROGRESS, "blocks": {}})) == [JobProgress(1, "fit", 0.5)]
    assert read_all(made({"type": "JobProgress", "fields": PROGRESS | {"fraction": 1}, "blocks": {}})) == [
        JobProgress(1, "fit", 1.0)
    ]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"type": "Ping", "type": "Ping", "fields": {"id": 1}, "blocks": {}}',
        b'{"type": "Ping", "fields": {"id": 1, "id": 2}, "blocks": {}}',
        b'{"type": "JobProgress", "fields": {"id": 1, "stage": "", "fraction": 1e999}, "blocks": {}}',
        b'{"type": "Ping", "fields": {"id": ' + b"9" * 5000 + b'}, "blocks": {}}',
        {"type": "Ping", "fields": {"id": 1}},
        {"type": "Pang", "fields": {"id": 1}, "blocks": {}},
        {"type": "__class__", "fields": {}, "blocks": {}},
        {"type": ["Ping"], "fields": {"id": 1}, "blocks": {}},
        {"type": "Ping", "fields": [], "blocks": {}},
        {"type": "Ping", "fields": {"id": 1}, "blocks": {"id": 4}},
        {"type": "Ping", "fields": {"id": 1}, "blocks": {}, "code": "import os"},
    ],
)
def test_wrong_headers_are_refused(header):
    assert error_of(made(header)).code == "protocol.malformed"


PICTURE = {"type": "Picture", "fields": {"id": 1, "exact": True}}


@pytest.mark.parametrize(
    "color",
    [
        ["object", [4]],
        ["complex64", [1]],
        ["float32", [-1]],
        ["float32", [2]],
        ["float32", 1],
        ["float32", [1.0]],
        ["float32", [True]],
        ["float32"],
        [["float32"], [1]],
        ["float32", [2**40, 2**40]],
        ["uint8", [4] + [1] * 8],
        4,
        None,
    ],
)
def test_arrays_of_other_types_and_sizes_are_refused(color):
    header = PICTURE | {"blocks": {"color": color, "depth": ["uint8", [0, 2**52]]}}
    assert error_of(made(header, bytes(4))).code == "protocol.malformed"


def test_arrays_come_back_whatever_their_layout_was():
    color = np.arange(24, dtype=">f4").reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    (picture,) = read_all(frame(Picture(1, color, np.array(3.5), True)))
    np.testing.assert_array_equal(picture.color, color)
    assert picture.color.dtype == np.float32 and picture.depth.shape == () and picture.depth == 3.5
    assert not picture.color.flags.writeable


@pytest.mark.parametrize(
    "message",
    [
        JobProgress(1, "fit", math.nan),
        JobProgress(1, "fit", math.inf),
        JobProgress(1, b"fit", 0.5),
        Ping(2**53),
        Ping("1"),
        AvatarCreated(1, "text", ()),
        AvatarCreated(1, b"", ("one", 2)),
        Picture(1, np.array([object()]), np.zeros(1), True),
        Picture(1, np.zeros((1,) * 9), np.zeros(1), True),
        "Ping",
        object(),
    ],
)
def test_nothing_outside_the_rules_is_sent(message):
    stream = io.BytesIO()
    with pytest.raises(LikenessError, match=r"protocol\.malformed"):
        write_message(stream, message, KNOWN)
    assert stream.getvalue() == b""


def test_oversized_frames_are_refused_before_anything_is_allocated(monkeypatch):
    tracemalloc.start()
    try:
        assert error_of(PRELUDE.pack(MAGIC, 100, 2**40)).code == "protocol.too_large"
        assert error_of(PRELUDE.pack(MAGIC, 2**31, 0)).code == "protocol.too_large"
        header = {"type": "AvatarCreated", "fields": {"id": 1, "warnings": []}, "blocks": {"avatar": 2**30}}
        assert error_of(made(header, announced=2**30)).code == "protocol.truncated"
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(codec, "MAX_BLOCK_BYTES", 10)
    with pytest.raises(LikenessError, match=r"protocol\.too_large"):
        encode(CreateAvatar(1, bytes(11), "me.jpg", "draft", "open", None, "auto", 0))


def test_large_fields_are_neither_copied_nor_slow():
    portrait = bytes(1 << 26)
    pieces = encode(CreateAvatar(1, portrait, "me.jpg", "draft", "open", None, "auto", 0))
    assert pieces[1] is portrait
    array = np.zeros((512, 512, 4), np.float32)
    assert np.shares_memory(np.asarray(encode(Picture(1, array, array[:0], True), KNOWN)[1]), array)


NOISE = {
    b"$ ": "'$'",
    b"h": "'h'",
    b"Welcome to render-07.\r\nLast login: Mon\r\n": "'Welcome to rende",
    b"\x1b[32m(base)\x1b[0m": "(base)",
    b"\x89PNG\r\n\x1a\n": "PNG",
}


@pytest.mark.parametrize("noise", NOISE)
def test_what_is_not_a_frame_is_shown(noise):
    error = error_of(noise)
    assert error.code == "protocol.garbage" and error.message.isprintable()
    assert NOISE[noise] in error.message


def test_noise_is_noticed_though_nothing_follows_and_pieces_may_be_small():
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as stream, open(write_end, "wb", buffering=0) as pipe:
        pipe.write(b"$ ")
        with pytest.raises(LikenessError, match="'\\$'"):
            read_message(stream)
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as stream, open(write_end, "wb", buffering=0) as pipe:
        data = frame(Cancel(7)) + frame(AvatarCreated(1, bytes(3000), ("dim",)))
        sender = threading.Thread(target=lambda: [pipe.write(bytes([byte])) for byte in data], daemon=True)
        sender.start()
        assert read_message(stream) == Cancel(7)
        assert read_message(stream) == AvatarCreated(1, bytes(3000), ("dim",))
        sender.join(10)


def test_the_worked_example_in_the_documentation_is_what_is_sent():
    dump = re.search(r"```hex\n(.*?)```", PROTOCOL.read_text(), re.DOTALL)[1]
    documented = bytes.fromhex("".join(line.split("|")[0] for line in dump.splitlines()))
    assert documented == frame(Hello(1, "0.1.0")) and read_all(documented) == [Hello(1, "0.1.0")]
