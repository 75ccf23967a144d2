"""FLAME (Li et al. 2017) from the user's own file: the 2020, 2023 and 2023 Open releases, .pkl or .npz.

Layout of every release: v_template (5023,3), f (9976,3), shapedirs (5023,3,400) with 300 identity directions and then
100 expression directions, posedirs (5023,3,36), J_regressor (5,5023), weights (5023,5), kintree_table (2,5) whose
first row holds the parents. FLAME's units are metres, its directions one standard deviation each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from likeness.contract.avatar import JOINT_NAMES
from likeness.contract.errors import InputError
from likeness.contract.safe_npz import read_npz
from likeness.head.assets import HeadAssets, hash_arrays
from likeness.head.flame_pickle import MAX_FILE_BYTES, damaged, load_arrays

IDENTITY_DIRECTIONS = 300
SHAPES = {
    "v_template": (5023, 3),
    "f": (9976, 3),
    "shapedirs": (5023, 3, 400),
    "posedirs": (5023, 3, 36),
    "J_regressor": (5, 5023),
    "weights": (5023, 5),
    "kintree_table": (2, 5),
}
PARENTS = (-1, 0, 1, 1, 1)
PLAUSIBLE_HEIGHT = (0.15, 0.6)
"""Of the template with its neck, metres."""
EXPR_NAMES = tuple(f"expr{k:03d}" for k in range(100))
LICENCES = {
    "flame2020": "FLAME 2020 licence (Max Planck Society): non-commercial scientific research",
    "flame2023": "FLAME 2023 licence (Max Planck Society): non-commercial scientific research",
    "flame2023-open": "CC-BY-4.0 (FLAME 2023 Open, Max Planck Society)",
    "flame": "FLAME licence of an unknown release (Max Planck Society): take it as non-commercial research only",
}


def load_flame(path: Path) -> HeadAssets:
    """Read a FLAME file as it is; `likeness.tracking.flame.complete_flame` adds what it lacks.

    The files carry no release number, so the name goes by the file's and its folder's name (`release_name`).
    They carry no texture coordinates either: uv is a cylinder around the head, one coordinate per vertex.
    Until the head is completed the whole surface is region `face`, nothing is hidden, `mirror` is the nearest vertex,
    and every landmark lies on triangle 0 with infinite spread.

    Errors: InputError `head.missing`, `head.damaged`, `head.unsafe`, `head.not_flame`.
    """
    arrays = _read(path)
    _check(arrays)
    release = release_name(path)
    return _assets(release, {name: _narrow(array) for name, array in arrays.items()})


def release_name(path: Path) -> str:
    """Tell the release from the names of the file and its folder: `flame` where they do not say."""
    words = f"{path.parent.name}/{path.stem}".lower()
    if "2023" in words:
        return "flame2023-open" if "open" in words else "flame2023"
    if "2020" in words or path.stem.lower() in ("generic_model", "female_model", "male_model"):
        return "flame2020"
    return "flame"


def cylinder_uv(vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 2"]:
    """Unroll a head around its vertical axis: u grows towards the subject's left with the face at 0.5, v upwards."""
    center = (vertices.min(0) + vertices.max(0)) / 2
    angle = np.arctan2(vertices[:, 0] - center[0], vertices[:, 2] - center[2])
    height = (vertices[:, 1] - vertices[:, 1].min()) / np.ptp(vertices[:, 1])
    return np.stack([0.5 + angle / (2 * np.pi), height], -1)


def mirror_vertices(vertices: Float[np.ndarray, "V 3"]) -> np.ndarray:
    """Return (V,) int32: the vertex nearest to each one's mirror image."""
    return cKDTree(vertices * [-1, 1, 1]).query(vertices)[1].astype(np.int32)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise damaged("it is larger than any FLAME model")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("head.missing", f"{path} cannot be opened ({reason}).", "Check the name.") from error
    if data[:2] != b"PK":
        return load_arrays(data, tuple(SHAPES))
    try:
        return read_npz(data, max_total_bytes=MAX_FILE_BYTES, names=SHAPES)
    except InputError as error:
        raise damaged(error.message.removeprefix("The archive cannot be read: ").rstrip(".")) from error


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Raise InputError `head.not_flame` unless these are FLAME's arrays in metres."""
    for name, shape in SHAPES.items():
        if name not in arrays:
            raise _not_flame(f"it has no {name}")
        if arrays[name].shape != shape:
            raise _not_flame(f"its {name} has the shape {arrays[name].shape} instead of {shape}")
        if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
            raise _not_flame(f"its {name} does not hold finite numbers")
    if not 0 <= arrays["f"].min() <= arrays["f"].max() < 5023:
        raise _not_flame("its triangles point outside its vertices")
    if tuple(arrays["kintree_table"][0, 1:].astype(np.int64)) != PARENTS[1:]:
        raise _not_flame(f"its joints are not {', '.join(JOINT_NAMES)}")
    height = np.ptp(arrays["v_template"][:, 1])
    if not PLAUSIBLE_HEIGHT[0] < height < PLAUSIBLE_HEIGHT[1]:
        raise _not_flame(f"its head is {height:.3g} high, which cannot be metres")


def _not_flame(reason: str) -> InputError:
    return InputError(
        "head.not_flame",
        f"This is not a FLAME head: {reason}.",
        "Use generic_model.pkl of FLAME 2020, flame2023.pkl or flame2023_Open.pkl, as downloaded.",
    )


def _narrow(array: np.ndarray) -> np.ndarray:
    kind = np.float32 if array.dtype.kind == "f" else np.int32
    return np.ascontiguousarray(array.astype(np.int64).astype(kind) if kind is np.int32 else array.astype(kind))


def _assets(release: str, arrays: dict[str, np.ndarray]) -> HeadAssets:
    vertices, faces = arrays["v_template"].astype(np.float32), arrays["f"]
    return HeadAssets(
        name=release,
        licence=LICENCES[release],
        content_hash=hash_arrays(arrays),
        v_template=vertices,
        faces=faces,
        uv=cylinder_uv(vertices),
        faces_uv=faces,
        shapedirs=np.ascontiguousarray(arrays["shapedirs"][:, :, :IDENTITY_DIRECTIONS], np.float32),
        exprdirs=np.ascontiguousarray(arrays["shapedirs"][:, :, IDENTITY_DIRECTIONS:], np.float32),
        expr_names=EXPR_NAMES,
        posedirs=arrays["posedirs"].astype(np.float32),
        J_regressor=arrays["J_regressor"].astype(np.float32),
        lbs_weights=arrays["weights"].astype(np.float32),
        parents=PARENTS,
        face_region=np.zeros(len(faces), np.int32),
        hidden=np.zeros(len(vertices), bool),
        mirror=mirror_vertices(vertices),
        landmark_faces=np.zeros(478, np.int32),
        landmark_bary=_corners(478),
        landmark_spread=np.full(478, np.inf, np.float32),
        ibug_faces=np.zeros(68, np.int32),
        ibug_bary=_corners(68),
    )


def _corners(count: int) -> np.ndarray:
    return np.tile(np.array([1, 0, 0], np.float32), (count, 1))
