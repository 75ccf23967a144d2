"""Actions of shape keys in every Blender: what is written is read back, and plays."""

from __future__ import annotations

import bpy
import pytest
from addon.scene import actions
from faces import control, empty_file, make_face
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def face():
    with empty_file():
        yield make_face()


values = st.floats(-3, 3, width=32)
names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=15
)


@given(st.dictionaries(names, values, max_size=6))
def test_an_expression_reads_back(expression):
    action = actions.new_expression("Any", expression)
    try:
        assert actions.expression_values(action) == expression
        assert action.use_fake_user
    finally:
        bpy.data.actions.remove(action)


@given(names)
def test_a_control_is_found_in_its_path(name):
    assert actions.control_name(actions.control_path(name)) == name


@pytest.mark.parametrize("path", ["eval_time", 'key_blocks["a"].mute', 'pose.bones["neck"].rotation_euler'])
def test_other_paths_name_no_control(path):
    assert actions.control_name(path) is None


def test_setting_an_expression_again_replaces_it():
    action = actions.new_expression("Twice", {"jawOpen": 1.0, "jawLeft": 0.5})
    actions.set_expression(action, {"jawOpen": 0.25})
    assert actions.expression_values(action) == {"jawOpen": 0.25}


def test_an_expression_is_one_constant_key_for_each_control():
    (curve,) = actions.curves(actions.new_expression("One", {"jawOpen": 0.5}))
    (point,) = curve.keyframe_points
    assert (curve.data_path, point.co[:], point.interpolation) == ('key_blocks["jawOpen"].value', (1, 0.5), "CONSTANT")


def test_an_expression_plays_on_a_face(face):
    data = face.data.shape_keys.animation_data_create()
    data.action = actions.new_expression("Played", {"jawOpen": 0.5})
    bpy.context.scene.frame_set(7)
    assert control(face, "jawOpen").value == 0.5
    assert [curve.data_path for curve in actions.animation_curves(face.data.shape_keys)] == [
        actions.control_path("jawOpen")
    ]


def test_without_animation_there_are_no_curves(face):
    empty = bpy.data.actions.new("Empty")
    assert list(actions.curves(empty)) == list(actions.animation_curves(face.data.shape_keys)) == []
    assert actions.expression_values(empty) == {}
    face.data.shape_keys.animation_data_create()
    assert list(actions.animation_curves(face.data.shape_keys)) == []


def test_curves_are_made_once():
    action = bpy.data.actions.new("Once")
    actions.ensure_curves(action).new(actions.control_path("jawOpen"), index=0)
    assert len(actions.ensure_curves(action)) == len(actions.curves(action)) == 1


def test_strips_tell_what_they_animate(face):
    data = face.data.shape_keys.animation_data_create()
    assert actions.strip_paths(face.data.shape_keys) == set()
    track = data.nla_tracks.new()
    track.strips.new("Strip", 1, actions.new_expression("In Strip", {"jawOpen": 0.5}))
    assert actions.strip_paths(face.data.shape_keys) == {actions.control_path("jawOpen")}
    track.mute = True
    assert actions.strip_paths(face.data.shape_keys) == set()
