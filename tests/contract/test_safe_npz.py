from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from likeness.contract.errors import InputError
from likeness.contract.safe_npz import read_npz, read_zip, write_npz, write_zip

PLAIN = st.sampled_from([np.dtype(d) for d in ("<f4", "<f8", "<f2", "<i4", "<i8", "|u1", "|i1", "|b1", "<u2")])
ARRAYS = hnp.arrays(PLAIN, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
NAMES = st.from_regex(r"[a-z][A-Za-z0-9_]{0,8}(\.[a-z0-9_]{1,5})?", fullmatch=True)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def npz_with(entry: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, content)
    return stream.getvalue()


def npy_with(header: str, body: bytes = b"") -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def refused(data: bytes, **limits: int) -> str:
    with pytest.raises(InputError) as caught:
        read_npz(data, **limits)
    assert caught.value.code == "npz.damaged"
    return caught.value.message


@given(st.dictionaries(NAMES, ARRAYS, max_size=4))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(arrays):
    loaded = read_npz(write_npz(arrays))
    assert sorted(loaded) == sorted(arrays)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].flags.writeable and loaded[name].flags.c_contiguous


def test_bytes_depend_on_the_arrays_alone():
    a, b = np.arange(3.0), np.ones((2, 2), np.int32)
    assert write_npz({"a": a, "b": b}) == write_npz({"b": np.asfortranarray(b), "a": a.copy()})


def test_numpy_and_we_read_each_other(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.arange(6).reshape(2, 3))}
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, **arrays)
        for name, loaded in read_npz(stream.getvalue()).items():
            np.testing.assert_array_equal(loaded, arrays[name])
    (tmp_path / "a.npz").write_bytes(write_npz(arrays))
    with np.load(tmp_path / "a.npz") as loaded:
        np.testing.assert_array_equal(loaded["b"], arrays["b"])


def test_pickled_arrays_are_refused_unopened():
    stream = io.BytesIO()
    np.savez(stream, a=np.array([Bomb()], object))
    assert "plain numbers" in refused(stream.getvalue())
    assert "not an array" in refused(npz_with("a.npy", pickle.dumps(Bomb())))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 999999999999999999, 999999999999999999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
        "__import__('os').system('true')",
        "(" * 900,
        "",
    ],
)
def test_hostile_headers_are_refused(header):
    refused(npz_with("a.npy", npy_with(header, b"\0" * 4)))


@pytest.mark.parametrize("name", ["../a.npy", "/a.npy", "a/b.npy", "..\\a.npy", "..npy", "a.txt", ".npy", "ä.npy"])
def test_paths_and_other_entries_are_refused(name):
    refused(npz_with(name, npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", b"\0" * 4)))


def test_a_zip_bomb_is_refused_before_it_unpacks():
    bomb = npz_with("a.npy", b"\0" * (64 << 20))
    assert len(bomb) < 100_000
    assert "MiB" in refused(bomb, max_total_bytes=32 << 20)


def test_duplicate_entries_are_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, pytest.warns(UserWarning):
        archive.writestr("a.npy", b"1")
        archive.writestr("a.npy", b"2")
    assert "twice" in refused(stream.getvalue())


def test_overlapping_entries_are_refused():
    data = bytearray(write_zip({"a.npy": b"0" * 1000, "b.npy": b"1" * 1000}, compress=False))
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)  # the second entry's local header is said to be the first's
    refused(bytes(data))


def test_an_announced_size_takes_no_memory():
    data = bytearray(write_zip({"a.npy": b"0" * 100}, compress=False))
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (900 << 20).to_bytes(4, "little")
    refused(bytes(data))


def test_every_truncation_is_refused():
    data = write_npz({"a": np.arange(20.0), "b": np.ones(3, np.int32)})
    for length in range(len(data)):
        refused(data[:length])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_flipped_bits_never_give_other_numbers(data):
    arrays = {"a": np.arange(20.0), "b": np.ones((3, 2), np.int32)}
    content = bytearray(write_npz(arrays))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        loaded = read_npz(bytes(content))
    except InputError:
        return
    for name in set(loaded) & set(arrays):
        np.testing.assert_array_equal(loaded[name], arrays[name])


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused_readably(data):
    refused(data)
    refused(b"PK\x03\x04" + data)


def test_entries_of_a_plain_zip_come_back():
    entries = {"b.json": b"{}", "a.png": b"\x89PNG"}
    assert read_zip(write_zip(entries, compress=False)) == entries
