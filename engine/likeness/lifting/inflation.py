"""Depth from an outline: two ways to blow up a silhouette, and the closed surface between the two halves.

Inflation solves Poisson's equation  laplacian(u) = -4 c  for the squared half depth u, with u = 0 on the outline and
known values where a face is (Joshi and Carr, Repousse: Automatic Inflation of 2D Artwork, 2008; a disk becomes a sphere
for c = 1). It joins known surfaces smoothly, but a bun on a head becomes a slab as deep as the head. The union of all
balls that fit the outline (its medial axis transform) gives every limb its own depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from likeness.geometry.cameras import Camera

GRID = 128
"""Cells along the side of the coarse grid on which depths are solved."""


@dataclass(frozen=True)
class Cells:
    """The matte on the coarse grid."""

    inside: Bool[np.ndarray, "G G"]
    in_photo: Bool[np.ndarray, "G G"]
    skin: Bool[np.ndarray, "G G"]
    open_border: Bool[np.ndarray, "G G"]
    """Cells whose body the picture's border cuts: the torso. A head is closed even where the picture ends."""


def union_of_balls(cells: Cells) -> Float[np.ndarray, "G G"]:
    """Squared half depth, in cells, of the union of all balls whose middle cut fits the outline."""
    cut = ~cells.in_photo & cells.open_border
    solid = np.pad(cells.inside | cut, 1, mode="edge")
    radius2 = (np.maximum(ndimage.distance_transform_edt(solid)[1:-1, 1:-1] - 0.5, 0)) ** 2
    away2 = (np.arange(GRID)[:, None] - np.arange(GRID)) ** 2
    down = (radius2[None] - away2[:, :, None]).max(1)
    u = (down[:, None, :] - away2[None]).max(2)
    return np.where(cells.inside, np.maximum(u, 0), 0)


def solve_poisson(
    cells: Cells, known: Float[np.ndarray, "G G"], source: Float[np.ndarray, "G G"]
) -> Float[np.ndarray, "G G"]:
    """Solve the 5-point Poisson equation over the matte, NaN in `known` being what is sought.

    Background cells hold 0; `cells.open_border` lets the surface run on beyond the picture (no flux).
    """
    sought = cells.inside & np.isnan(known)
    index = np.full(sought.shape, -1)
    index[sought] = np.arange(sought.sum())
    fixed = np.where(cells.inside, np.nan_to_num(known), 0.0)
    right, diagonal = source[sought].copy(), np.zeros(int(sought.sum()))
    rows, columns = [], []
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        neighbour = np.roll(index, shift, axis)[sought]
        wraps = _wraps(sought, shift, axis)
        beyond = ~np.roll(cells.in_photo, shift, axis)[sought] | wraps
        flows = ~(beyond & cells.open_border[sought])
        inner = flows & (neighbour >= 0) & ~wraps
        diagonal += flows
        rows.append(np.flatnonzero(inner))
        columns.append(neighbour[inner])
        right += np.where(flows & ~inner & ~wraps, np.roll(fixed, shift, axis)[sought], 0)
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.diags(diagonal + 1e-9) - sparse.csr_matrix((np.ones(len(row)), (row, column)), 2 * diagonal.shape)
    solved = fixed.copy()
    solved[sought] = spsolve(matrix.tocsc(), right)
    return solved


def _wraps(sought: Bool[np.ndarray, "G G"], shift: int, axis: int) -> Bool[np.ndarray, "U"]:
    """Mark the sought cells whose neighbour lies beyond the grid, where np.roll comes back from the other side."""
    edge = np.zeros(sought.shape, bool)
    np.moveaxis(edge, axis, 0)[0 if shift > 0 else -1] = True
    return edge[sought]


def upsample(grid: Float[np.ndarray, "G G"], size: int) -> Float[np.ndarray, "S S"]:
    """Interpolate a grid to the working square."""
    return cv2.resize(np.asarray(grid, np.float64), (size, size), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class ClosedSurface:
    """Front and back over the cells' corners; on the outline the two share one depth."""

    vertices: Float[np.ndarray, "C 3"]
    """Head space, metres; the front's, then the back's."""
    faces: Int[np.ndarray, "T 3"]
    """Normals outwards; front triangles only where no skin is, back triangles everywhere."""
    is_front: Bool[np.ndarray, "T"]
    chart: Float[np.ndarray, "C 2"]
    """Every vertex's place on a flattened hide: arc length along its row and its column, metres."""


def closed_surface(
    coarse: Camera,
    cells: Cells,
    middle: Float[np.ndarray, "G G"],
    front_u: Float[np.ndarray, "G G"],
    back_u: Float[np.ndarray, "G G"],
) -> ClosedSurface:
    """Triangulate both halves over the cells' corners."""
    outside = ~cells.inside & (cells.in_photo | ~cells.open_border)
    on_outline = ndimage.maximum_filter(np.pad(outside, 1, constant_values=False), 2)[1:, 1:]
    weight = np.pad(cells.inside, 1).astype(np.float64)

    def at_corners(values: Float[np.ndarray, "G G"]) -> Float[np.ndarray, "H H"]:
        total = ndimage.uniform_filter(np.pad(values, 1) * weight, 2, mode="constant")[1:, 1:]
        return total / np.maximum(ndimage.uniform_filter(weight, 2, mode="constant")[1:, 1:], 1e-9)

    depth = at_corners(middle)
    front = depth - np.where(on_outline, 0, np.sqrt(np.clip(at_corners(front_u), 0, None)))
    back = depth + np.where(on_outline, 0, np.sqrt(np.clip(at_corners(back_u), 0, None)))
    row, column = np.mgrid[0 : GRID + 1, 0 : GRID + 1]
    pixels = np.stack([column, row], -1).reshape(-1, 2).astype(np.float64)
    halves = [coarse.unproject(pixels, np.maximum(side.ravel(), 0.05)) for side in (front, back)]
    front_faces = _cell_faces(cells.inside & ~cells.skin)
    back_faces = _cell_faces(cells.inside)[:, ::-1] + (GRID + 1) ** 2
    is_front = np.arange(len(front_faces) + len(back_faces)) < len(front_faces)
    return ClosedSurface(
        vertices=np.concatenate(halves),
        faces=np.concatenate([front_faces, back_faces]),
        is_front=is_front,
        chart=np.concatenate([_arc_lengths(half.reshape(GRID + 1, GRID + 1, 3)) for half in halves]),
    )


def _arc_lengths(points: Float[np.ndarray, "H H 3"]) -> Float[np.ndarray, "HH 2"]:
    """Arc lengths from the middle column along the rows and from the middle row along the columns, metres."""
    lengths = []
    for axis in (1, 0):
        step = np.linalg.norm(np.diff(points, axis=axis), axis=2)
        along = np.cumsum(np.insert(step, 0, 0, axis=axis), axis=axis)
        lengths.append(along - np.take(along, [GRID // 2], axis=axis))
    return np.stack(lengths, -1).reshape(-1, 2)


def _cell_faces(cells: Bool[np.ndarray, "G G"]) -> Int[np.ndarray, "T 3"]:
    """Two triangles for every marked cell, anticlockwise as the camera sees them."""
    row, column = np.nonzero(cells)
    top_left = row * (GRID + 1) + column
    top_right, bottom_left = top_left + 1, top_left + GRID + 1
    first = np.stack([top_left, bottom_left, top_right], 1)
    second = np.stack([top_right, bottom_left, bottom_left + 1], 1)
    return np.concatenate([first, second])
