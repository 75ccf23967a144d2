"""Messages to bytes and back: length-prefixed frames over a binary stream, as data and never as code.

    4 bytes   magic: 89 4C 4B 4E (0x89, then LKN)
    4 bytes   length of the header, unsigned, little-endian
    8 bytes   length of all blocks together, unsigned, little-endian
    header    JSON in UTF-8: {"type": ..., "fields": {plain values}, "blocks": {field: size, or [dtype, shape]}}
    blocks    the fields that are bytes or arrays, in the order of the message's fields

A message is a frozen dataclass out of a closed set; its name and fields are checked against its type hints, and sizes
before anything is allocated. docs/protocol.md has a worked example.

Error codes, all MachineError: protocol.garbage, protocol.truncated, protocol.too_large, protocol.malformed.
"""

from __future__ import annotations

import io
import json
import math
import struct
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import BinaryIO

import numpy as np

from likeness.contract.errors import MachineError
from likeness.contract.messages import MESSAGES

MAGIC = b"\x89LKN"
PRELUDE = struct.Struct("<4sIQ")
MAX_HEADER_BYTES = 1 << 20
MAX_BLOCK_BYTES = 1 << 30
MAX_WHOLE_NUMBER = 2**53
"""JSON readers elsewhere keep whole numbers exact up to here."""
DTYPES = ("uint8", "uint16", "int32", "int64", "float32", "float64")
MAX_DIMENSIONS = 8
CHUNK = 1 << 16

Block = bytes | memoryview


def write_message(stream: BinaryIO, message: object, known: Sequence[type] = MESSAGES) -> None:
    """Write one message and flush. Errors: MachineError `protocol.*` for a message outside the rules; OSError."""
    for block in encode(message, known):
        stream.write(block)
    stream.flush()


def encode(message: object, known: Sequence[type] = MESSAGES) -> list[Block]:
    """Return the frame in pieces, to be written one after the other; large fields are not copied."""
    if type(message) not in known:
        raise _malformed(f"{type(message).__name__} is no message")
    plain: dict[str, object] = {}
    sizes: dict[str, object] = {}
    blocks: list[Block] = []
    for name, hint in _hints(type(message)).items():
        value = getattr(message, name)
        if hint in (bytes, np.ndarray):
            sizes[name], block = _to_block(name, value, hint)
            blocks.append(block)
        else:
            plain[name] = _checked(name, value, hint)
    header = json.dumps({"type": type(message).__name__, "fields": plain, "blocks": sizes}, allow_nan=False).encode()
    total = sum(len(block) for block in blocks)
    _check_sizes(len(header), total)
    return [PRELUDE.pack(MAGIC, len(header), total) + header, *blocks]


def read_message(stream: BinaryIO, known: Sequence[type] = MESSAGES) -> object | None:
    """Read one message; None where the stream ends between two. Arrays are read-only. Errors: `protocol.*`, OSError."""
    sight = stream.peek(1)[:80] if hasattr(stream, "peek") else b""
    prelude = _read_prelude(stream)
    if not prelude:
        return None
    if not _begins_with_magic(prelude):
        raise _garbage(sight or prelude)
    if len(prelude) < PRELUDE.size:
        raise _truncated()
    _, header_bytes, block_bytes = PRELUDE.unpack(prelude)
    _check_sizes(header_bytes, block_bytes)
    name, plain, sizes = _parse_header(_read_exactly(stream, header_bytes))
    kind = next((kind for kind in known if kind.__name__ == name), None)
    if kind is None:
        raise _malformed(f"{name[:40]!r} is no message")
    return _assemble(stream, kind, plain, sizes, block_bytes)


def _assemble(stream: BinaryIO, kind: type, plain: dict, sizes: dict, block_bytes: int) -> object:
    """Check every field of a message against its type hint, then read its blocks."""
    hints = _hints(kind)
    blocks = {name: hint for name, hint in hints.items() if hint in (bytes, np.ndarray)}
    if set(plain) != set(hints) - set(blocks) or set(sizes) != set(blocks):
        raise _malformed(f"a {kind.__name__} has other fields")
    values = {name: _checked(name, value, hints[name]) for name, value in plain.items()}
    layouts = {name: _layout(name, sizes[name], hint) for name, hint in blocks.items()}
    if sum(_byte_count(layout) for layout in layouts.values()) != block_bytes:
        raise _malformed("the blocks' lengths do not add up")
    for name, layout in layouts.items():
        data = _read_exactly(stream, _byte_count(layout))
        values[name] = data if isinstance(layout, int) else _array(data, *layout)
    return kind(**values)


