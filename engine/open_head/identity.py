"""Identity directions: principal components over heads drawn from MakeHuman's phenotypes and local changes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from open_head.surface import HeadSurface

SAMPLES = 1500
DIRECTIONS = 80
LOCAL_SIGMA = 0.22
ASYMMETRY_SIGMA = 0.04
LOCAL_FOLDERS = ("head", "neck", "ears", "eyes", "nose", "mouth", "chin", "cheek", "forehead", "eyebrows")
OPPOSITES = (("decr", "incr"), ("in", "out"), ("down", "up"), ("backward", "forward"), ("concave", "convex"))
RACES, GENDERS, AGES, AMOUNTS = (
    ("african", "asian", "caucasian"), ("female", "male"), ("young", "old"), ("min", "average", "max"),
)  # fmt: skip


def identity_basis(surface: HeadSurface) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean head (V, 3) and the identity directions (V, 3, S), metres, one standard deviation each.

    The heads and their mirror images form the population, so every direction is either symmetric or antisymmetric.
    """
    heads = _aligned(_draw_heads(surface, np.random.default_rng(0)), _alignment_vertices(surface))
    mirrored = heads[:, surface.mirror] * np.array([-1, 1, 1])
    mean = (heads.mean(0) + mirrored.mean(0)) / 2
    even, odd = (heads + mirrored) / 2 - mean, (heads - mirrored) / 2
    weight = np.where(mean[:, 1] < -0.14, 0.5, 1.0)
    flipped = np.array([-1, 1, 1])
    directions = [(d + d[surface.mirror] * flipped) / 2 for d in _principal(even, weight)]
    directions += [(d - d[surface.mirror] * flipped) / 2 for d in _principal(odd, weight)]
    directions.sort(key=lambda d: -np.sqrt((d * weight[:, None] ** 2 * d).sum()))
    basis = np.stack(directions[:DIRECTIONS], -1)
    mean = mean - np.mean([mean[ring].mean(0) for ring in surface.eye_equators], 0)
    return (mean + mean[surface.mirror] * flipped) / 2, basis


def growth(surface: HeadSurface, mean: np.ndarray) -> float:
    """Return the mean head's size over MakeHuman's base head, for shapes made on the base."""
    members = _alignment_vertices(surface)
    base, goal = surface.points(surface.base.vertices)[members], mean[members]
    return float(np.linalg.norm(goal - goal.mean(0)) / np.linalg.norm(base - base.mean(0)))


