"""Expression presets: they are actions that are applied, saved, renamed, deleted, reloaded and appended."""

from __future__ import annotations

import bpy
import pytest
from addon.scene import actions, expressions, presets
from addon.scene.preset_table import PRESETS
from faces import auto_key, bone, control, empty_file, make_face

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError


@pytest.fixture
def face():
    with empty_file():
        yield make_face()


def held(face) -> dict[str, float]:
    return {name: value for name, value in expressions.control_values(face).items() if value}


def test_the_table_names_real_controls_in_their_range():
    for values in PRESETS.values():
        assert values.keys() <= set(ARKIT_NAMES)
        assert all(0 < value <= 1 for value in values.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_its_controls_and_resets_the_others(face, name):
    control(face, "tongueOut").value = 1
    bone(face, "neck").rotation_euler.y = 0.5
    assert bpy.ops.likeness.apply_preset(name=name) == {"FINISHED"}
    assert held(face) == pytest.approx(PRESETS[name])
    assert bone(face, "neck").rotation_euler.y == 0.5


def test_a_preset_is_applied_by_an_amount(face):
    control(face, "jawOpen").value = 1
    bpy.ops.likeness.apply_preset(name="Blink", amount=0.25)
    assert control(face, "jawOpen").value == 0.75
    assert control(face, "eyeBlinkLeft").value == pytest.approx(0.25 * PRESETS["Blink"]["eyeBlinkLeft"])


def test_the_action_of_a_built_in_preset_is_made_once_and_counts_from_then_on(face):
    bpy.ops.likeness.apply_preset(name="Smile")
    bpy.ops.likeness.apply_preset(name="Smile")
    (action,) = (action for action in bpy.data.actions if action.get(presets.MARK) == "Smile")
    assert action.use_fake_user and actions.expression_values(action) == pytest.approx(PRESETS["Smile"])
    actions.set_expression(action, {"tongueOut": 1.0})
    action.name = "Cheeky"
    bpy.ops.likeness.apply_preset(name="Smile")
    assert held(face) == {"tongueOut": 1.0}


def test_a_users_preset_holds_what_is_not_zero(face):
    control(face, "jawOpen").value = 0.5
    assert bpy.ops.likeness.save_preset(name="Gape") == {"FINISHED"}
    (action,) = presets.user_presets()
    assert actions.expression_values(action) == {"jawOpen": 0.5}
    control(face, "tongueOut").value = 0.5
    bpy.ops.likeness.save_preset(name="Gape")
    assert [action.name for action in presets.user_presets()] == ["Gape"]
    assert presets.preset_values("Gape") == {"jawOpen": 0.5, "tongueOut": 0.5}


def test_a_users_preset_is_renamed_and_deleted(face):
    control(face, "jawOpen").value = 0.5
    bpy.ops.likeness.save_preset(name="Gape")
    assert bpy.ops.likeness.rename_preset(name="Gape", new_name="Yawn") == {"FINISHED"}
    assert [action.name for action in presets.user_presets()] == ["Yawn"]
    assert bpy.ops.likeness.delete_preset(name="Yawn") == {"FINISHED"}
    assert presets.user_presets() == [] and "Yawn" not in bpy.data.actions


def test_a_deleted_preset_stays_where_animation_uses_it(face):
    control(face, "jawOpen").value = 0.5
    action = presets.save_preset("Gape", expressions.control_values(face))
    face.data.shape_keys.animation_data_create().action = action
    presets.delete_preset("Gape")
    assert presets.user_presets() == [] and face.data.shape_keys.animation_data.action.name == "Gape"


@pytest.mark.parametrize("name", ["Smile", "", "  "])
def test_names_that_cannot_be(face, name):
    control(face, "jawOpen").value = 0.5
    with pytest.raises(InputError) as raised:
        presets.save_preset(name, expressions.control_values(face))
    assert raised.value.code == "preset.name"
    with pytest.raises(RuntimeError, match="Choose another name"):
        bpy.ops.likeness.save_preset(name=name)


def test_what_cannot_be_done_is_said(face):
    with pytest.raises(RuntimeError, match="nothing to save"):
        bpy.ops.likeness.save_preset(name="Nothing")
    with pytest.raises(RuntimeError, match="no preset called Nobody"):
        bpy.ops.likeness.apply_preset(name="Nobody")
    for name in ("A", "B"):
        presets.save_preset(name, {"jawOpen": 1.0})
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.likeness.rename_preset(name="A", new_name="B")


def test_presets_survive_saving_and_work_in_other_files_and_on_other_heads(face, tmp_path):
    path = str(tmp_path / "presets.blend")
    presets.save_preset("Gape", {"jawOpen": 0.5, "expr003": 2.0})
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert [action.name for action in presets.user_presets()] == ["Gape"]
    bpy.ops.wm.read_homefile(use_empty=True)
    assert presets.user_presets() == []
    with bpy.data.libraries.load(path) as (_, appended):
        appended.actions = ["Gape"]
    other = make_face("Other")
    bpy.ops.likeness.apply_preset(name="Gape")
    assert held(other) == {"jawOpen": 0.5}
    flame = make_face("Flame", extra=("expr003",))
    bpy.ops.likeness.apply_preset(name="Gape")
    assert held(flame) == {"jawOpen": 0.5, "expr003": 2.0}


def test_a_linked_preset_is_applied_but_not_changed(face, tmp_path):
    path = str(tmp_path / "presets.blend")
    presets.save_preset("Gape", {"jawOpen": 0.5})
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, linked):
        linked.actions = ["Gape"]
    other = make_face("Other")
    bpy.ops.likeness.apply_preset(name="Gape")
    assert held(other) == {"jawOpen": 0.5}
    for call in (lambda: presets.rename_preset("Gape", "Yawn"), lambda: presets.save_preset("Gape", {"jawOpen": 1.0})):
        with pytest.raises(InputError, match="linked"):
            call()


def test_applying_keys_what_changed_when_auto_keying_is_on(face):
    auto_key()
    bpy.context.scene.frame_set(12)
    bpy.ops.likeness.apply_preset(name="Blink")
    curves = actions.animation_curves(face.data.shape_keys)
    assert {actions.control_name(curve.data_path) for curve in curves} == PRESETS["Blink"].keys()
    assert {point.co.x for curve in curves for point in curve.keyframe_points} == {12}


def test_without_auto_keying_nothing_is_keyed(face):
    bpy.ops.likeness.apply_preset(name="Blink")
    assert list(actions.animation_curves(face.data.shape_keys)) == []
