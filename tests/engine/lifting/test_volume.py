"""Inflation: a disk becomes a sphere, known depths are kept, and the surface is closed."""

from __future__ import annotations

import numpy as np
import trimesh

from likeness.geometry.cameras import look_at_face
from likeness.lifting.visibility import explain_pixels
from likeness.lifting.volume import GRID, _Cells, _closed_surface, _solve_poisson, inflate

ROW, COLUMN = np.mgrid[0:GRID, 0:GRID] + 0.5
RADIUS = 50.0
DISTANCE2 = (ROW - GRID / 2) ** 2 + (COLUMN - GRID / 2) ** 2
DISK = DISTANCE2 < RADIUS**2
NOTHING = np.zeros((GRID, GRID), bool)


def disk_cells():
    return _Cells(DISK, np.ones_like(DISK), NOTHING, NOTHING)


def test_a_disk_becomes_a_sphere():
    solved = _solve_poisson(disk_cells(), np.full(DISK.shape, np.nan), np.full(DISK.shape, 4.0))
    # The outline's zero sits in the centres of the cells outside, half a cell further out.
    sphere = np.clip((RADIUS + 0.5) ** 2 - DISTANCE2, 0, None)
    inner = DISTANCE2 < (0.9 * RADIUS) ** 2
    np.testing.assert_allclose(np.sqrt(solved[inner]), np.sqrt(sphere[inner]), rtol=0.03)


def test_known_cells_keep_their_depth_and_the_rest_joins_them():
    known = np.where(DISTANCE2 < 100, 900.0, np.nan)
    solved = _solve_poisson(disk_cells(), known, np.zeros(DISK.shape))
    assert (solved[DISTANCE2 < 100] == 900).all()
    # Without a source the solution is harmonic: between its boundary values, log-linear in the radius.
    radius = np.sqrt(DISTANCE2)
    ring = (radius > 15) & (radius < 45)
    expected = 900 * np.log(RADIUS / radius[ring]) / np.log(RADIUS / 10)
    np.testing.assert_allclose(solved[ring], expected, atol=45)


def test_an_open_border_does_not_pull_the_surface_down():
    cut = np.zeros_like(DISK)
    cut[: GRID // 2] = True
    cells = _Cells(DISK & cut, cut, NOTHING, ~NOTHING)
    solved = _solve_poisson(cells, np.full(DISK.shape, np.nan), np.full(DISK.shape, 4.0))
    middle = solved[GRID // 2 - 1, GRID // 2]
    assert abs(np.sqrt(middle) - RADIUS) < 2


def test_the_surface_is_closed_and_faces_outwards():
    camera = look_at_face(1.0, 300.0, GRID, GRID)
    half = np.clip(RADIUS**2 - DISTANCE2, 0, None) / 300.0**2
    vertices, faces, is_front = _closed_surface(camera, disk_cells(), np.ones(DISK.shape), half, half)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    mesh.merge_vertices(digits_vertex=9)
    # On the outline the halves touch in whole triangles, so an edge may have four; closed means an even number.
    assert (np.unique(mesh.edges_sorted, axis=0, return_counts=True)[1] % 2 == 0).all()
    assert abs(mesh.volume / (4 / 3 * np.pi * (RADIUS / 300) ** 3) - 1) < 0.1
    front_z = vertices[faces[is_front]].mean((0, 1))[2]
    assert front_z > vertices[faces[~is_front]].mean((0, 1))[2]


def test_hair_stays_off_the_skull_and_behind_the_face(scene):
    view = explain_pixels(scene)
    volume = inflate(scene, view)
    scalp = scene.triangles_in("scalp")[view.surface.triangle] & (view.surface.triangle >= 0)
    inner = scalp & (view.to_outline > 6)
    assert (volume.front[inner] < view.surface.depth[inner]).mean() > 0.97
    assert np.isfinite(volume.vertices).all()