def _principal(centred: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Return the leading components of (N, V, 3) samples, scaled to one standard deviation, signs fixed."""
    flat = (centred * weight[:, None]).reshape(len(centred), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    components = []
    for k in np.argsort(-values)[:DIRECTIONS]:
        direction = np.tensordot(vectors[:, k], centred, 1) / np.sqrt(len(centred))
        strongest = np.abs(direction).argmax()
        components.append(direction * np.sign(direction.ravel()[strongest]))
    return components


def _alignment_vertices(surface: HeadSurface) -> np.ndarray:
    head = surface.points(surface.base.vertices)
    body = np.zeros(len(head), bool)
    body[surface.vertices_of("body")] = True
    return np.flatnonzero(body & (head[:, 1] > -0.09))


def _aligned(heads: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Align every head to the mean by a similarity over the members (Umeyama 1991): a picture cannot tell size."""
    goal = heads.mean(0)[members]
    goal_centre = goal.mean(0)
    aligned = []
    for head in heads:
        centre = head[members].mean(0)
        source, target = head[members] - centre, goal - goal_centre
        U, singular, Vt = np.linalg.svd(source.T @ target)
        handed = np.array([1, 1, np.sign(np.linalg.det(U @ Vt))])
        scale = (singular * handed).sum() / (source**2).sum()
        aligned.append(scale * (head - centre) @ ((U * handed) @ Vt) + goal_centre)
    return np.stack(aligned)


def _draw_heads(surface: HeadSurface, random: np.random.Generator) -> np.ndarray:
    """Return (SAMPLES, V, 3) random heads, metres."""
    local, races, bodies = _local_axes(surface), _races(surface), _bodies(surface)
    heads = np.empty((SAMPLES, *surface.points(surface.base.vertices).shape))
    heads[:] = surface.points(surface.base.vertices)
    for head in heads:
        gender, age = random.random(), random.random() ** 1.5
        race = random.dirichlet([0.5] * 3)
        muscle, fat = np.clip(random.normal(0.5, 0.15), 0, 1), np.clip(random.normal(0.5, 0.2), 0, 1)
        old = np.multiply.outer([1 - gender, gender], [1 - age, age])
        head += np.tensordot(np.multiply.outer(race, old), races, 3)
        head += np.tensordot(np.multiply.outer(old, np.multiply.outer(_amounts(muscle), _amounts(fat))), bodies, 4)
        _add_local(head, local, random)
    return heads


def _amounts(x: float) -> list[float]:
    """Return the weights of MakeHuman's min, average and max targets for a slider in 0..1."""
    return [max(0.0, 1 - 2 * x), 1 - abs(2 * x - 1), max(0.0, 2 * x - 1)]


def _add_local(head: np.ndarray, axes: dict[str, dict[int, np.ndarray]], random: np.random.Generator) -> None:
    shared: dict[str, float] = {}
    for name, ends in axes.items():
        both_sides = re.sub(r"/[lr]-", "/", name)
        common = shared.setdefault(both_sides, random.normal(0, LOCAL_SIGMA))
        amount = np.clip(common + random.normal(0, ASYMMETRY_SIGMA), -1, 1)
        if name.startswith("head/") and "trans" in name:
            amount *= 0.3
        end = ends.get(1 if amount > 0 else -1)
        if end is not None:
            head += end * abs(amount)


def _local_axes(surface: HeadSurface) -> dict[str, dict[int, np.ndarray]]:
    """Return the local targets by axis; an axis has a positive and often a negative end."""
    axes: dict[str, dict[int, np.ndarray]] = {}
    root = surface.base.folder / "mpfb2/targets"
    for folder in LOCAL_FOLDERS:
        for file in sorted((root / folder).glob("*.target.gz")):
            name, sign = _axis_of(f"{folder}/{file.name.removesuffix('.target.gz')}")
            displacement = surface.base.target(str(Path("mpfb2/targets") / folder / file.name))
            axes.setdefault(name, {})[sign] = surface.directions(displacement)
    return axes


def _axis_of(name: str) -> tuple[str, int]:
    for negative, positive in OPPOSITES:
        if name.endswith(f"-{negative}"):
            return name.removesuffix(negative), -1
        if name.endswith(f"-{positive}"):
            return name.removesuffix(positive), 1
    return name, 1


def _races(surface: HeadSurface) -> np.ndarray:
    """Return the ethnic targets, (3 races, 2 genders, 2 ages, V, 3)."""
    names = [[[f"{race}-{gender}-{age}" for age in AGES] for gender in GENDERS] for race in RACES]
    return _macro(surface, np.array(names))


def _bodies(surface: HeadSurface) -> np.ndarray:
    """Return the universal targets, (2 genders, 2 ages, 3 muscle, 3 weight, V, 3)."""
    names = [
        [[[f"universal-{g}-{a}-{m}muscle-{w}weight" for w in AMOUNTS] for m in AMOUNTS] for a in AGES] for g in GENDERS
    ]
    return _macro(surface, np.array(names))


def _macro(surface: HeadSurface, names: np.ndarray) -> np.ndarray:
    files = [f"mpfb2/targets/macrodetails/{name}.target.gz" for name in names.ravel()]
    stacked = np.stack([surface.directions(surface.base.target(file)) for file in files])
    return stacked.reshape(*names.shape, *stacked.shape[1:])
