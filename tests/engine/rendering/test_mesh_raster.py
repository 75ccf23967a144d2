"""The mesh rasterizer against rays cast by trimesh and against its own definition."""

from __future__ import annotations

import numpy as np
import trimesh

from likeness.geometry.cameras import look_at_face
from likeness.rendering.mesh import rasterize_mesh, shade


def _camera(width=61, height=47):
    return look_at_face(distance=1.0, focal=120.0, width=width, height=height)


def _rays(camera):
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    far = camera.unproject(np.stack([x, y], -1).reshape(-1, 2), np.ones(x.size))
    return np.broadcast_to(camera.center, far.shape), far - camera.center


def test_agrees_with_rays_cast_by_trimesh():
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.15)
    camera = _camera().orbited(0.4, -0.3, np.zeros(3))
    raster = rasterize_mesh(camera, mesh.vertices, mesh.faces)
    origins, directions = _rays(camera)
    hits, ray, _ = mesh.ray.intersects_location(origins, directions, multiple_hits=False)
    expected = np.full(camera.height * camera.width, np.inf)
    expected[ray] = camera.transform(hits)[:, 2]
    assert (np.isfinite(expected) != raster.covered.ravel()).mean() < 2e-3
    both = np.isfinite(expected) & raster.covered.ravel()
    assert both.sum() > 500
    np.testing.assert_allclose(raster.depth.ravel()[both], expected[both], atol=1e-5)


def test_bary_is_perspective_correct():
    vertices = np.array([[-0.3, -0.2, 0.5], [0.3, -0.2, -1.0], [0.0, 0.3, 0.0]])
    faces = np.array([[0, 1, 2]])
    camera = _camera()
    raster = rasterize_mesh(camera, vertices, faces)
    points = raster.interpolate(faces, vertices)[raster.covered]
    pixels, depth = camera.project(points)
    y, x = np.nonzero(raster.covered)
    assert len(x) > 50
    np.testing.assert_allclose(pixels, np.stack([x, y], -1) + 0.5, atol=1e-3)
    np.testing.assert_allclose(depth, raster.depth[raster.covered], rtol=1e-5)
    np.testing.assert_allclose(raster.bary[raster.covered].sum(-1), 1, atol=1e-6)


def test_a_closed_grid_leaves_no_hole():
    """A tilted grid of triangles whose edges run through pixel centres covers its inside whole."""
    x, y = np.meshgrid(np.linspace(-0.4, 0.4, 33), np.linspace(-0.4, 0.4, 33))
    vertices = np.stack([x.ravel(), y.ravel(), 0.3 * x.ravel()], -1)
    corner = (np.arange(32)[:, None] * 33 + np.arange(32)).ravel()
    quads = np.stack([corner, corner + 1, corner + 33, corner + 1, corner + 34, corner + 33], -1)
    raster = rasterize_mesh(_camera(64, 64), vertices, quads.reshape(-1, 3))
    assert raster.covered[20:44, 20:44].all()


def test_empty_behind_and_degenerate_meshes_draw_nothing():
    camera = _camera()
    behind = np.array([[0, 0, 2.0], [0.1, 0, 0], [0, 0.1, 0]])
    sliver = np.array([[0, 0, 0.0], [0.1, 0, 0], [0.2, 0, 0]])
    face = np.array([[0, 1, 2]])
    for vertices, faces in ((behind, face), (sliver, face), (behind, np.zeros((0, 3), int))):
        raster = rasterize_mesh(camera, vertices, faces)
        assert not raster.covered.any() and np.isinf(raster.depth).all()


def test_shade_lights_the_side_that_faces_the_light():
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.15)
    camera = _camera()
    raster = rasterize_mesh(camera, mesh.vertices, mesh.faces)
    colors = np.full_like(mesh.vertices, 0.8)
    picture = shade(raster, mesh.vertices, mesh.faces, colors, light=(1.0, 0.0, 0.0), background=(0, 0, 1))
    covered = np.argwhere(raster.covered)
    row = camera.height // 2
    first, last = covered[covered[:, 0] == row][[1, -2], 1]
    assert picture[row, last].mean() > 0.7 > 0.3 > picture[row, first].mean()
    np.testing.assert_array_equal(picture[0, 0], [0, 0, 1])
