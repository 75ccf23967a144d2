"""Reads the arrays of a FLAME pickle as data: every class and function in it is replaced by an inert stand-in.

FLAME 2020 is a Python 2 pickle of chumpy and scipy.sparse objects, FLAME 2023 one of plain arrays. Neither NumPy's,
scipy's nor chumpy's own code runs while such a file is read: the stand-ins only keep what the pickle hands them, and
`load_arrays` builds arrays from that once its sizes have been checked. Any other name in the pickle is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re

import numpy as np

from likeness.contract.errors import InputError

MAX_FILE_BYTES = 1 << 29
MAX_OPCODES = 1 << 20
MAX_NESTING = 4
PLAIN_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])")
REFUSED_OPCODES = frozenset(
    {"INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"}
)
"""Opcodes that no FLAME file contains and that reach beyond the pickle itself."""


class Inert:
    """Keeps constructor arguments and state, and does nothing else."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        """Keep the state."""
        self.state = state


class InertArray(Inert):
    """Stands for numpy.ndarray; its state is (version, shape, dtype, Fortran order, bytes)."""


class InertDtype(Inert):
    """Stands for numpy.dtype; its first argument is the type's code, the second entry of its state the byte order."""


class InertSparse(Inert):
    """Stands for a scipy.sparse matrix."""


class InertCsc(InertSparse):
    """Stands for scipy.sparse.csc_matrix."""


class InertCsr(InertSparse):
    """Stands for scipy.sparse.csr_matrix."""


class InertChumpy(Inert):
    """Stands for any class of chumpy; a chumpy array keeps its values in the attribute `x`."""


class InertObject(Inert):
    """Stands for builtins.object and builtins.set, which chumpy's bookkeeping contains."""


def _reconstruct(*_: object) -> InertArray:
    return InertArray()


def _scalar(dtype: object, content: object) -> InertArray:
    return _with_state((1, (), dtype, False, content))


def _from_buffer(content: object, dtype: object, shape: object, order: object) -> InertArray:
    return _with_state((1, shape, dtype, order == "F", bytes(content)))


def _with_state(state: tuple) -> InertArray:
    array = InertArray()
    array.__setstate__(state)
    return array


def _encode(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("it encodes text in another way than NumPy does")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


def _reconstructor(cls: object, *_: object) -> Inert:
    if not (isinstance(cls, type) and issubclass(cls, Inert)):
        raise pickle.UnpicklingError("it rebuilds an object of no class")
    return cls()


class Callable:
    """Wraps a function so that a pickle can call it but not change it."""

    __slots__ = ("_function",)

    def __init__(self, function: object) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: object) -> object:
        """Call the function."""
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        """Refuse any state, which would otherwise set attributes."""
        raise pickle.UnpicklingError("it changes a function")


STAND_INS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): InertArray,
    ("numpy", "dtype"): InertDtype,
    ("_codecs", "encode"): Callable(_encode),
}
for _module in ("copyreg", "copy_reg"):  # Python 3's and Python 2's names
    STAND_INS[_module, "_reconstructor"] = Callable(_reconstructor)
for _module in ("builtins", "__builtin__"):
    STAND_INS[_module, "object"] = STAND_INS[_module, "set"] = InertObject
    STAND_INS[_module, "bytes"] = Callable(_empty_bytes)
for _core in ("numpy.core", "numpy._core"):
    STAND_INS[f"{_core}.multiarray", "_reconstruct"] = Callable(_reconstruct)
    STAND_INS[f"{_core}.multiarray", "scalar"] = Callable(_scalar)
    STAND_INS[f"{_core}.numeric", "_frombuffer"] = Callable(_from_buffer)
for _kind, _class in (("csc", InertCsc), ("csr", InertCsr)):
    for _module in (f"scipy.sparse.{_kind}", f"scipy.sparse._{_kind}"):
        STAND_INS[_module, f"{_kind}_matrix"] = _class


class InertUnpickler(pickle.Unpickler):
    """Looks names up among the stand-ins only."""

    def find_class(self, module: str, name: str) -> object:
        """Return the stand-in for a name. Errors: InputError `head.unsafe`."""
        if module.split(".")[0] == "chumpy":
            return InertChumpy
        if (module, name) in STAND_INS:
            return STAND_INS[module, name]
        raise InputError(
            "head.unsafe",
            f"The file asks for {f'{module}.{name}'[:120]!r}, which no FLAME model contains; nothing of it was run.",
            "Do not trust this file; download FLAME again from flame.is.tue.mpg.de.",
        )


