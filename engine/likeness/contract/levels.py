"""Levels of detail: every beginning of an avatar's Gaussians is a coarser avatar. NumPy alone, for engine and Blender.

An avatar's Gaussians lie in an order in which any beginning covers the whole head, closely where it counts. What a
level leaves out is made up for by widening what it keeps. Along a Z-curve (Morton 1966) neighbours in the order are
neighbours in space; drawing its places in the order of their reversed bits (van der Corput 1935) leaves, at any time,
nearly equal gaps on the curve, of which weights make some shorter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from likeness.contract.avatar import Avatar, BoundGaussians, Rig

Array = Annotated
LEVELS = {"100k": 100_000, "50k": 50_000, "20k": 20_000}
"""Gaussians of the named levels."""
MOST = 120_000
"""Gaussians that an avatar has at most."""
ORDER = "order", "importance"
"""What `settings` say of an avatar whose Gaussians lie in this order."""
WIDENING, MOST_WIDENING = 0.5, 8.0
"""What a Gaussian's covariance grows by for each that it stands for, and the most it may grow to: neighbours overlap
already, and in places several lie one behind the other. Less leaves holes in coarse levels, more blurs fine ones."""
MORTON_BITS = 10
DRAWS = 6
"""Places drawn on the curve for each Gaussian; those that none hits come last, by weight."""


def level(avatar: Avatar, count: int) -> Avatar:
    """Return the avatar with its first `count` Gaussians (at least one), widened; itself where it has no more."""
    avatar = in_order(avatar)
    if count >= len(avatar.gaussians.triangle):
        return avatar
    factor = widening(rest_means(avatar.rig, avatar.gaussians), count)
    kept = _taken(avatar, np.arange(len(factor)))
    basis = kept.gaussians.local_basis * np.sqrt(factor)[:, None, None]
    return replace(kept, gaussians=replace(kept.gaussians, local_basis=basis.astype(np.float32)))


def in_order(avatar: Avatar) -> Avatar:
    """Return the avatar with its Gaussians in order: an older one's are spread evenly, whatever they show."""
    if avatar.info.settings.get(ORDER[0]) == ORDER[1]:
        return avatar
    points = rest_means(avatar.rig, avatar.gaussians)
    return ordered(avatar, coverage_order(points, np.ones(len(points))))


def ordered(avatar: Avatar, order: Array[np.ndarray, "N"]) -> Avatar:
    """Return the avatar with its Gaussians in this order, and saying so."""
    info = replace(avatar.info, settings=avatar.info.settings | dict([ORDER]))
    return replace(_taken(avatar, order), info=info)


def coverage_order(points: Array[np.ndarray, "N 3"], weights: Array[np.ndarray, "N"]) -> Array[np.ndarray, "N"]:
    """Return an order of points whose every beginning is spread over all of them, by weight (positive)."""
    along = along_curve(points)
    if not len(along):
        return along
    reach = np.cumsum(np.asarray(weights, np.float64)[along])
    sequence = _van_der_corput(DRAWS * len(along))
    # Mirroring bits twice changes nothing: the draws in order are k / M, and the k-th of them is draw number M v_k.
    draws = np.arange(len(sequence)) / len(sequence) * reach[-1]
    hit = np.minimum(np.searchsorted(reach, draws, side="right"), len(along) - 1)
    begins = np.flatnonzero(np.diff(hit, prepend=-1))
    place = hit[begins]
    first = np.minimum.reduceat(sequence, begins)
    missed = np.setdiff1d(np.arange(len(along)), place)
    last = missed[np.argsort(-weights[along[missed]], kind="stable")]
    return along[np.concatenate([place[np.argsort(first)], last])]


def widening(points: Array[np.ndarray, "N 3"], count: int) -> Array[np.ndarray, "count"]:
    """Return the factor on the covariance of each of the first `count` points, which stand for all of them."""
    along = along_curve(points)
    kept = np.flatnonzero(along < count)
    borders = np.concatenate([[0.0], (kept[1:] + kept[:-1] + 1) / 2, [len(along)]])
    factor = np.empty(len(kept))
    factor[along[kept]] = np.clip(1 + WIDENING * (np.diff(borders) - 1), 1.0, MOST_WIDENING)
    return factor


def rest_means(rig: Rig, gaussians: BoundGaussians) -> Array[np.ndarray, "N 3"]:
    """Return the Gaussians' means on the neutral head, head space, metres."""
    a, b, c = np.moveaxis(rig.v_neutral[rig.faces[gaussians.triangle]].astype(np.float64), 1, 0)
    normal = np.cross(b - a, c - a)
    length = np.sqrt(np.linalg.norm(normal, axis=1, keepdims=True))
    frame = np.stack([b - a, c - a, normal / np.maximum(length, 1e-12)], axis=2)
    return a + np.einsum("nij,nj->ni", frame, gaussians.local_mean)


def _taken(avatar: Avatar, rows: Array[np.ndarray, "M"]) -> Avatar:
    """Return the avatar with these of its Gaussians."""
    names = BoundGaussians.__dataclass_fields__
    gaussians = {name: np.ascontiguousarray(getattr(avatar.gaussians, name)[rows]) for name in names}
    lighting = replace(avatar.lighting, normals=np.ascontiguousarray(avatar.lighting.normals[rows]))
    return replace(avatar, gaussians=BoundGaussians(**gaussians), lighting=lighting)


def along_curve(points: Array[np.ndarray, "N 3"]) -> Array[np.ndarray, "N"]:
    """Return the points in their order along a Z-curve, on a grid of 2^MORTON_BITS cells along the longest side."""
    points = np.asarray(points, np.float64)
    if not len(points):
        return np.zeros(0, np.int64)
    low = points.min(axis=0)
    side = max(float(np.ptp(points, axis=0).max()), 1e-12)
    cells = ((points - low) / side * ((1 << MORTON_BITS) - 1)).astype(np.uint32)
    codes = np.zeros(len(points), np.uint32)
    for bit in range(MORTON_BITS):
        for axis in range(3):
            codes |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(codes, kind="stable")


def _van_der_corput(count: int) -> Array[np.ndarray, "M"]:
    """Return at least `count` numbers in [0, 1), a power of two of them: i with its bits mirrored at the point."""
    bits = max(count - 1, 1).bit_length()
    values = np.arange(1 << bits, dtype=np.uint32)
    mirrored = np.zeros_like(values)
    for bit in range(bits):
        mirrored |= ((values >> bit) & 1) << (bits - 1 - bit)
    return mirrored / float(1 << bits)
