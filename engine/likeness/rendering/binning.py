"""Which Gaussians touch which tile of the picture, front to back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from likeness.contract.errors import InputError
from likeness.rendering.projection import View

TILE = 16
"""Pixels on the side of a tile. LLVM unrolls loops of 8 instead of turning them into vector instructions."""
MAX_PAIRS = 1 << 28
"""3 GB; a hundred thousand Gaussians of a head make under a million."""


class Bins(NamedTuple):
    """Pairs of tile and Gaussian. Tile t (row by row) has the pairs offsets[t]:offsets[t + 1], front to back."""

    offsets: np.ndarray
    splat: np.ndarray
    """The Gaussian of each pair."""
    slot: np.ndarray
    """The pair's place among all pairs sorted by Gaussian, where the backward pass leaves its gradient."""
    first_slot: np.ndarray
    """Where the slots of each Gaussian start; one more than there are Gaussians."""
    tiles_x: int
    tiles_y: int


def bin_splats(splats: np.ndarray, view: View) -> Bins:
    """Sort the pairs by tile and then by exact depth; equally deep Gaussians keep their order.

    Errors: InputError `gaussians.too_large`.
    """
    tiles_x, tiles_y = -(-view.width // TILE), -(-view.height // TILE)
    first_slot, offsets = _count_pairs(splats, tiles_x, tiles_y)
    if offsets[-1] > MAX_PAIRS:
        raise InputError(
            "gaussians.too_large",
            f"The Gaussians cover the picture too many times over ({offsets[-1]} pairs of Gaussian and tile).",
            "Make the picture smaller, or move the camera away from the head.",
        )
    order = _argsort(np.ascontiguousarray(splats["depth"]).view(np.uint32))
    splat, slot = _fill_pairs(order, splats, first_slot, offsets, tiles_x)
    return Bins(offsets, splat, slot, first_slot, tiles_x, tiles_y)


@njit(cache=True, nogil=True, error_model="numpy")
def _tile_rectangle(splat, tiles_x, tiles_y):
    """Return left, top, right, bottom (exclusive) of the tiles in which the splat covers a pixel centre."""
    left = max(np.ceil(splat.x - splat.reach_x - 0.5), 0.0)
    top = max(np.ceil(splat.y - splat.reach_y - 0.5), 0.0)
    right = min(np.floor(splat.x + splat.reach_x - 0.5), tiles_x * TILE - 1.0)
    bottom = min(np.floor(splat.y + splat.reach_y - 0.5), tiles_y * TILE - 1.0)
    if splat.opacity == 0.0 or left > right or top > bottom:
        return 0, 0, 0, 0
    column, end_column = int(left) // TILE, int(right) // TILE + 1
    return column, int(top) // TILE, end_column, int(bottom) // TILE + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _count_pairs(splats, tiles_x, tiles_y):
    """Return the first slot of each splat and the first pair of each tile, both with the total at the end."""
    first_slot = np.zeros(len(splats) + 1, np.int64)
    offsets = np.zeros(tiles_x * tiles_y + 1, np.int64)
    for i in range(len(splats)):
        left, top, right, bottom = _tile_rectangle(splats[i], tiles_x, tiles_y)
        first_slot[i + 1] = first_slot[i] + (right - left) * (bottom - top)
        for row in range(top, bottom):
            for column in range(left, right):
                offsets[row * tiles_x + column + 1] += 1
    return first_slot, np.cumsum(offsets)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_pairs(order, splats, first_slot, offsets, tiles_x):
    """Walk the splats from near to far and append each to its tiles."""
    splat = np.empty(offsets[-1], np.int32)
    slot = np.empty(offsets[-1], np.int64)
    cursor = offsets[:-1].copy()
    for i in order:
        if first_slot[i + 1] == first_slot[i]:
            continue
        left, top, right, bottom = _tile_rectangle(splats[i], tiles_x, len(cursor) // tiles_x)
        pair = first_slot[i]
        for row in range(top, bottom):
            for column in range(left, right):
                place = cursor[row * tiles_x + column]
                cursor[row * tiles_x + column] = place + 1
                splat[place] = i
                slot[place] = pair
                pair += 1
    return splat, slot


@njit(cache=True, nogil=True, error_model="numpy")
def _argsort(keys):
    """Sort stably by radix, 11 bits a pass; the bits of positive floats sort as the floats do."""
    order = np.arange(len(keys), dtype=np.int32)
    spare = np.empty_like(order)
    for shift in (0, 11, 22):
        place = np.zeros(2049, np.int64)
        for key in keys:
            place[((key >> shift) & 2047) + 1] += 1
        place = np.cumsum(place)
        for i in order:
            digit = (keys[i] >> shift) & 2047
            spare[place[digit]] = i
            place[digit] += 1
        order, spare = spare, order
    return order
