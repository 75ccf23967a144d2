"""Arrays in a zip of .npy entries, as `numpy.savez` writes them, read as data from strangers.

No pickles, no object arrays; every size is checked against the bytes that are there before memory is taken for it.
Written files depend on the arrays alone: names in order, a fixed date.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Container, Mapping

import numpy as np

from likeness.contract.errors import InputError

MAX_TOTAL_BYTES = 1 << 30
MAX_ENTRIES = 256
MAX_DIMENSIONS = 8
MAX_HEADER_BYTES = 1024
DTYPES = {f"{order}{kind}": np.dtype(f"{order}{kind}") for order in "<|" for kind in ("b1", "i1", "u1")} | {
    f"<{kind}": np.dtype(f"<{kind}") for kind in ("i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
}
HEADER = re.compile(
    r"\{'descr': '([<|][a-z]\d)', 'fortran_order': (True|False), 'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)
ENTRY_NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
COMPRESSION = 1
"""zlib's level; its usual 6 makes avatars 3 % smaller and takes twice the time."""

BROKEN_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises on bytes that are not a sound zip, encrypted and exotic ones included."""


def write_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as the bytes of an .npz; the same arrays give the same bytes."""
    entries = {f"{name}.npy": _npy_bytes(name, arrays[name]) for name in sorted(arrays)}
    return write_zip(entries, compress=True)


def read_npz(
    data: bytes, *, max_total_bytes: int = MAX_TOTAL_BYTES, names: Container[str] | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz by name, each with memory of its own; with `names`, those of them that are there.

    Errors: InputError `npz.damaged` for anything but a sound .npz of plain numbers within the limits.
    """
    entries = read_zip(data, max_total_bytes=max_total_bytes)
    named = {_array_name(entry): (entry, content) for entry, content in entries.items()}
    return {name: _parse_npy(*named[name]) for name in named if names is None or name in names}


def write_zip(entries: Mapping[str, bytes], *, compress: bool) -> bytes:
    """Return a zip of the entries in the mapping's order, with fixed dates."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, FIXED_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, compresslevel=COMPRESSION)
    return stream.getvalue()


def read_zip(data: bytes, *, max_total_bytes: int = MAX_TOTAL_BYTES) -> dict[str, bytes]:
    """Return the entries of a zip, never touching the disk; their checksums are verified.

    Errors: InputError `npz.damaged`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(data), max_total_bytes)
            return {entry.filename: _read_entry(archive, entry) for entry in entries}
    except BROKEN_ZIP_ERRORS as error:
        raise damaged(f"it is not a sound zip ({error})") from error


def damaged(reason: str) -> InputError:
    """Return the error for an archive that cannot be read."""
    return InputError("npz.damaged", f"The archive cannot be read: {reason}.", "Use a file that is whole.")


def _check_entries(entries: list[zipfile.ZipInfo], archive_bytes: int, max_total_bytes: int) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MAX_ENTRIES:
        raise damaged(f"it has {len(names)} entries, more than {MAX_ENTRIES}")
    if len(set(names)) != len(names):
        raise damaged("an entry appears twice")
    for name in names:
        if not ENTRY_NAME.fullmatch(name):
            raise damaged(f"the entry name {name[:80]!r} is not allowed")
    # Entries that overlap in the file are how small zips unpack to endless ones.
    if sum(entry.compress_size for entry in entries) > archive_bytes:
        raise damaged("its entries overlap")
    if sum(entry.file_size for entry in entries) > max_total_bytes:
        raise damaged(f"unpacked it would be larger than {max_total_bytes >> 20} MiB")


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise damaged(f"{entry.filename} is compressed in an unknown way")
    # zipfile stops at the announced size; read on demand, so an announcement alone takes no memory.
    with archive.open(entry) as stream:
        content = stream.read()
    if len(content) != entry.file_size:
        raise damaged(f"{entry.filename} is shorter than it says")
    return content


def _array_name(entry: str) -> str:
    if not entry.endswith(".npy"):
        raise damaged(f"the entry {entry[:80]!r} is not an array")
    return entry.removesuffix(".npy")


def _npy_bytes(name: str, array: np.ndarray) -> bytes:
    if array.dtype.str not in DTYPES or not ENTRY_NAME.fullmatch(name):
        raise ValueError(f"{name} of type {array.dtype} cannot be stored")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _parse_npy(entry: str, content: bytes) -> np.ndarray:
    """Parse one .npy (format 1.0; NEP 1). The header is matched, not evaluated."""
    if content[:8] != b"\x93NUMPY\x01\x00" or len(content) < 10:
        raise damaged(f"{entry} is not an array of format 1.0")
    (header_bytes,) = struct.unpack_from("<H", content, 8)
    header = HEADER.fullmatch(content[10 : 10 + min(header_bytes, MAX_HEADER_BYTES)].decode("latin-1"))
    if not header or header[1] not in DTYPES:
        raise damaged(f"{entry} does not hold plain numbers")
    dtype, shape = DTYPES[header[1]], tuple(int(size) for size in header[3].replace(",", " ").split())
    body = content[10 + header_bytes :]
    too_big = len(shape) > MAX_DIMENSIONS or math.prod(max(size, 1) for size in shape) > MAX_TOTAL_BYTES
    if too_big or math.prod(shape) * dtype.itemsize != len(body):
        raise damaged(f"{entry} says its shape is {shape}, which does not fit its {len(body)} bytes")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if header[2] == "True" else "C").copy(order="C")
