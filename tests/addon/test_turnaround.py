"""The turnaround: what it puts into the scene, and that the head stays in its frame."""

from __future__ import annotations

from collections.abc import Iterator
from math import radians

import bpy
import numpy as np
import pytest
from addon.scene.find import armature_of
from addon.scene.turnaround import MARK
from bpy.types import Object
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from render_parts import whole_addon
from scene_dump import dump
from scene_parts import add, evaluated
from whole_avatars import small_avatar

FRAMES = 12


@pytest.fixture(autouse=True)
def empty_scene() -> Iterator[None]:
    with whole_addon():
        bpy.ops.wm.read_homefile(use_empty=True)
        yield


def turn(**options: object) -> Object:
    """Press the button and return the camera."""
    assert bpy.ops.likeness.turnaround(frames=FRAMES, **options) == {"FINISHED"}
    return bpy.context.scene.camera


def corners(mesh: Object) -> list[Vector]:
    """Return where the avatar's Gaussians are: the small avatar's lie on their triangles' first corners."""
    points, faces = evaluated(mesh), np.unique([0, 0, 0, 1, 4])
    return [mesh.matrix_world @ Vector(points[corner]) for corner in faces]


def seen(camera: Object, points: list[Vector]) -> np.ndarray:
    """Return where points are in the frame, 0..1, and their depth."""
    return np.array([world_to_camera_view(bpy.context.scene, camera, point) for point in points])


def places() -> Iterator[np.ndarray]:
    """Go through the frames and give the camera's matrix in each."""
    scene = bpy.context.scene
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        yield np.array(scene.camera.matrix_world)


def ours() -> list[str]:
    return sorted(each.name for each in bpy.data.objects if MARK in each)


@pytest.mark.parametrize("size", [(1920, 1080, 1), (600, 1200, 1), (720, 576, 2)])
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_the_camera_keeps_the_head_in_its_frame_all_around(size, unit):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.pixel_aspect_x = size
    scene.unit_settings.scale_length = unit
    scene.cursor.location = (3, -2, 1)
    mesh = add(small_avatar())
    armature_of(mesh).rotation_euler.z = 0.7
    bpy.context.view_layer.update()
    before = scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage
    camera, points = turn(), corners(mesh)
    assert camera.data.lens == 85
    largest = 0.0
    for _ in places():
        found = seen(camera, points)
        assert (found[:, :2] > 0.02).all() and (found[:, :2] < 0.98).all()
        assert (found[:, 2] > camera.data.clip_start).all() and (found[:, 2] < camera.data.clip_end).all()
        middle = seen(camera, [camera.parent.matrix_world.translation])[0]
        np.testing.assert_allclose(middle[:2], 0.5, atol=1e-4)
        largest = max(largest, np.ptp(found[:, :2], axis=0).max())
    assert largest > 0.4
    assert before == (scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage)


def test_it_begins_before_the_face_and_goes_round_evenly_without_the_first_frame_twice():
    scene = bpy.context.scene
    mesh = add(small_avatar())
    armature_of(mesh).rotation_euler.z = radians(90)  # it looks along +X
    bpy.context.view_layer.update()
    scene.frame_set(20)
    turn()
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (20, 19 + FRAMES, 20)
    looks = np.array([-matrix[:2, 2] for matrix in places()])
    np.testing.assert_allclose(looks[0], (-1, 0), atol=1e-5)
    steps = np.sum(looks * np.roll(looks, -1, axis=0), axis=1)
    np.testing.assert_allclose(steps, np.cos(2 * np.pi / FRAMES), atol=1e-5)
    assert not np.allclose(looks[0], looks[-1], atol=1e-3)
    scene.frame_set(20 + FRAMES)
    np.testing.assert_allclose(-np.array(scene.camera.matrix_world)[:2, 2], looks[0], atol=1e-5)


def test_several_are_framed_together():
    scene = bpy.context.scene
    meshes = []
    for x in (0, 1):
        scene.cursor.location.x = x
        meshes.append(add(small_avatar()))
    for mesh in meshes:
        mesh.select_set(True)
    bpy.context.view_layer.update()
    camera = turn()
    assert "2 Avatars Turnaround" in bpy.data.collections
    for _ in places():
        found = seen(camera, [point for mesh in meshes for point in corners(mesh)])
        assert (found[:, :2] > 0).all() and (found[:, :2] < 1).all() and (found[:, 2] > 0).all()


def test_lights_stay_while_the_camera_turns_until_their_last_key_is_changed():
    add(small_avatar())
    turn()
    key = bpy.data.objects["Ada Key Light"]
    scene = bpy.context.scene
    stood = []
    for frame in (scene.frame_start, scene.frame_end):
        scene.frame_set(frame)
        stood.append(np.array(key.matrix_world))
    np.testing.assert_array_equal(*stood)
    lights = key.parent
    lights.rotation_euler.z = 2 * np.pi
    lights.keyframe_insert("rotation_euler", index=2, frame=scene.frame_end + 1)
    scene.frame_set(scene.frame_start + FRAMES // 2)
    assert np.allclose(
        np.array(key.matrix_world)[:2, 3] - lights.location[:2], -(stood[0][:2, 3] - lights.location[:2])
    )


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_lights_shine_at_the_head_as_strongly_at_any_scale(unit):
    bpy.context.scene.unit_settings.scale_length = unit
    add(small_avatar())
    turn()
    lights = [each for each in bpy.data.objects if each.type == "LIGHT"]
    assert len(lights) == 3
    for light in lights:
        away = light.location.length
        assert 1 < light.data.energy / away**2 < 20  # pi squared lights a white wall to white
        assert 0.1 < light.data.size / away < 1
        assert (light.matrix_basis.to_3x3() @ Vector((0, 0, -1))).dot(-light.location.normalized()) > 0.999


def test_pressing_again_leaves_one_and_keeps_what_is_the_users():
    add(small_avatar())
    turn()
    once, collection = dump(), bpy.data.collections["Ada Turnaround"]
    turn()
    assert dump() == once
    assert len(ours()) == 6
    mine = bpy.data.objects.new("Mine", None)
    bpy.data.collections["Ada Turnaround"].objects.link(mine)
    mine.constraints.new("TRACK_TO").target = bpy.context.scene.camera
    del collection
    turn(lights=False)
    assert ours() == ["Ada Orbit", "Ada Orbit Camera"] and not bpy.data.lights
    assert bpy.data.objects["Mine"] in bpy.data.collections["Ada Turnaround"].objects[:]
    assert bpy.data.objects["Mine"].constraints[0].target == bpy.context.scene.camera


def test_undo_takes_it_away_as_one_step():
    add(small_avatar())
    bpy.context.scene.frame_end = 33
    bpy.ops.ed.undo_push(message="Before")
    before = dump()
    turn()
    bpy.ops.ed.undo_push(message="Turnaround")  # Blender does it itself for operators that a person calls
    assert dump() != before
    bpy.ops.ed.undo()
    assert dump() == before
    assert bpy.context.scene.camera is None and bpy.context.scene.frame_end == 33


def test_without_an_avatar_or_with_a_hidden_one_it_says_so():
    with pytest.raises(RuntimeError, match="Select an avatar first"):
        turn()
    mesh = add(small_avatar())
    bpy.context.view_layer.layer_collection.children["Ada"].exclude = True
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="Ada is hidden"):
        turn()
    assert not ours() and mesh.name == "Ada"
