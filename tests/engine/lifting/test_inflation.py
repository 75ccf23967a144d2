"""Inflation: a disk becomes a sphere, known depths are kept, limbs have their own depth, and the surface is closed."""

from __future__ import annotations

import numpy as np
import trimesh

from likeness.geometry.cameras import look_at_face
from likeness.lifting.inflation import GRID, Cells, closed_surface, solve_poisson, union_of_balls

ROW, COLUMN = np.mgrid[0:GRID, 0:GRID] + 0.5
RADIUS = 50.0
DISTANCE2 = (ROW - GRID / 2) ** 2 + (COLUMN - GRID / 2) ** 2
DISK = DISTANCE2 < RADIUS**2
NOTHING = np.zeros((GRID, GRID), bool)


def cells_of(inside):
    return Cells(inside, np.ones_like(inside), NOTHING, NOTHING)


def test_a_disk_becomes_a_sphere():
    solved = solve_poisson(cells_of(DISK), np.full(DISK.shape, np.nan), np.full(DISK.shape, 4.0))
    # The outline's zero sits in the centres of the cells outside, half a cell further out.
    sphere = np.clip((RADIUS + 0.5) ** 2 - DISTANCE2, 0, None)
    inner = DISTANCE2 < (0.9 * RADIUS) ** 2
    np.testing.assert_allclose(np.sqrt(solved[inner]), np.sqrt(sphere[inner]), rtol=0.03)


def test_known_cells_keep_their_depth_and_the_rest_joins_them():
    known = np.where(DISTANCE2 < 100, 900.0, np.nan)
    solved = solve_poisson(cells_of(DISK), known, np.zeros(DISK.shape))
    assert (solved[DISTANCE2 < 100] == 900).all()
    # Without a source the solution is harmonic: between its boundary values, log-linear in the radius.
    radius = np.sqrt(DISTANCE2)
    ring = (radius > 15) & (radius < 45)
    expected = 900 * np.log(RADIUS / radius[ring]) / np.log(RADIUS / 10)
    np.testing.assert_allclose(solved[ring], expected, atol=45)


def test_an_open_border_does_not_pull_the_surface_down():
    cut = np.zeros_like(DISK)
    cut[: GRID // 2] = True
    cells = Cells(DISK & cut, cut, NOTHING, ~NOTHING)
    solved = solve_poisson(cells, np.full(DISK.shape, np.nan), np.full(DISK.shape, 4.0))
    middle = solved[GRID // 2 - 1, GRID // 2]
    assert abs(np.sqrt(middle) - RADIUS) < 2


def test_what_lies_beyond_the_picture_continues_the_inside():
    """A head whose crown the photograph cuts off is inflated as if the photograph went on."""
    in_photo = np.zeros_like(DISK)
    in_photo[GRID // 2 :] = True
    cells = Cells(DISK, in_photo, NOTHING, NOTHING)
    nothing_known = np.full(DISK.shape, np.nan)
    solved = solve_poisson(cells, nothing_known, np.full(DISK.shape, 4.0))
    np.testing.assert_allclose(solved, solve_poisson(cells_of(DISK), nothing_known, np.full(DISK.shape, 4.0)))


def test_every_limb_has_its_own_depth():
    """A bun on a head is as deep as it is wide, however deep the head is."""
    bun = (ROW - 10) ** 2 + (COLUMN - 64) ** 2 < 8**2
    depth = np.sqrt(union_of_balls(cells_of(bun | (DISTANCE2 < 40**2))))
    assert abs(depth[10, 64] - 8) < 1
    assert abs(depth[64, 64] - 40) < 1.5
    assert depth[~(bun | (DISTANCE2 < 40**2))].max() == 0


def test_the_surface_is_closed_faces_outwards_and_its_chart_keeps_lengths():
    camera = look_at_face(1.0, 300.0, GRID, GRID)
    half = np.clip(RADIUS**2 - DISTANCE2, 0, None) / 300.0**2
    surface = closed_surface(camera, cells_of(DISK), np.ones(DISK.shape), half, half)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    mesh.merge_vertices(digits_vertex=9)
    # On the outline the halves touch in whole triangles, so an edge may have four; closed means an even number.
    assert (np.unique(mesh.edges_sorted, axis=0, return_counts=True)[1] % 2 == 0).all()
    assert abs(mesh.volume / (4 / 3 * np.pi * (RADIUS / 300) ** 3) - 1) < 0.1
    front_z = surface.vertices[surface.faces[surface.is_front]].mean((0, 1))[2]
    assert front_z > surface.vertices[surface.faces[~surface.is_front]].mean((0, 1))[2]
    # Along the middle row the back is part of a great circle.
    row = (GRID + 1) ** 2 + (GRID // 2) * (GRID + 1) + np.arange(GRID + 1)
    inside = np.abs(np.arange(GRID + 1) - GRID / 2) <= 0.8 * RADIUS
    length = np.ptp(surface.chart[row][inside, 0])
    assert abs(length / (2 * np.arcsin(0.8) * RADIUS / 300) - 1) < 0.1