@lru_cache
def _hints(kind: type) -> dict[str, object]:
    """Return the type hint of every field, in order; annotations such as an array's shape are left out."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _parse_header(data: bytes) -> tuple[str, dict, dict]:
    try:
        header = json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"the header cannot be read ({' '.join(str(error).split())[:80]})") from error
    if not (isinstance(header, dict) and header.keys() == {"type", "fields", "blocks"}):
        raise _malformed("the header is not type, fields and blocks")
    name, plain, sizes = header["type"], header["fields"], header["blocks"]
    if not (isinstance(name, str) and isinstance(plain, dict) and isinstance(sizes, dict)):
        raise _malformed("the header is not type, fields and blocks")
    return name, plain, sizes


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not finite")


def _checked(name: str, value: object, hint: object) -> object:
    """Return a plain value as its type hint wants it (JSON's lists become tuples), or refuse it."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        if typing.get_origin(option) is tuple and isinstance(value, list | tuple):
            return tuple(_checked(name, item, typing.get_args(option)[0]) for item in value)
        if option in PLAIN and PLAIN[option](value):
            return option(value) if option is float else value
    raise _malformed(f"{name} is not {getattr(hint, '__name__', hint)}")


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) < MAX_WHOLE_NUMBER


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


PLAIN: dict[object, Callable[[object], bool]] = {
    bool: lambda value: type(value) is bool,
    int: _is_whole,
    float: _is_number,
    str: lambda value: isinstance(value, str),
    type(None): lambda value: value is None,
}


def _to_block(name: str, value: object, hint: object) -> tuple[object, Block]:
    """Return what the header says of a bytes or array field, and its bytes."""
    if hint is bytes:
        if not isinstance(value, bytes):
            raise _malformed(f"{name} is not bytes")
        return len(value), value
    if not (isinstance(value, np.ndarray) and value.dtype.name in DTYPES and value.ndim <= MAX_DIMENSIONS):
        raise _malformed(f"{name} is not an array of {', '.join(DTYPES)}")
    contiguous = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    return [value.dtype.name, list(value.shape)], memoryview(contiguous.reshape(-1).view(np.uint8))


Layout = int | tuple[np.dtype, tuple[int, ...]]


def _layout(name: str, size: object, hint: object) -> Layout:
    """Return a block's length in bytes, or an array's dtype and shape, as the header says it."""
    if hint is bytes and _is_whole(size) and size >= 0:
        return size
    if hint is np.ndarray and isinstance(size, list) and len(size) == 2:
        dtype, shape = size
        is_shape = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
        if dtype in DTYPES and is_shape and all(_is_whole(side) and side >= 0 for side in shape):
            return np.dtype(dtype).newbyteorder("<"), tuple(shape)
    raise _malformed(f"the size of {name} makes no sense")


def _byte_count(layout: Layout) -> int:
    return layout if isinstance(layout, int) else math.prod(layout[1]) * layout[0].itemsize


def _check_sizes(header_bytes: int, block_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES or block_bytes > MAX_BLOCK_BYTES:
        raise MachineError(
            "protocol.too_large",
            f"A message of {header_bytes + block_bytes} bytes is larger than may be sent.",
            "Use a smaller file.",
        )


def _array(data: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.ndarray(shape, dtype, data)
    except ValueError as error:
        raise _malformed(f"an array cannot have the shape {shape}") from error


def _read_prelude(stream: BinaryIO) -> bytes:
    """Read a frame's fixed part, or less where the stream ends or shows that it is no frame; a prompt ends nowhere."""
    read = stream.read1 if hasattr(stream, "read1") else stream.read
    data = b""
    while len(data) < PRELUDE.size and _begins_with_magic(data) and (piece := read(PRELUDE.size - len(data))):
        data += piece
    return data


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    read = stream.read1 if hasattr(stream, "read1") else stream.read
    # BytesIO grows as data arrives, whatever length was announced, and gives its bytes away without a copy.
    data = io.BytesIO()
    while data.tell() < count:
        piece = read(min(count - data.tell(), CHUNK))
        if not piece:
            raise _truncated()
        data.write(piece)
    return data.getvalue()


def _begins_with_magic(data: bytes) -> bool:
    return data[: len(MAGIC)] == MAGIC[: len(data)]


def _garbage(data: bytes) -> MachineError:
    text = " ".join(data.decode(errors="replace").split())
    excerpt = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return MachineError(
        "protocol.garbage",
        f"Something else than a message arrived: '{excerpt.rstrip('.')}'.",
        "See that nothing else writes to the engine's standard output.",
    )


def _truncated() -> MachineError:
    return MachineError("protocol.truncated", "The stream ends within a message.", "Start the engine again.")


def _malformed(reason: str) -> MachineError:
    return MachineError(
        "protocol.malformed", f"A message is not as agreed: {reason}.", "Use the same version on both sides."
    )
