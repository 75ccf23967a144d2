"""The .ply layout of the 3DGS reference implementation (Kerbl et al. 2023), which every splat viewer reads.

Binary little endian; per Gaussian x y z, nx ny nz (zero), f_dc_0..2 (colour as the constant spherical harmonic),
opacity (logit), scale_0..2 (log), rot_0..3 (wxyz). There is no f_rest: the colour is the same from all sides.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from likeness.contract.atomic import atomic_write
from likeness.contract.errors import InputError
from likeness.gaussians.container import Gaussians

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi)): colour = 0.5 + SH_C0 * f_dc."""
GROUPS = {
    "means": ("x", "y", "z"),
    "normals": ("nx", "ny", "nz"),
    "sh0": ("f_dc_0", "f_dc_1", "f_dc_2"),
    "opacity": ("opacity",),
    "scales": ("scale_0", "scale_1", "scale_2"),
    "quats": ("rot_0", "rot_1", "rot_2", "rot_3"),
}
MIN_OPACITY, MIN_SCALE = 1e-6, 1e-9
"""What the logit and the logarithm can hold; opacities stay under 1 by as much."""
MAX_HEADER = 1 << 16
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4"},
    **{"float": "<f4", "double": "<f8", "float32": "<f4", "float64": "<f8"},
}


def write_ply(path: Path, gaussians: Gaussians) -> None:
    """Write Gaussians to `path`, whole or not at all. Errors: InputError `output.*`."""
    names = [name for group in GROUPS.values() for name in group]
    opacity = np.clip(gaussians.opacities.astype(np.float64), MIN_OPACITY, 1 - MIN_OPACITY)[:, None]
    columns = [
        gaussians.means,
        np.zeros_like(gaussians.means),
        (gaussians.colors - 0.5) / SH_C0,
        np.log(opacity / (1 - opacity)),
        np.log(np.maximum(gaussians.scales, MIN_SCALE)),
        gaussians.quats,
    ]
    properties = "".join(f"property float {name}\n" for name in names)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(gaussians.means)}\n{properties}end_header\n"
    with atomic_write(path) as temporary:
        temporary.write_bytes(header.encode("ascii") + np.concatenate(columns, 1).astype("<f4").tobytes())


def read_ply(path: Path) -> Gaussians:
    """Read Gaussians from a .ply of the 3DGS layout; f_rest and other properties are left out.

    Errors: InputError `ply.unreadable`, `ply.damaged`, `ply.format` (not binary little endian), `ply.not_gaussians`.
    """
    try:
        with path.open("rb") as file:
            table = _read_table(file, path.stat().st_size)
    except OSError as error:
        raise InputError("ply.unreadable", f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    missing = {name for key, names in GROUPS.items() if key != "normals" for name in names} - set(table.dtype.names)
    if missing:
        raise InputError(
            "ply.not_gaussians",
            f"{path.name} holds no Gaussians (there is no {min(missing)}).",
            "Give a .ply of the 3DGS layout, not a mesh, a point cloud or a compressed splat file.",
        )
    return _activate(table)


def _read_table(file: BinaryIO, size: int) -> np.ndarray:
    """Read the vertices as a structured array, after checking that the file is as long as its header claims."""
    count, layout = _parse_header(_read_header(file))
    if count * layout.itemsize > size - file.tell():
        raise _damaged("it is shorter than its header says")
    return np.frombuffer(file.read(count * layout.itemsize), layout, count)


def _read_header(file: BinaryIO) -> list[str]:
    """Return the header's lines between `ply` and `end_header` and leave the file at the first vertex."""
    start = file.read(MAX_HEADER)
    end = re.search(rb"\nend_header\r?\n", start)
    if not re.match(rb"ply\r?\n", start) or not end or not start[: end.end()].isascii():
        raise _damaged("it has no .ply header")
    file.seek(end.end())
    lines = start[: end.start()].decode("ascii").splitlines()[1:]
    return [line for line in lines if not line.startswith(("comment", "obj_info"))]


def _parse_header(lines: list[str]) -> tuple[int, np.dtype]:
    """Return the number of vertices and their layout; what follows the vertices is left unread."""
    if lines[:1] != ["format binary_little_endian 1.0"]:
        raise InputError("ply.format", "This .ply is not binary little endian.", "Save it in that form.")
    element = re.fullmatch(r"element vertex (\d{1,18})", lines[1]) if len(lines) > 1 else None
    if not element:
        raise _damaged("its first element is not `vertex`")
    properties: dict[str, str] = {}
    for line in lines[2:]:
        if line.startswith("element "):
            break
        found = re.fullmatch(r"property (\w+) (\w+)", line)
        if not found or found[1] not in _TYPES or found[2] in properties:
            raise _damaged(f"its header has the line `{line[:60]}`")
        properties[found[2]] = _TYPES[found[1]]
    if not properties:
        raise _damaged("its vertices have no properties")
    return int(element[1]), np.dtype(list(properties.items()))


def _activate(table: np.ndarray) -> Gaussians:
    """Turn the stored numbers into what they stand for."""
    columns = {key: np.stack([table[name] for name in names], -1) for key, names in GROUPS.items() if key != "normals"}
    columns = {key: column.astype(np.float64) for key, column in columns.items()}
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(columns["quats"], axis=-1, keepdims=True)
        arrays = (
            columns["means"],
            columns["quats"] / np.where(length > 0, length, np.nan),
            np.exp(columns["scales"]),
            1 / (1 + np.exp(-columns["opacity"][:, 0])),
            np.clip(0.5 + SH_C0 * columns["sh0"], 0, 1),
        )
        arrays = tuple(array.astype(np.float32) for array in arrays)
    if not all(np.isfinite(array).all() for array in arrays):
        raise _damaged("it holds numbers that are not finite, or rotations without length")
    return Gaussians(*arrays)


def _damaged(what: str) -> InputError:
    return InputError("ply.damaged", f"The .ply file is damaged: {what}.", "Export it again.")
