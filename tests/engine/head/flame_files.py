"""Writes made-up FLAME models at full size, in exactly the layouts of the official releases."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse

FLAME_SURFACE = "head_models/flame2023_open_basis/flame_basis.npz"


class Python2Pickler(pickle._Pickler):
    """Writes byte strings and text as Python 2's `str`, as a pickle made there holds them."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def _save_old_string(self, value: bytes | str) -> None:
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[bytes] = _save_old_string
    dispatch[str] = _save_old_string


@contextmanager
def vanished_modules() -> Iterator[types.SimpleNamespace]:
    """Bring back, while pickling, the modules that FLAME 2020's objects come from: chumpy.ch and scipy.sparse.csc."""
    names = {"chumpy": (), "chumpy.ch": ("Ch",), "chumpy.reordering": ("Select",), "scipy.sparse.csc": ("csc_matrix",)}
    saved = {name: sys.modules.get(name) for name in names}
    made = types.SimpleNamespace()
    for name, classes in names.items():
        module = sys.modules[name] = types.ModuleType(name)
        for cls in classes:
            setattr(module, cls, type(cls, (), {"__module__": name}))
            setattr(made, cls, getattr(module, cls))
    try:
        yield made
    finally:
        for name, module in saved.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def flame2020_pickle(arrays: dict[str, np.ndarray]) -> bytes:
    """Return a Python 2 pickle (protocol 2) with chumpy arrays and an old scipy matrix, like generic_model.pkl."""
    stream = io.BytesIO()
    with vanished_modules() as old:
        content = {name: array for name, array in arrays.items() if name != "J_regressor"}
        for name in ("v_template", "shapedirs", "weights", "J"):
            content[name] = with_state(old.Ch(), {"x": content[name], "_dirty_vars": {"x"}, "_itr": None,
                                                  "_depends_on_deps": {}, "_make_dense": False})  # fmt: skip
        matrix = sparse.csc_matrix(arrays["J_regressor"])
        parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
        content["J_regressor"] = with_state(old.csc_matrix(), {"_shape": matrix.shape, "maxprint": 50, **parts})
        Python2Pickler(stream, protocol=2).dump(content | {"bs_style": "lbs", "bs_type": "lrotmin"})
    return stream.getvalue()


def flame2023_pickle(arrays: dict[str, np.ndarray], protocol: int = 4) -> bytes:
    """Return a Python 3 pickle of plain arrays and a scipy matrix, like flame2023.pkl."""
    matrix = sparse.csc_matrix(arrays["J_regressor"])
    content = arrays | {"J_regressor": matrix, "bs_style": "lbs", "bs_type": "lrotmin"}
    return pickle.dumps(content, protocol=protocol)


def with_state(value: object, state: dict) -> object:
    """Give an object its attributes."""
    value.__dict__.update(state)
    return value


@lru_cache(maxsize=1)
def made_up_arrays() -> dict[str, np.ndarray]:
    """Return a full-size model of random smooth data: a sphere of 5,023 points with FLAME's shapes and types."""
    rng = np.random.default_rng(0)
    k = np.arange(5023) + 0.5
    polar, azimuth = np.arccos(1 - 2 * k / 5023), np.pi * (1 + 5**0.5) * k
    ball = np.stack([np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)], -1)
    faces = rng.integers(0, 5023, (9976, 3))
    return complete_arrays(ball * [0.09, 0.15, 0.11], faces, smooth_directions(ball, 400, rng))


def complete_arrays(v_template: np.ndarray, faces: np.ndarray, shapedirs: np.ndarray) -> dict[str, np.ndarray]:
    """Add joints, weights and pose correctives of our own making to a surface: every key of an official file."""
    rng = np.random.default_rng(1)
    eyes = [[0.0317, 0.0229, 0.0258], [-0.0314, 0.0229, 0.0241]]
    joints = np.array([[0, -0.15, -0.02], [0, -0.08, -0.02], [0, 0.0, -0.01], *eyes])
    regressor = np.zeros((5, 5023))
    for row, joint in zip(regressor, joints, strict=True):
        near = np.argsort(np.linalg.norm(v_template - joint, axis=1))[:30]
        system = np.concatenate([v_template[near].T, np.ones((1, 30))])
        row[near] = np.linalg.lstsq(system, np.append(joint, 1), rcond=None)[0]
    return {
        "v_template": v_template,
        "f": faces.astype(np.uint32),
        "shapedirs": shapedirs,
        "posedirs": smooth_directions(v_template / 0.1, 36, rng) * 0.3,
        "J_regressor": regressor,
        "weights": made_up_weights(v_template),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "J": regressor @ v_template,
    }


def made_up_weights(vertices: np.ndarray) -> np.ndarray:
    """Return smooth skinning weights: neck below, jaw in front of and below the mouth, eyeballs of their own."""
    neck = np.clip((vertices[:, 1] + 0.16) / 0.06, 0, 1)
    jaw = np.clip((-0.048 - vertices[:, 1]) / 0.01, 0, 1) * np.clip((vertices[:, 2] + 0.01) / 0.04, 0, 1)
    weights = np.stack([1 - neck, neck * (1 - jaw), neck * jaw, 0 * neck, 0 * neck], -1)
    weights[3931:4477] = np.eye(5)[3]
    weights[4477:] = np.eye(5)[4]
    return weights


def smooth_directions(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (V, 3, count) low-frequency displacement fields of about a millimetre."""
    waves, phases = rng.normal(0, 2, (3, count, 3)), rng.uniform(0, 6, (3, count))
    return np.stack([np.sin(points @ waves[axis].T + phases[axis]) for axis in range(3)], 1) * 0.001


def real_surface_arrays(shared_data: Path) -> dict[str, np.ndarray]:
    """Complete FLAME's real surface and 60 real identity directions with made-up expressions, joints and weights."""
    stored = np.load(shared_data / FLAME_SURFACE, allow_pickle=False)
    vertices = stored["v_template"].astype(float)
    rng = np.random.default_rng(2)
    padding = smooth_directions(vertices / 0.1, 240, rng) * 0.1
    expressions = smooth_directions(vertices / 0.05, 100, rng)
    directions = np.concatenate([stored["shapedirs"].astype(float), padding, expressions], -1)
    return complete_arrays(vertices, stored["faces"], directions)
