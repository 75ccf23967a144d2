"""Smooth colours carried into what is not known: a membrane (Perez et al., Poisson Image Editing, 2003)."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.linalg import splu


def membrane(
    image: Float[np.ndarray, "N N 3"], known: Bool[np.ndarray, "N N"], valid: Bool[np.ndarray, "N N"]
) -> Float[np.ndarray, "N N 3"]:
    """Let the known colours run on harmonically over the rest of what is valid, at half size.

    At least one pixel must be known; 0 far outside of what is valid.
    """
    size = len(image)
    half = size // 2
    weight = cv2.resize(known.astype(np.float32), (half, half), interpolation=cv2.INTER_AREA)
    total = cv2.resize(image * known[..., None], (half, half), interpolation=cv2.INTER_AREA)
    color = total / np.maximum(weight, 1e-6)[..., None]
    fixed = weight > 0
    inside = (cv2.resize(valid.astype(np.float32), (half, half), interpolation=cv2.INTER_AREA) > 0) & ~fixed
    index = np.full((half, half), -1)
    index[inside] = np.arange(inside.sum())
    color[inside] = _solve(index, fixed, color)
    color[~inside & ~fixed] = 0
    filled = blur_known(color, inside | fixed, 1.0)
    return cv2.resize(np.where((inside | fixed)[..., None], color, filled), (size, size))


def blur_known(
    image: Float[np.ndarray, "N N 3"], known: Bool[np.ndarray, "N N"], sigma: float
) -> Float[np.ndarray, "N N 3"]:
    """Blur without letting in what is not known; 0 far from what is."""
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma)
    total = cv2.GaussianBlur((image * known[..., None]).astype(np.float32), (0, 0), sigma)
    return total / np.maximum(weight, 1e-6)[..., None]


def _solve(
    index: Int[np.ndarray, "M M"], fixed: Bool[np.ndarray, "M M"], color: Float[np.ndarray, "M M 3"]
) -> Float[np.ndarray, "U 3"]:
    """Solve Laplace's equation for the pixels with an index; nothing flows over the edges of what is valid."""
    count = int(index.max()) + 1
    diagonal, right, rows, columns = np.zeros(count), np.zeros((count, 3)), [], []
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        own = np.take(index, range(max(step, 0), len(index) + min(step, 0)), axis)
        other = np.take(index, range(max(-step, 0), len(index) + min(-step, 0)), axis)
        other_fixed = np.take(fixed, range(max(-step, 0), len(index) + min(-step, 0)), axis)
        other_color = np.take(color, range(max(-step, 0), len(index) + min(-step, 0)), axis)
        linked, held = (own >= 0) & (other >= 0), (own >= 0) & other_fixed
        diagonal[own[linked]] += 1
        diagonal[own[held]] += 1
        right[own[held]] += other_color[held]
        rows.append(own[linked])
        columns.append(other[linked])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    links = sparse.csc_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    return splu((sparse.diags(diagonal) - links).tocsc()).solve(right)
