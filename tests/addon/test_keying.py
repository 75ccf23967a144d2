"""Keys of an expression: the operator, the keying set, auto-keying, NLA and drivers."""

from __future__ import annotations

import bpy
import pytest
from addon.scene import actions, keys
from faces import auto_key, bone, control, empty_file, make_face

from likeness.contract.arkit import ARKIT_NAMES

BONE_NAMES = ("root", "neck", "jaw", "eye.L", "eye.R")


@pytest.fixture
def face():
    with empty_file():
        yield make_face()


def keyed(owner) -> dict[tuple[str, int], dict[float, float]]:
    """Return the keys of a data-block: frame to value by path and index."""
    return {
        (curve.data_path, curve.array_index): {point.co.x: point.co.y for point in curve.keyframe_points}
        for curve in actions.animation_curves(owner)
    }


def insert_with(keying_set: str) -> set[str]:
    """Press I in a 3D view."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        return bpy.ops.anim.keyframe_insert_by_name(type=keying_set)


def controls_keyed(face) -> set[str]:
    return {actions.control_name(path) for path, _ in keyed(face.data.shape_keys)}


def bones_keyed(face) -> set[str]:
    return {path.split('"')[1] for path, _ in keyed(face.parent)}


def test_key_all_keys_every_control_and_bone(face):
    control(face, "jawOpen").value = 0.5
    bone(face, "neck").rotation_euler.y = 0.25
    bpy.context.scene.frame_set(5)
    control(face, "jawOpen").value = 0.5
    assert bpy.ops.likeness.key_expression(which="ALL") == {"FINISHED"}
    assert keyed(face.data.shape_keys)['key_blocks["jawOpen"].value', 0] == {5: 0.5}
    assert keyed(face.parent)['pose.bones["neck"].rotation_euler', 1] == {5: 0.25}
    assert controls_keyed(face) == set(ARKIT_NAMES)
    assert bones_keyed(face) == set(BONE_NAMES)
    groups = {curve.group.name for curve in actions.animation_curves(face.data.shape_keys)}
    assert groups == {"Brows", "Eyes", "Jaw", "Mouth", "Cheeks", "Nose", "Tongue"}


def test_key_changed_keys_against_rest_then_against_the_animation(face):
    scene = bpy.context.scene
    scene.frame_set(1)
    control(face, "jawOpen").value = 0.5
    bone(face, "jaw").rotation_euler.x = 0.1
    assert bpy.ops.likeness.key_expression(which="CHANGED") == {"FINISHED"}
    assert (controls_keyed(face), bones_keyed(face)) == ({"jawOpen"}, {"jaw"})
    assert bpy.ops.likeness.key_expression(which="CHANGED") == {"CANCELLED"}
    scene.frame_set(10)
    control(face, "browInnerUp").value = 0.25
    control(face, "jawOpen").value = 0.0
    bpy.ops.likeness.key_expression(which="CHANGED")
    assert keyed(face.data.shape_keys) == {
        ('key_blocks["jawOpen"].value', 0): {1: 0.5, 10: 0.0},
        ('key_blocks["browInnerUp"].value', 0): {10: 0.25},
    }
    assert set(keyed(face.parent)['pose.bones["jaw"].rotation_euler', 0]) == {1}


def test_an_animated_control_back_at_rest_is_a_change(face):
    control(face, "jawOpen").value = 0.5
    keys.insert_keys(keys.control_channels(face, ["jawOpen"]), 1)
    control(face, "jawOpen").value = 0.0
    assert [channel.path for channel in keys.changed(keys.channels(face), 1)] == [actions.control_path("jawOpen")]


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "ZXY"])
def test_bones_are_keyed_in_their_rotation_mode(face, mode):
    bone(face, "neck").rotation_mode = mode
    assert keys.changed(keys.channels(face), 1) == []
    prop = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
    getattr(bone(face, "neck"), prop)[1] = 0.5
    bpy.ops.likeness.key_expression(which="CHANGED")
    assert {path for path, _ in keyed(face.parent)} == {f'pose.bones["neck"].{prop}'}


def test_clearing_takes_only_this_frames_keys(face):
    for frame in (1, 2):
        bpy.context.scene.frame_set(frame)
        bpy.ops.likeness.key_expression(which="ALL")
    assert bpy.ops.likeness.key_expression(clear=True) == {"FINISHED"}
    assert {frame for points in keyed(face.data.shape_keys).values() for frame in points} == {1}
    assert {frame for points in keyed(face.parent).values() for frame in points} == {1}
    assert bpy.ops.likeness.key_expression(clear=True) == {"CANCELLED"}


def test_clearing_works_where_only_one_angle_is_keyed(face):
    bone(face, "neck").keyframe_insert("rotation_euler", index=1, frame=1)
    assert bpy.ops.likeness.key_expression(clear=True) == {"FINISHED"}
    assert keyed(face.parent) == {}


def test_the_keying_set_keys_the_whole_avatar(face):
    scene = bpy.context.scene
    assert "Likeness Expression" in [keying_set.bl_label for keying_set in scene.keying_sets_all]
    assert insert_with("LikenessExpression") == {"FINISHED"}
    assert (controls_keyed(face), bones_keyed(face)) == (set(ARKIT_NAMES), set(BONE_NAMES))


def test_the_keying_set_can_be_the_active_one(face):
    scene = bpy.context.scene
    scene.keying_sets_all.active = next(
        keying_set for keying_set in scene.keying_sets_all if keying_set.bl_label == "Likeness Expression"
    )
    scene.frame_set(3)
    bpy.context.view_layer.objects.active = face.parent
    assert insert_with("__ACTIVE__") == {"FINISHED"}
    assert controls_keyed(face) == set(ARKIT_NAMES)
    assert {frame for points in keyed(face.parent).values() for frame in points} == {3}


def test_auto_keying_follows_its_mode(face):
    settings = bpy.context.scene.tool_settings
    auto_key()
    settings.auto_keying_mode = "REPLACE_KEYS"
    bpy.ops.likeness.apply_preset(name="Blink")
    assert keyed(face.data.shape_keys) == {}
    settings.auto_keying_mode = "ADD_REPLACE_KEYS"
    bone(face, "neck").rotation_euler.x = 0.1
    bpy.ops.likeness.reset_expression()
    assert "eyeBlinkLeft" in controls_keyed(face) and "jawOpen" not in controls_keyed(face)
    assert bones_keyed(face) == {"neck"}


def test_auto_keying_keys_only_what_is_animated_where_the_preferences_say_so(face):
    auto_key(only_animated=True)
    keys.insert_keys(keys.control_channels(face, ["eyeBlinkLeft"]), 1)
    bpy.context.scene.frame_set(4)
    bpy.ops.likeness.apply_preset(name="Blink")
    assert keyed(face.data.shape_keys) == {('key_blocks["eyeBlinkLeft"].value', 0): {1: 0, 4: 1}}


def test_a_keyed_expression_is_pushed_down_and_plays_from_its_strip(face):
    scene, owner = bpy.context.scene, face.data.shape_keys
    control(face, "jawOpen").value = 0.5
    keys.insert_keys(keys.control_channels(face, ["jawOpen"]), 1)
    data = owner.animation_data
    strip = data.nla_tracks.new().strips.new("Take", 1, data.action)
    if actions.SLOTTED:
        strip.action_slot = data.action_slot
    data.action = None
    control(face, "jawOpen").value = 0
    scene.frame_set(2)
    assert control(face, "jawOpen").value == 0.5
    changed = {channel.path for channel in keys.changed(keys.channels(face), 2)}
    assert changed == {actions.control_path("jawOpen")}


def test_a_driver_sets_a_control_and_keys_leave_it_alone(face):
    curve = control(face, "jawOpen").driver_add("value")
    curve.driver.type = "SUM"
    target = curve.driver.variables.new().targets[0]
    target.id = face.parent
    target.data_path = "location[0]"
    face.parent.location.x = 0.5
    bpy.context.view_layer.update()
    evaluated = face.data.shape_keys.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert evaluated.key_blocks["jawOpen"].value == pytest.approx(0.5)
    bpy.ops.likeness.key_expression(which="ALL")
    assert controls_keyed(face) == set(ARKIT_NAMES) - {"jawOpen"}


def test_two_avatars_are_keyed_apart(face):
    other = make_face("Other")
    bpy.ops.likeness.key_expression(which="ALL")
    assert keyed(face.data.shape_keys) == {} and controls_keyed(other) == set(ARKIT_NAMES)
