"""Hostile and damaged FLAME pickles: refused by name, without anything having been run."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from flame_files import flame2020_pickle, flame2023_pickle, made_up_arrays, vanished_modules, with_state
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from likeness.contract.errors import InputError
from likeness.head.flame_pickle import STAND_INS, load_arrays


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments


def hostile(canary: str) -> dict[str, object]:
    write = f"open({canary!r}, 'w')"
    return {
        "posix.system": Call(os.system, f"touch {canary}"),
        "builtins.eval": Call(eval, write),
        "builtins.exec": Call(exec, write),
        "builtins.open": Call(open, canary, "w"),
        "builtins.getattr": Call(getattr, Call(__import__, "os"), "system"),
        "subprocess.Popen": Call(__import__("subprocess").Popen, ["touch", canary]),
        "numpy.save": Call(np.save, canary, np.zeros(1)),
        "numpy.memmap": Call(np.memmap, canary, "float64", "w+", 0, (1,)),
        "numpy.testing._private.utils.runstring": Call(np.testing._private.utils.runstring, write, {}),
        "scipy.sparse._matrix_io.load_npz": Call(sparse.load_npz, canary),
        "functools.partial": Call(__import__("functools").partial, os.system, canary),
        "types.SimpleNamespace": Call(types.SimpleNamespace),
    }


NAMES = tuple(hostile("canary"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_calls_are_refused_by_name_and_not_made(tmp_path: Path, name: str, protocol: int):
    canary = tmp_path / "canary"
    data = pickle.dumps({"v_template": [np.zeros(3), hostile(str(canary))[name]]}, protocol=protocol)
    with pytest.raises(InputError) as caught:
        load_arrays(data, ("v_template",))
    assert caught.value.code == "head.unsafe"
    assert name.split(".")[-1] in caught.value.message and "nothing of it was run" in caught.value.message
    assert not canary.exists()


def test_call_hidden_in_an_arrays_state_is_refused(tmp_path: Path):
    canary = tmp_path / "canary"
    nested = np.array([Call(os.system, f"touch {canary}")], object)
    with vanished_modules() as old:
        data = pickle.dumps({"v_template": with_state(old.Ch(), {"x": nested})}, protocol=2)
    with pytest.raises(InputError, match=r"head\.unsafe"):
        load_arrays(data, ("v_template",))
    assert not canary.exists()


def test_dotted_names_do_not_reach_through_an_allowed_module():
    data = b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93."
    with pytest.raises(InputError, match=r"head\.unsafe"):
        load_arrays(data, ())
    with pytest.raises(InputError, match=r"head\.damaged"):  # chumpy's names all give the same inert class
        load_arrays(b"\x80\x04\x8c\x06chumpy\x8c\x0cos.system.rm\x93\x8c\x02ls\x85R.", ("x",))


@pytest.mark.parametrize("target", sorted(STAND_INS), ids=".".join)
def test_stand_ins_cannot_be_changed_by_a_pickle(target: tuple[str, str]):
    """BUILD with a slot state would set attributes on whatever lies on the stack, classes included."""
    before = dict(vars(type(STAND_INS[target]))), dict(getattr(STAND_INS[target], "__dict__", {}))
    module, name = (part.encode() for part in target)
    slots = pickle.dumps((None, {"__call__": 1, "__setstate__": 1, "_function": 1, "evil": 1}), 2)[2:-1]
    with pytest.raises(InputError, match=r"head\.damaged"):
        load_arrays(b"\x80\x02c" + module + b"\n" + name + b"\n" + slots + b"b.", ())
    assert before == (dict(vars(type(STAND_INS[target]))), dict(getattr(STAND_INS[target], "__dict__", {})))


def array_pickle(shape: bytes, content: bytes) -> bytes:
    state = b"(K\x01" + shape + b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR\x89" + content + b"t"
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    return b"\x80\x03}X\x01\x00\x00\x00x" + head + state + b"bs."


def test_announced_shapes_take_no_memory():
    huge = b"\x8a\x05\x00\x00\x00\x00\x40"  # LONG1: 2^38
    assert load_arrays(array_pickle(b"K\x02\x85", b"C\x10" + bytes(16)), ("x",))["x"].shape == (2,)
    for shape, content in ((huge + b"\x85", b"C\x08" + bytes(8)), (b"K\x02\x85", b"B\xff\xff\xff\x7f" + bytes(8))):
        with pytest.raises(InputError, match=r"head\.damaged"):
            load_arrays(array_pickle(shape, content), ("x",))


def test_huge_memo_index_is_refused():
    with pytest.raises(InputError, match="memo"):
        load_arrays(b"\x80\x02}r" + struct.pack("<I", 0xFFFFFFF0) + b".", ())


@pytest.mark.parametrize("data", [b"", b"\x80", b"not a pickle", b"\x80\x02K\x01.", b"\x80\x04N.", b"\x82\x01."])
def test_garbage_is_damaged(data: bytes):
    with pytest.raises(InputError, match=r"head\.damaged"):
        load_arrays(data, ("v_template",))


def test_chumpy_wrapped_in_itself_is_damaged():
    with vanished_modules() as old:
        loop = old.Ch()
        data = pickle.dumps({"x": with_state(loop, {"x": loop})}, protocol=2)
    with pytest.raises(InputError, match="wrapped in itself"):
        load_arrays(data, ("x",))


def test_chumpy_formula_is_damaged():
    with vanished_modules() as old:
        data = pickle.dumps({"x": with_state(old.Select(), {"a": np.zeros(3)})}, protocol=2)
    with pytest.raises(InputError, match="formula"):
        load_arrays(data, ("x",))


@pytest.mark.parametrize("broken", ["indices", "indptr", "data", "_shape"])
def test_inconsistent_sparse_matrix_is_damaged(broken: str):
    matrix = sparse.random(5, 20, 0.3, "csc", random_state=0)
    state = {name: getattr(matrix, name) for name in ("data", "indices", "indptr", "_shape")}
    state[broken] = {"indices": matrix.indices + 5, "indptr": matrix.indptr[::-1], "data": matrix.data[:-1],
                     "_shape": (1 << 40, 20)}[broken]  # fmt: skip
    with vanished_modules() as old:
        data = pickle.dumps({"x": with_state(old.csc_matrix(), state)}, protocol=2)
    with pytest.raises(InputError, match="sparse"):
        load_arrays(data, ("x",))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["csc", "csr"]), st.sampled_from([2, 4, 5]))
@settings(max_examples=30, deadline=None)
def test_sparse_matrices_come_back_as_scipy_has_them(seed: int, layout: str, protocol: int):
    matrix = sparse.random(5, 30, 0.2, layout, random_state=seed)
    content = {"J": getattr(sparse, f"{layout}_matrix")(matrix)}
    loaded = load_arrays(pickle.dumps(content, protocol=protocol), ("J",))
    assert np.array_equal(loaded["J"], matrix.toarray())


@given(
    st.sampled_from(["<f8", ">f8", "<f4", "<i8", "<u4", "|b1", "|u1", "<f2"]),
    st.lists(st.integers(0, 4), max_size=4),
    st.sampled_from([2, 3, 4, 5]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_arrays_come_back_as_numpy_has_them(dtype: str, shape: list[int], protocol: int, fortran: bool):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    array = np.asfortranarray(array) if fortran and shape else array
    loaded = load_arrays(pickle.dumps({"a": array}, protocol=protocol), ("a",))["a"]
    assert loaded.shape == array.shape and np.array_equal(loaded, array) and loaded.dtype.isnative


def small_pickle() -> bytes:
    """Every kind of object that a FLAME 2020 file holds, in a few kilobytes."""
    small = {name: array.ravel()[:6].reshape(2, 3) for name, array in made_up_arrays().items()}
    return flame2020_pickle(small)


@given(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 10**6))
@settings(max_examples=400, deadline=None)
def test_flipped_and_cut_files_never_fail_otherwise(place: int, value: int, length: int):
    data = bytearray(small_pickle())
    data[place % len(data)] = value
    for version in (bytes(data), small_pickle()[: length % len(data)]):
        try:
            load_arrays(version, tuple(made_up_arrays()))
        except InputError as error:
            assert error.code in ("head.damaged", "head.unsafe")


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_random_bytes_never_fail_otherwise(data: bytes):
    for version in (data, b"\x80\x04" + data + b".", b"}" + data + b"."):
        try:
            load_arrays(version, ("x",))
        except InputError as error:
            assert error.code in ("head.damaged", "head.unsafe")


def test_truncated_full_size_files_are_damaged():
    for data in (flame2020_pickle(made_up_arrays()), flame2023_pickle(made_up_arrays())):
        with pytest.raises(InputError, match=r"head\.damaged"):
            load_arrays(data[: len(data) // 2], ("v_template",))


def test_the_2020_layout_is_what_python_2_wrote():
    names = {argument for opcode, argument, _ in pickletools.genops(small_pickle()) if opcode.name == "GLOBAL"}
    assert {"chumpy.ch Ch", "scipy.sparse.csc csc_matrix", "__builtin__ set"} <= names
    assert "_codecs encode" not in names  # Python 2 stores an array's bytes as a plain string
    assert "chumpy" not in sys.modules
