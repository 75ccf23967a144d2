"""Which pixels a render has, and K of them: against Blender's own projection of points."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.conventions import blender_camera_to_opencv, opencv_to_blender_camera
from addon.render.camera import bordered, pixel_matrix, whole_frame
from bpy_extras.object_utils import world_to_camera_view
from hypothesis import given
from hypothesis import strategies as st
from mathutils import Euler, Matrix, Vector

SHARES = st.floats(0, 1)


def test_a_camera_that_looks_along_y_sees_depth_along_y():
    world = np.array(Matrix.Translation((1, 2, 3)) @ Euler((np.pi / 2, 0, 0)).to_matrix().to_4x4())
    seen = blender_camera_to_opencv(world) @ [1.5, 7, 3.25, 1]
    np.testing.assert_allclose(seen, [0.5, -0.25, 5, 1], atol=1e-6)
    np.testing.assert_allclose(opencv_to_blender_camera(blender_camera_to_opencv(world)), world, atol=1e-12)


def test_percentages_round_as_blender_does():
    assert whole_frame((240, 120), 33).full == (79, 39)
    assert whole_frame((1, 1), 1).full == (1, 1)


def test_borders_round_in_single_precision():
    frame = whole_frame((120, 100), 100)
    region = bordered(frame, (0.1, 0.9), (0.0, 1.0), crops=True)
    assert (region.left, region.right) == (12, int(np.float32(0.9) * np.float32(120)))
    assert region.picture == region.size and region.offset == (0, 0)
    assert bordered(frame, (0.1, 0.9), (0.0, 1.0), crops=False).picture == (120, 100)


@given(SHARES, SHARES, SHARES, SHARES)
def test_a_region_lies_in_its_picture(a, b, c, d):
    region = bordered(whole_frame((333, 77), 50), sorted((a, b)), sorted((c, d)), crops=False)
    for offset, side, whole in zip(region.offset, region.size, region.picture, strict=True):
        assert offset >= 0 and side >= 0 and offset + side <= whole


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("aspect", [(1, 1), (2, 1), (1, 1.5)])
def test_points_fall_where_blender_sees_them(kind, fit, aspect):
    bpy.ops.wm.read_homefile(use_empty=True)
    scene, lens = bpy.context.scene, bpy.data.cameras.new("Camera")
    camera = bpy.data.objects.new("Camera", lens)
    scene.collection.objects.link(camera)
    lens.type, lens.sensor_fit, lens.shift_x, lens.shift_y, lens.ortho_scale = kind, fit, 0.2, -0.1, 3
    camera.location, camera.rotation_euler = (1, -4, 2), (1.2, 0.1, 0.3)
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = 200, 120, 50
    render.pixel_aspect_x, render.pixel_aspect_y = aspect
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    P = camera.calc_matrix_camera(graph, x=100, y=60, scale_x=aspect[0], scale_y=aspect[1])
    K = pixel_matrix(np.array(P), (100, 60), orthographic=kind == "ORTHO")
    for point in ((0, 0, 0), (0.4, 0.3, -0.2), (-0.3, 1.0, 0.5)):
        x, y, depth = (blender_camera_to_opencv(np.array(camera.matrix_world)) @ [*point, 1])[:3]
        pixel = K @ [x, y, 1] if kind == "ORTHO" else K @ [x / depth, y / depth, 1]
        share = world_to_camera_view(scene, camera, Vector(point))
        wanted = share.x * 100, (1 - share.y) * 60
        np.testing.assert_allclose(pixel[:2], wanted, atol=1e-3)


@pytest.mark.parametrize("crops", [True, False])
@given(SHARES, SHARES, st.integers(-5, 45), st.integers(-5, 35), st.integers(0, 50), st.integers(0, 40))
def test_a_rectangle_of_the_frame_goes_where_its_pixels_are(crops, a, b, left, top, width, height):
    region = bordered(whole_frame((40, 30), 100), sorted((a, b)), (0.2, 0.7), crops=crops)
    frame = np.arange(30 * 40).reshape(30, 40)
    rows, columns = np.meshgrid(np.arange(top, top + height), np.arange(left, left + width), indexing="ij")
    source, target = region.overlap(left, top, (width, height))
    picture = np.full(region.picture[::-1], -1)
    picture[target] = (rows * 40 + columns)[source][::-1]
    wanted = np.full_like(frame, -1)
    inside = slice(max(top, region.rows.start), region.rows.stop), slice(max(left, region.left), region.right)
    inside = tuple(
        slice(each.start, max(0, min(each.stop, end)))
        for each, end in zip(inside, (top + height, left + width), strict=True)
    )
    wanted[inside] = frame[inside]
    assert np.array_equal(picture[::-1], wanted[region.rows, region.columns] if crops else wanted)
