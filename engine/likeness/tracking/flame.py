"""From a user's FLAME file to a head that everything above can use like Open Head; done once per file, then cached."""

from __future__ import annotations

import os
import sys
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.atomic import atomic_write
from likeness.contract.errors import InputError
from likeness.contract.safe_npz import read_npz, write_npz
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import HeadAssets
from likeness.head.flame import EXPR_NAMES
from likeness.head.flame_completion import complete
from likeness.head.flame_lids import fit_ball
from likeness.head.flame_map import BROWS, Embedding, HeadMap, eyeballs, map_head, region_faces, transfer_regions
from likeness.head.model import load_open_head
from likeness.head.registration import Mesh, SurfacePoints, closest_points
from likeness.tracking.embedding import Stage, embed_landmarks, outside_views

RECIPE = 1
"""Counts up whenever completed heads come out differently; part of the cache's key."""
SKIN, LIP, HAIR = (0.80, 0.58, 0.47), (0.64, 0.32, 0.31), (0.12, 0.09, 0.07)
SCLERA, IRIS, PUPIL = (0.92, 0.90, 0.88), (0.28, 0.18, 0.11), (0.02, 0.02, 0.02)
PUPIL_END, IRIS_END = np.radians(12.0), np.radians(26.0)
BROW_HALF_WIDTH = 0.0041
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""Hidden between closed lips, so that they come from Open Head, whose were found on an open mouth."""


def complete_flame(flame: HeadAssets, cache: Path | None = None) -> HeadAssets:
    """Give a FLAME head what Open Head has, or take it from the cache folder (the user's own by default).

    Expression directions become ARKit's 52 and then FLAME's own 100; `content_hash` stays the file's. Takes some ten
    seconds the first time. Errors: InputError `head.no_face`; a cache that cannot be used is passed over.
    """
    open_head = load_open_head()
    file = _cache_file(flame.content_hash, cache)
    cached = _from_cache(file, flame)
    if cached is not None:
        return cached
    completed = complete(flame, open_head, *register_open_head(flame, open_head))
    _to_cache(file, completed)
    return completed


def cached_landmarks(content_hash: str, cache: Path | None = None) -> dict[str, np.ndarray] | None:
    """Return the landmarks of a FLAME head that was completed here before, by its content hash, or None."""
    try:
        stored = read_npz(_cache_file(content_hash, cache).read_bytes())
        return {name: stored[name] for name in ("landmark_faces", "landmark_bary", "landmark_spread")}
    except (OSError, InputError, KeyError):
        return None


def register_open_head(flame: HeadAssets, open_head: HeadAssets) -> tuple[HeadMap, Embedding]:
    """Find MediaPipe's landmarks on a FLAME head by rendering it, and register Open Head to it by them.

    Two rounds: the first detects on plain skin, the second on a face with lips, brows and hair painted where the
    first registration puts them. Errors: InputError `head.no_face`.
    """
    vertices = flame.v_template.astype(np.float64)
    eyeball = eyeballs(flame)[flame.faces[:, 0]]
    seen = outside_views(vertices, flame.faces)
    stage = Stage(vertices, flame.faces, _painted_eyes(flame), seen & (eyeball == 0), eyeball > 0)
    head_map = map_head(flame, open_head, embed_landmarks(stage), seen)
    regional = replace(flame, face_region=transfer_regions(head_map, open_head, flame))
    carriers = seen & region_faces(regional, "face", "lids_left", "lids_right", "lips", "scalp", "neck")
    stage = replace(stage, colors=_painted(regional, open_head, head_map), skin=carriers)
    embedding = _with_inner_lips(embed_landmarks(stage), regional, open_head, head_map)
    return map_head(flame, open_head, embedding, seen), embedding


def cache_folder() -> Path:
    """Return the user's cache folder for Likeness, by the platform's custom."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "likeness" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "likeness"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "likeness"


def _cache_file(content_hash: str, cache: Path | None) -> Path:
    key = sha256(f"{RECIPE} {content_hash} {load_open_head().content_hash}".encode()).hexdigest()[:32]
    return (cache or cache_folder()) / f"flame-{key}.npz"


def _painted_eyes(flame: HeadAssets) -> Float[np.ndarray, "V 3"]:
    """Return plain skin with eyes that look ahead, sRGB."""
    vertices, eyeball = flame.v_template.astype(np.float64), eyeballs(flame)
    colors = np.tile(SKIN, (len(vertices), 1))
    for number in (1, 2):
        center, _ = fit_ball(vertices[eyeball == number])
        offset = vertices[eyeball == number] - center
        angle = np.arctan2(np.linalg.norm(offset[:, :2], axis=1), offset[:, 2])[:, None]
        colors[eyeball == number] = np.where(angle < PUPIL_END, PUPIL, np.where(angle < IRIS_END, IRIS, SCLERA))
    return colors


def _painted(flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap) -> Float[np.ndarray, "V 3"]:
    """Paint lips, hair and brows where the registration puts Open Head's, sRGB."""
    colors = _painted_eyes(flame)
    for name, color in (("scalp", HAIR), ("lips", LIP)):
        colors[flame.faces[region_faces(flame, name)]] = color
    own = SurfacePoints(open_head.landmark_faces, open_head.landmark_bary, open_head.landmark_spread)
    landmarks = own.on(head_map.deformed, open_head.faces)
    distance = np.full(len(colors), np.inf)
    for upper, lower in BROWS:
        line = (landmarks[list(upper)] + landmarks[list(lower)]) / 2
        distance = np.minimum(distance, _distance_to_line(flame.v_template.astype(np.float64), line))
    brow = np.clip(1.6 - distance / BROW_HALF_WIDTH, 0, 1)[:, None]
    return colors * (1 - 0.75 * brow * (head_map.eyeball == 0)[:, None])


def _distance_to_line(points: Float[np.ndarray, "V 3"], line: Float[np.ndarray, "L 3"]) -> Float[np.ndarray, "V"]:
    """Return the distance of points to a chain of segments."""
    start, along = line[:-1], line[1:] - line[:-1]
    offset = points[:, None] - start
    place = np.clip((offset * along).sum(2) / (along**2).sum(1), 0, 1)
    return np.linalg.norm(offset - place[:, :, None] * along, axis=2).min(1)


def _with_inner_lips(found: Embedding, flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap) -> Embedding:
    """Take the inner lips' landmarks from the registered Open Head."""
    lips = list(INNER_LIPS)
    on_open = SurfacePoints(open_head.landmark_faces[lips], open_head.landmark_bary[lips], np.zeros(len(lips)))
    surface = Mesh(flame.v_template.astype(np.float64), flame.faces, region_faces(flame, "lips", "mouth_inside"))
    normals = on_open.on(vertex_normals(head_map.deformed, open_head.faces), open_head.faces)
    placed = closest_points(on_open.on(head_map.deformed, open_head.faces), surface, normals)
    points = {name: getattr(found.points, name).copy() for name in ("faces", "bary", "distance")}
    for name, values in points.items():
        values[lips] = getattr(placed, name)
    spread = found.spread.copy()
    spread[lips] = open_head.landmark_spread[lips]
    return Embedding(SurfacePoints(**points), spread)


def _to_cache(file: Path, head: HeadAssets) -> None:
    arrays = {f.name: getattr(head, f.name) for f in fields(head) if isinstance(getattr(head, f.name), np.ndarray)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            temporary.write_bytes(write_npz(arrays))
    except (OSError, InputError):
        return  # the head is whole without its cache; it will be completed again next time


def _from_cache(file: Path, flame: HeadAssets) -> HeadAssets | None:
    """Return the completed head, or None if the cache does not hold it soundly."""
    try:
        arrays = read_npz(file.read_bytes())
        return replace(flame, expr_names=ARKIT_NAMES + EXPR_NAMES, **arrays)
    except (OSError, InputError, TypeError):
        return None
