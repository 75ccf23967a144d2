"""Closed-form matting (Levin, Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting", 2008).

Written in NumPy and SciPy so that nothing is compiled at the first call. The matting Laplacian is gathered as the 25
bands of a 5 x 5 stencil, and the system is solved for the unknown pixels alone, from coarse to fine.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.linalg import cg

EPSILON = 1e-5
"""Levin's regularisation of each window's colour covariance (colours 0..1)."""
COARSEST = 96
TOLERANCE = 1e-4
MAX_ITERATIONS = 120


def solve_alpha(
    rgb: Float[np.ndarray, "S S 3"], prior: Float[np.ndarray, "S S"], weight: Float[np.ndarray, "S S"]
) -> Float[np.ndarray, "S S"]:
    """Minimise alpha' L alpha + sum weight (alpha - prior)^2.

    An infinite weight fixes a pixel at its prior; NaN leaves it out, as the picture ends there.
    """
    size = rgb.shape[0]
    start = prior
    if size // 2 >= COARSEST:
        half = [_halve(image) for image in (rgb, prior)]
        coarse = solve_alpha(half[0], half[1], _halve_weight(weight))
        start = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    unknown = np.isfinite(weight)
    alpha = np.where(unknown, start, prior).astype(np.float64)
    if not unknown.any():
        return alpha
    rows = matting_laplacian(rgb, unknown, ~np.isnan(weight))
    own_weight = weight[unknown].astype(np.float64)
    matrix = rows[:, np.flatnonzero(unknown)] + sparse.diags(own_weight)
    right = own_weight * prior[unknown] - rows @ np.where(unknown, 0.0, prior).ravel()
    inverse_diagonal = sparse.diags(1.0 / np.maximum(matrix.diagonal(), 1e-12))
    solution, _ = cg(matrix, right, alpha[unknown], rtol=TOLERANCE, maxiter=MAX_ITERATIONS, M=inverse_diagonal)
    alpha[unknown] = solution
    return np.clip(alpha, 0.0, 1.0)


def _halve(image: Float[np.ndarray, "S S *C"]) -> Float[np.ndarray, "T T *C"]:
    half = image.shape[0] // 2
    return cv2.resize(image, (half, half), interpolation=cv2.INTER_AREA)


def _halve_weight(weight: Float[np.ndarray, "S S"]) -> Float[np.ndarray, "T T"]:
    """A coarse pixel is fixed where all of its four are."""
    unknown = np.isfinite(weight)
    half = _halve(np.where(unknown, weight, 0.0))
    half = np.where(_halve(unknown.astype(np.float64)) > 0, half, np.inf)
    return np.where(_halve(np.isnan(weight).astype(np.float64)) > 0, np.nan, half)


def matting_laplacian(
    rgb: Float[np.ndarray, "H W 3"], unknown: Bool[np.ndarray, "H W"], valid: Bool[np.ndarray, "H W"]
) -> sparse.csr_matrix:
    """Build the unknown pixels' rows of L, (U, H*W), from the valid 3 x 3 windows (Levin 2008, equation 12)."""
    height, width = unknown.shape
    index = np.arange(height * width).reshape(height, width)
    square = np.ones((3, 3), np.uint8)
    centers = cv2.dilate(unknown.astype(np.uint8), square) & cv2.erode(valid.astype(np.uint8), square)
    centers = centers[1:-1, 1:-1].astype(bool)
    windows = np.stack(
        [index[y : height - 2 + y, x : width - 2 + x][centers] for y in range(3) for x in range(3)], axis=1
    )
    affinity = _window_affinities(rgb.reshape(-1, 3)[windows])
    bands: dict[int, np.ndarray] = {}
    for i in range(9):
        for j in range(9):
            offset = (j // 3 - i // 3) * width + (j % 3 - i % 3)
            band = bands.setdefault(offset, np.zeros(height * width))
            band[windows[:, i]] -= affinity[:, i, j]
    bands[0] += np.bincount(windows.ravel(), minlength=height * width)
    return _rows_from_bands(bands, np.flatnonzero(unknown), height * width)


def _window_affinities(colors: Float[np.ndarray, "N 9 3"]) -> Float[np.ndarray, "N 9 9"]:
    """Affinity (1 + (I_i - mu)' (Sigma + eps/9)^-1 (I_j - mu)) / 9 of the pixels of each window."""
    centered = colors - colors.mean(1, keepdims=True)
    covariance = centered.transpose(0, 2, 1) @ centered / 9 + np.eye(3) * (EPSILON / 9)
    return (1 + centered @ _inverse_symmetric(covariance) @ centered.transpose(0, 2, 1)) / 9


def _inverse_symmetric(matrix: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, "N 3 3"]:
    """Invert by the adjugate, which is several times faster than LAPACK for many small matrices."""
    a, b, c = matrix[:, 0].T
    d, e, f = matrix[:, 1, 1], matrix[:, 1, 2], matrix[:, 2, 2]
    adjugate = np.array(
        [
            [d * f - e * e, c * e - b * f, b * e - c * d],
            [c * e - b * f, a * f - c * c, b * c - a * e],
            [b * e - c * d, b * c - a * e, a * d - b * b],
        ]
    ).transpose(2, 0, 1)
    determinant = a * adjugate[:, 0, 0] + b * adjugate[:, 0, 1] + c * adjugate[:, 0, 2]
    return adjugate / determinant[:, None, None]


def _rows_from_bands(
    bands: dict[int, Float[np.ndarray, "N"]], rows: Int[np.ndarray, "M"], count: int
) -> sparse.csr_matrix:
    """Assemble the given rows of the matrix whose entry (i, i + offset) is bands[offset][i]."""
    offsets = np.array(sorted(bands))
    values = np.stack([bands[offset][rows] for offset in offsets], axis=1)
    columns = np.clip(rows[:, None] + offsets, 0, count - 1)
    pointers = np.arange(len(rows) + 1) * len(offsets)
    return sparse.csr_matrix((values.ravel(), columns.ravel(), pointers), shape=(len(rows), count))