def load_arrays(data: bytes, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return those of the named arrays that the pickled dictionary holds; sparse matrices become dense.

    Errors: InputError `head.unsafe` for a pickle that names anything but arrays, `head.damaged` for any other fault.
    """
    if len(data) > MAX_FILE_BYTES:
        raise damaged("it is larger than any FLAME model")
    try:
        _check_opcodes(data)
        content = InertUnpickler(io.BytesIO(data), fix_imports=False, encoding="latin1").load()
        if not isinstance(content, dict):
            raise pickle.UnpicklingError("it holds no dictionary")
        return {name: _array(content[name]) for name in names if name in content}
    except InputError:
        raise
    except Exception as error:  # a hostile pickle can raise any type out of the unpickler
        raise damaged(str(error)[:200] or type(error).__name__) from error


def damaged(reason: str) -> InputError:
    """Return the error for a FLAME file that cannot be read."""
    return InputError(
        "head.damaged", f"The head model cannot be read: {reason}.", "Download FLAME again from flame.is.tue.mpg.de."
    )


def _check_opcodes(data: bytes) -> None:
    """Walk the opcodes without running them, so that no announced size exceeds the bytes that are there."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count > MAX_OPCODES:
            raise pickle.UnpicklingError("it is more intricate than any FLAME model")
        if opcode.name in REFUSED_OPCODES:
            raise pickle.UnpicklingError(f"it uses the instruction {opcode.name}")
        # The unpickler allocates its memo up to the largest index.
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= argument <= MAX_OPCODES:
            raise pickle.UnpicklingError("its memo index is out of range")


def _array(value: object, nesting: int = 0) -> np.ndarray:
    if nesting > MAX_NESTING:
        raise ValueError("an array is wrapped in itself")
    if isinstance(value, InertArray):
        return _dense(value)
    if isinstance(value, InertSparse):
        return _sparse(value, nesting)
    if isinstance(value, InertChumpy):
        if not isinstance(value.state, dict) or "x" not in value.state:
            raise ValueError("a chumpy object in it is a formula, not an array")
        return _array(value.state["x"], nesting + 1)
    raise ValueError("an entry is not an array")


def _dense(value: InertArray) -> np.ndarray:
    _, shape, dtype, fortran, content = value.state
    if isinstance(content, str):  # Python 2's bytes
        content = content.encode("latin1")
    dtype = _dtype(dtype)
    if not isinstance(shape, tuple) or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError("an array's shape is not made of numbers")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"an array says its shape is {shape}, which does not fit its {len(content)} bytes")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


def _dtype(value: InertDtype) -> np.dtype:
    code = value.arguments[0]
    if not isinstance(value, InertDtype) or not isinstance(code, str) or not PLAIN_DTYPE.fullmatch(code):
        raise ValueError("an array does not hold plain numbers")
    order = value.state[1] if value.state else "="
    return np.dtype(code).newbyteorder(order if order in ("<", ">") else "=")


def _sparse(value: InertSparse, nesting: int) -> np.ndarray:
    """Unpack compressed columns (or rows); entries that appear twice add up, as in scipy."""
    data, indices, indptr = (_array(value.state[name], nesting + 1) for name in ("data", "indices", "indptr"))
    rows, columns = value.state.get("_shape", value.state.get("shape"))
    major, minor = (columns, rows) if isinstance(value, InertCsc) else (rows, columns)
    if not (0 < major <= 1 << 14 and 0 < minor <= 1 << 14) or indptr.shape != (major + 1,):
        raise ValueError("a sparse matrix has no sound shape")
    counts = np.diff(indptr)
    if indptr[0] != 0 or (counts < 0).any() or indptr[-1] != len(indices) or data.shape != indices.shape:
        raise ValueError("a sparse matrix is inconsistent")
    if len(indices) and (indices.min() < 0 or indices.max() >= minor):
        raise ValueError("a sparse matrix points outside itself")
    dense = np.zeros((major, minor))
    np.add.at(dense, (np.repeat(np.arange(major), counts), indices), data)
    return dense.T.copy() if isinstance(value, InertCsc) else dense
