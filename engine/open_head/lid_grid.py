"""Finds the lids' grid on MakeHuman's mesh: closed edge loops around each eye, their columns in register."""

from __future__ import annotations

import numpy as np
from likeness.head.lids import COLUMNS, LOOPS
from open_head.surface import HeadSurface
from scipy import sparse

LOOP_STARTS = (7773, 7747, 13352, 6784, 11465, 6786, 6788, 11491, 6859, 6915, 6938)
"""One vertex of MakeHuman's base mesh (hm08) on each loop around the left eye, from the socket outwards."""


def lid_loops(surface: HeadSurface, head: np.ndarray) -> np.ndarray:
    """Return (2, LOOPS, 28) vertices of the left and right eye, columns from the inner corner over the upper lid."""
    neighbours, quads = _quad_mesh(surface)
    to_head = {int(vertex): k for k, vertex in enumerate(surface.kept)}
    rings = [_closed_loop(to_head[start], neighbours, quads) for start in LOOP_STARTS]
    left = np.array([_in_register(rings, ring, neighbours, head) for ring in range(LOOPS)])
    return np.stack([left, surface.mirror[left]])


def _quad_mesh(surface: HeadSurface) -> tuple[dict[int, list[int]], dict[int, list[set[int]]]]:
    """Return the edge neighbours of every body vertex, and the polygons around it."""
    to_head = np.full(len(surface.base.vertices), -1)
    to_head[surface.kept] = np.arange(len(surface.kept))
    neighbours: dict[int, set[int]] = {}
    around: dict[int, list[set[int]]] = {}
    for polygon, group in zip(surface.base.polygons, surface.base.polygon_group, strict=True):
        corners = to_head[polygon].tolist()
        if group == "body" and min(corners) >= 0:
            for k, corner in enumerate(corners):
                neighbours.setdefault(corner, set()).update((corners[k - 1], corners[(k + 1) % len(corners)]))
                around.setdefault(corner, []).append(set(corners))
    return {vertex: sorted(others) for vertex, others in neighbours.items()}, around


def _closed_loop(start: int, neighbours: dict[int, list[int]], quads: dict[int, list[set[int]]]) -> list[int]:
    """Return the closed edge loop of 28 vertices through `start`."""
    for second in neighbours[start]:
        loop = [start, second]
        while len(loop) <= COLUMNS:
            beside = set().union(*(quad for quad in quads[loop[-1]] if loop[-2] in quad))
            ahead = [vertex for vertex in neighbours[loop[-1]] if vertex not in beside]
            if len(ahead) != 1:
                break
            if ahead[0] == start and len(loop) == COLUMNS:
                return loop
            loop.append(ahead[0])
    raise ValueError(f"no closed loop of {COLUMNS} vertices passes through vertex {start}")


def _in_register(
    rings: list[list[int]], ring: int, neighbours: dict[int, list[int]], head: np.ndarray
) -> list[int]:
    """Return one ring in the order of the margin's columns, following the rungs from ring to ring."""
    margin = 3
    current = _from_inner_corner(rings[margin], head)
    step = 1 if ring > margin else -1
    for following in range(margin + step, ring + step, step) if ring != margin else ():
        members = set(rings[following])
        current = [next(v for v in neighbours[vertex] if v in members) for vertex in current]
    return current


def _from_inner_corner(loop: list[int], head: np.ndarray) -> list[int]:
    """Turn the left eye's loop so that it starts at the inner corner (least x) and goes over the upper lid first."""
    corner = np.sort(np.argsort(head[loop, 0])[:2])
    start = int(corner[1] if corner[1] - corner[0] == 1 else corner[0])
    turned = loop[start:] + loop[:start]
    return turned if head[turned[COLUMNS // 4], 1] > head[turned[-(COLUMNS // 4)], 1] else turned[::-1]


def lid_faces(surface: HeadSurface, loops: np.ndarray) -> np.ndarray:
    """Return (F,) bool: the triangles of one eye's lids and of the socket behind them."""
    outer = np.zeros(len(surface.mirror), bool)
    outer[loops[-1]] = True
    body = surface.faces[surface.face_group == "body"]
    free = body[~outer[body].any(1)]
    links = sparse.coo_matrix((np.ones(len(free) * 2), (free[:, [0, 1]].ravel(), free[:, [1, 2]].ravel())),
                              shape=(len(outer), len(outer)))  # fmt: skip
    piece = sparse.csgraph.connected_components(links, directed=False)[1]
    return (piece[surface.faces] == piece[loops[0, 0]]).any(1) & (surface.face_group == "body")
