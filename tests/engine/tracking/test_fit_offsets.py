from __future__ import annotations

import numpy as np

from likeness.geometry.cameras import look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import HeadAssets
from likeness.portrait.types import Photograph, Portrait
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.offsets import (
    SEEN,
    UNSEEN,
    Targets,
    carry_riders,
    clear_eyeballs,
    graph_laplacian,
    lift_plane,
    region_vertices,
    skin_faces,
    solve_plane,
)
from likeness.tracking.silhouette import matte_field, mesh_outline, outline_pull


def test_laplacian_is_the_difference_to_the_neighbours_mean() -> None:
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    values = np.array([1.0, 2.0, 4.0, 8.0, 5.0])
    expected = [1 - 14 / 3, 2 - 5 / 2, 4 - 11 / 3, 8 - 5 / 2, 0]
    np.testing.assert_allclose(graph_laplacian(faces, 5) @ values, expected)


def pulled_plane(assets: HeadAssets, shift: tuple[float, float]) -> np.ndarray:
    corners = assets.faces[assets.landmark_faces[:468]]
    targets = Targets(corners, assets.landmark_bary[:468].astype(float), np.tile(shift, (468, 1)), np.ones(468))
    return solve_plane(assets, graph_laplacian(skin_faces(assets), len(assets.v_template)), targets)


def test_one_shift_of_all_landmarks_moves_the_face_by_it(open_head: HeadAssets) -> None:
    plane = pulled_plane(open_head, (0.004, -0.002))
    moved = np.einsum(
        "nk,nkc->nc", open_head.landmark_bary[:468], plane[open_head.faces[open_head.landmark_faces[:468]]]
    )
    np.testing.assert_allclose(moved, np.tile([0.004, -0.002], (468, 1)), atol=6e-4)
    assert np.abs(plane[region_vertices(open_head, "eye_left", "teeth_upper")]).max() == 0


def test_offsets_lie_in_the_picture_and_the_unseen_side_mirrors_the_seen(open_head: HeadAssets) -> None:
    vertices = open_head.v_template.astype(np.float64)
    camera = look_at_face(1.0, 1500.0, 512, 512).orbited(0.9, 0.0, np.zeros(3))
    plane = np.random.default_rng(0).normal(size=(len(vertices), 2)) * 1e-3
    offsets = lift_plane(open_head, plane, camera, vertices)
    out_of_plane = np.abs(offsets @ camera.rotation[2])
    normals = vertex_normals(vertices, open_head.faces)
    sight = camera.center - vertices
    cosine = (normals * sight).sum(1) / np.linalg.norm(sight, axis=1)
    own, twin = cosine, cosine[open_head.mirror]
    assert out_of_plane[own > SEEN].max() < 1e-12
    np.testing.assert_allclose(offsets[own > SEEN], (plane @ camera.rotation[:2])[own > SEEN])
    unseen = (own < UNSEEN) & (twin > SEEN)
    assert unseen.sum() > 100
    np.testing.assert_allclose(offsets[unseen], offsets[open_head.mirror][unseen] * (-1, 1, 1))


def test_parts_ride_rigidly_with_the_skin_around_them(open_head: HeadAssets) -> None:
    offsets = np.zeros_like(open_head.v_template, dtype=np.float64)
    lids = region_vertices(open_head, "lids_left")
    offsets[lids] = (0.001, 0.002, 0.0)
    carried = carry_riders(open_head, offsets)
    eye = carried[region_vertices(open_head, "eye_left")]
    np.testing.assert_allclose(eye, np.tile([0.001, 0.002, 0.0], (len(eye), 1)), atol=1e-12)
    lashes = np.setdiff1d(region_vertices(open_head, "lashes_left"), lids)
    np.testing.assert_allclose(carried[lashes], np.tile([0.001, 0.002, 0.0], (len(lashes), 1)), atol=1e-12)
    assert np.abs(carried[region_vertices(open_head, "eye_right", "tongue")]).max() == 0


def test_lids_driven_into_the_eyeball_come_out_again(open_head: HeadAssets) -> None:
    neutral = open_head.v_template.astype(np.float64)
    ball, lids = region_vertices(open_head, "eye_left"), region_vertices(open_head, "lids_left")
    center = (open_head.J_regressor @ neutral)[3]
    before = np.linalg.norm(neutral[lids] - center, axis=1)
    offsets = np.zeros_like(neutral)
    offsets[lids] = -0.15 * (neutral[lids] - center)
    cleared = clear_eyeballs(open_head, neutral, offsets)
    radius = np.linalg.norm(neutral[ball] - center, axis=1).mean()
    squeezed = np.linalg.norm((neutral + offsets)[lids] - center, axis=1)
    after = np.linalg.norm((neutral + cleared)[lids] - center, axis=1)
    inside = (before > radius) & (squeezed < radius - 5e-4)
    assert inside.sum() > 20
    assert (after[inside] > radius - 5e-4).mean() > 0.95


def portrait_of_disc(radius: float, color: tuple[float, float, float]) -> Portrait:
    """A round head of one colour in the middle of a black square, its landmarks all over it."""
    y, x = np.mgrid[:512, :512] + 0.5
    alpha = (np.hypot(x - 256, y - 256) < radius).astype(np.float32)
    rgb = (alpha[..., None] * np.array(color)).astype(np.float32)
    landmarks = 256 + np.random.default_rng(0).uniform(-40, 40, (478, 2))
    whole = np.ones((512, 512), bool)
    photograph = Photograph((rgb * 255).astype(np.uint8), None, "0" * 64)
    return Portrait(photograph, (0, 0, 512), rgb, whole, alpha, rgb, landmarks)


def test_matte_field_is_the_distance_to_the_edge() -> None:
    field = matte_field(portrait_of_disc(150.0, (0.7, 0.5, 0.4)), 100.0)
    pixels = np.array([[256.5, 256.5], [300.5, 256.5], [256.5, 450.5], [430.5, 256.5]])
    row, column = field.sample(pixels)
    expected = np.hypot(*(pixels - 256).T) - 150
    np.testing.assert_allclose(field.distance[row, column], expected, atol=1.0)
    np.testing.assert_allclose(field.gradient[256, 430], [1, 0], atol=0.02)
    assert field.skin[256, 400]


def test_only_skin_is_pulled_outwards_and_everything_is_pulled_in(open_head: HeadAssets) -> None:
    camera = look_at_face(1.0, 1400.0, 512, 512)
    raster = rasterize_mesh(camera, open_head.v_template, open_head.faces)
    outline = mesh_outline(raster, open_head, 300)
    assert 200 < len(outline.pixels) <= 300
    small = matte_field(portrait_of_disc(60.0, (0.7, 0.5, 0.4)), 100.0)
    outside, normals, counts = outline_pull(small, outline, open_head, unit=10000.0)
    assert (outside > 0).all() and counts.all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=0.05)
    large = matte_field(portrait_of_disc(250.0, (0.7, 0.5, 0.4)), 100.0)
    _, _, counts = outline_pull(large, outline, open_head, unit=10000.0)
    inner = np.hypot(*(outline.pixels - 256).T) < 230
    region = open_head.face_region[outline.triangle]
    assert counts[inner & (region == 0)].all()
    assert not counts[inner & (region == 1)].any()
    _, _, counts = outline_pull(large, outline, open_head, unit=100.0)
    assert not counts[np.hypot(*(outline.pixels - 256).T) < 240].any()
