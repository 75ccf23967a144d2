"""Finds closed edge loops on MakeHuman's mesh, their columns in register: the grids of the lids and of the lips."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from likeness.head.lids import COLUMNS, MARGIN
from open_head.surface import HeadSurface

LID_STARTS = (7773, 7747, 13352, 6784, 11465, 6786, 6788, 11491, 6859, 6915, 6938)
"""One vertex of MakeHuman's base mesh (hm08) on each loop around the left eye, from the socket outwards."""
LIP_STARTS = (467, 509, 468, 474, 520, 537, 554, 571)
"""The upper lip's middle vertices on loops around the mouth, from the red of the lips inwards."""
LIP_COLUMNS = 38
CONTACT = 4
"""The loop where closed lips touch."""


def lid_loops(surface: HeadSurface, head: np.ndarray) -> np.ndarray:
    """Return (2, 11, 28) vertices of the left and right eye, columns from the inner corner over the upper lid."""
    loops = _registered(surface, LID_STARTS, COLUMNS, order=MARGIN)
    corner = np.sort(np.argsort(head[loops[MARGIN], 0])[:2])
    loops = np.roll(loops, -int(corner[1] if corner[1] - corner[0] == 1 else corner[0]), 1)
    quarter = COLUMNS // 4
    upper_first = head[loops[MARGIN, quarter], 1] > head[loops[MARGIN, -quarter], 1]
    left = loops if upper_first else loops[:, ::-1]
    return np.stack([left, surface.mirror[left]])


def lip_loops(surface: HeadSurface) -> np.ndarray:
    """Return (8, 38) vertices around the mouth; column 0 is the upper lip's middle, 19 the lower's."""
    return _registered(surface, LIP_STARTS, LIP_COLUMNS, order=0)


def lid_faces(surface: HeadSurface, loops: np.ndarray) -> np.ndarray:
    """Return (F,) bool: the triangles of one eye's lids and of the socket behind them."""
    count = len(surface.mirror)
    outer = np.zeros(count, bool)
    outer[loops[-1]] = True
    body = surface.face_group == "body"
    free = surface.faces[body & ~outer[surface.faces].any(1)]
    start, end = free[:, [0, 1]].ravel(), free[:, [1, 2]].ravel()
    links = sparse.coo_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
    piece = sparse.csgraph.connected_components(links, directed=False)[1]
    return body & (piece[surface.faces] == piece[loops[0, 0]]).any(1)


def neighbour_mean(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """Return the (V, V) matrix that averages each vertex's edge neighbours."""
    start, end = faces.ravel(), np.roll(faces, 1, 1).ravel()
    ends = (np.concatenate([start, end]), np.concatenate([end, start]))
    adjacency = sparse.coo_matrix((np.ones(len(ends[0])), ends), shape=(count, count)).tocsr()
    adjacency.data[:] = 1
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    return sparse.diags(1 / degree) @ adjacency


def _registered(surface: HeadSurface, starts: tuple[int, ...], length: int, *, order: int) -> np.ndarray:
    """Return (loops, length) head vertices; loop number `order` begins at its start, the others follow its rungs."""
    to_head = {int(vertex): k for k, vertex in enumerate(surface.kept)}
    neighbours, quads = _quad_mesh(surface)
    rings = [_closed_loop(to_head[start], length, neighbours, quads) for start in starts]
    rows = {order: rings[order]}
    for step, stop in ((1, len(rings)), (-1, -1)):
        for ring in range(order + step, stop, step):
            members = set(rings[ring])
            rows[ring] = [next(v for v in neighbours[vertex] if v in members) for vertex in rows[ring - step]]
    return np.array([rows[ring] for ring in range(len(rings))])


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


def _closed_loop(
    start: int, length: int, neighbours: dict[int, list[int]], quads: dict[int, list[set[int]]]
) -> list[int]:
    """Return the closed edge loop of this length through `start`: at every vertex it leaves between other quads."""
    for second in neighbours[start]:
        loop = [start, second]
        while len(loop) <= length:
            beside = set().union(*(quad for quad in quads[loop[-1]] if loop[-2] in quad))
            ahead = [vertex for vertex in neighbours[loop[-1]] if vertex not in beside]
            if len(ahead) != 1:
                break
            if ahead[0] == start and len(loop) == length:
                return loop
            loop.append(ahead[0])
    raise ValueError(f"no closed loop of {length} vertices passes through vertex {start}")
