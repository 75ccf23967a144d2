"""Groups, names, mirror images and resets of an expression."""

from __future__ import annotations

import math

import bpy
import pytest
from addon.scene import expressions, head_bones
from faces import PORTRAIT, bone, control, empty_file, make_face
from hypothesis import given
from hypothesis import strategies as st

from likeness.contract.arkit import ARKIT_NAMES, mirrored_name
from likeness.contract.errors import InputError

DIRECTIONS = ("SWAP", "LEFT_TO_RIGHT", "RIGHT_TO_LEFT")
amounts = st.floats(-1, 1.5, width=32)
faces_values = st.fixed_dictionaries(dict.fromkeys((*ARKIT_NAMES, "expr007"), amounts))


@pytest.fixture
def face():
    with empty_file():
        yield make_face()


def test_every_arkit_control_has_a_group():
    groups = {name: expressions.group_of(name) for name in ARKIT_NAMES}
    assert expressions.COEFFICIENTS not in groups.values()
    assert groups["browInnerUp"] == "Brows" and groups["noseSneerLeft"] == "Nose" and groups["tongueOut"] == "Tongue"
    assert expressions.group_of("expr012") == expressions.COEFFICIENTS


def test_names_read_as_people_write_them():
    assert expressions.readable("mouthSmileLeft") == "Mouth Smile Left"
    assert expressions.readable("expr012") == "Expr 012"


def test_rows_hold_every_control_once_with_left_before_right():
    rows = expressions.rows(ARKIT_NAMES)
    assert sorted(name for row in rows for name in row.names) == sorted(ARKIT_NAMES)
    assert expressions.ControlRow("Smile", ("mouthSmileLeft", "mouthSmileRight")) in rows
    assert expressions.ControlRow("Sideways", ("jawLeft", "jawRight")) in rows
    assert expressions.ControlRow("Open", ("jawOpen",)) in rows
    assert expressions.rows(["mouthSmileLeft"]) == [expressions.ControlRow("Smile Left", ("mouthSmileLeft",))]


@pytest.mark.parametrize("search", ["", "smile", "Smile left", "mouthSmileLeft", "left MOUTH", "  smi  "])
def test_search_finds_readable_and_arkit_names(search):
    assert expressions.matches("mouthSmileLeft", search)


@pytest.mark.parametrize("search", ["smile right", "jaw", "mouthSmileRight"])
def test_search_leaves_out_the_rest(search):
    assert not expressions.matches("mouthSmileLeft", search)


@given(faces_values)
def test_swapping_twice_changes_nothing(values):
    assert expressions.mirrored(expressions.mirrored(values, "SWAP"), "SWAP") == values


@given(faces_values, st.sampled_from(DIRECTIONS[1:]))
def test_a_one_sided_mirror_makes_the_sides_alike_and_is_done_once(values, direction):
    once = expressions.mirrored(values, direction)
    assert expressions.mirrored(once, direction) == once
    sides = [name for name in ARKIT_NAMES if expressions.side_of(name) and name not in expressions.WHOLE_FACE]
    assert all(once[name] == once[mirrored_name(name)] for name in sides)
    assert all(once[name] == values[name] for name in values if name not in sides)


def test_eyes_that_look_left_look_right_in_a_mirror():
    left = dict.fromkeys(ARKIT_NAMES, 0.0) | {"eyeLookOutLeft": 0.9, "eyeLookInRight": 0.8, "jawLeft": 0.3}
    right = dict.fromkeys(ARKIT_NAMES, 0.0) | {"eyeLookOutRight": 0.9, "eyeLookInLeft": 0.8, "jawRight": 0.3}
    assert expressions.mirrored(left, "SWAP") == right


def test_a_one_sided_mirror_says_which_side_gives():
    values = {"mouthSmileLeft": 0.2, "mouthSmileRight": 0.7}
    assert expressions.mirrored(values, "LEFT_TO_RIGHT") == dict.fromkeys(values, 0.2)
    assert expressions.mirrored(values, "RIGHT_TO_LEFT") == dict.fromkeys(values, 0.7)


def test_blending_goes_all_the_way_or_part_of_it():
    start = {"jawOpen": 1.0, "jawLeft": 0.5}
    assert expressions.blended(start, {"jawLeft": 1.0}, 1.0) == {"jawOpen": 0.0, "jawLeft": 1.0}
    assert expressions.blended(start, {"jawLeft": 1.0}, 0.5) == {"jawOpen": 0.5, "jawLeft": 0.75}
    assert expressions.blended(start, {"jawLeft": 1.0}, 0.0) == start


def test_setting_controls_tells_what_changed_and_clamps(face):
    assert expressions.set_control_values(face, {"jawOpen": 9.0, "jawLeft": 0.0, "unknown": 1.0}) == ["jawOpen"]
    assert expressions.control_values(face)["jawOpen"] == 1.5
    assert expressions.set_control_values(face, {"browInnerUp": 0.1}) == ["browInnerUp"]
    assert expressions.set_control_values(face, {"browInnerUp": 0.1}) == []


def test_reset_puts_everything_to_rest(face):
    control(face, "jawOpen").value = control(face, "browInnerUp").value = 0.5
    bone(face, "neck").rotation_euler.x = 0.3
    assert bpy.ops.likeness.reset_expression(group="JAW") == {"FINISHED"}
    assert (control(face, "jawOpen").value, control(face, "browInnerUp").value) == (0, 0.5)
    assert bone(face, "neck").rotation_euler.x == pytest.approx(0.3)
    assert bpy.ops.likeness.reset_expression() == {"FINISHED"}
    assert not any(expressions.control_values(face).values())
    assert bone(face, "neck").rotation_euler[:] == (0, 0, 0)


def test_reset_of_the_head_pose_leaves_the_face(face):
    control(face, "jawOpen").value = 0.5
    bone(face, "eye.L").rotation_euler.x = 0.3
    bpy.ops.likeness.reset_expression(group="HEAD")
    assert control(face, "jawOpen").value == 0.5 and bone(face, "eye.L").rotation_euler.x == 0


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "QUATERNION", "AXIS_ANGLE"])
def test_mirroring_bones_twice_changes_nothing(face, mode):
    angles = {"neck": (0.1, 0.2, 0.3), "jaw": (0.4, -0.1, 0.2), "eye.L": (0.3, 0.0, -0.5), "eye.R": (-0.1, 0.2, 0.1)}
    for name, turn in angles.items():
        bone(face, name).rotation_euler = turn
        bone(face, name).rotation_mode = mode
    before = [bone_.matrix_basis.copy() for bone_ in head_bones.head_bones(face)]
    bpy.ops.likeness.mirror_expression(direction="SWAP")
    assert _distance(before[1], bone(face, "neck").matrix_basis) > 0.1
    bpy.ops.likeness.mirror_expression(direction="SWAP")
    after = [bone_.matrix_basis for bone_ in head_bones.head_bones(face)]
    assert max(_distance(a, b) for a, b in zip(before, after, strict=True)) < 1e-6


def test_a_mirrored_head_turns_the_other_way(face):
    bone(face, "neck").rotation_euler = (0.1, 0.2, 0.3)
    bone(face, "eye.L").rotation_euler = (0.05, 0, 0.4)
    bpy.ops.likeness.mirror_expression(direction="SWAP")
    assert bone(face, "neck").rotation_euler[:] == pytest.approx((0.1, -0.2, -0.3), abs=1e-6)
    assert bone(face, "eye.R").rotation_euler[:] == pytest.approx((0.05, 0, -0.4), abs=1e-6)
    assert bone(face, "eye.L").rotation_euler[:] == pytest.approx((0, 0, 0), abs=1e-6)


def test_a_one_sided_mirror_touches_the_other_eye_only(face):
    bone(face, "neck").rotation_euler = (0.1, 0.2, 0.3)
    bone(face, "eye.L").rotation_euler = (0.05, 0, 0.4)
    bpy.ops.likeness.mirror_expression(direction="LEFT_TO_RIGHT")
    assert bone(face, "neck").rotation_euler[:] == pytest.approx((0.1, 0.2, 0.3))
    assert bone(face, "eye.L").rotation_euler[:] == pytest.approx((0.05, 0, 0.4))
    assert bone(face, "eye.R").rotation_euler[:] == pytest.approx((0.05, 0, -0.4), abs=1e-6)


def test_the_mirrored_eyes_converge_where_the_mirror_says(face):
    """In the mirror the point both eyes look at is the reflected one."""
    bone(face, "eye.L").rotation_euler = (0.2, 0, 0.3)
    bpy.context.view_layer.update()
    looked = bone(face, "eye.L").y_axis.copy()
    bpy.ops.likeness.mirror_expression(direction="SWAP")
    bpy.context.view_layer.update()
    assert bone(face, "eye.R").y_axis[:] == pytest.approx((-looked.x, looked.y, looked.z), abs=1e-6)


def test_the_portrait_has_its_own_expression(face):
    control(face, "jawOpen").value = 0.5
    nod = math.radians(20)
    face.likeness.portrait.pose = [0, 0, 0, nod, 0, 0, nod, 0, 0, 0, nod, 0, 0, 0, 0]
    assert bpy.ops.likeness.portrait_expression() == {"FINISHED"}
    held = {name: value for name, value in expressions.control_values(face).items() if value}
    assert held == PORTRAIT
    # Head space: positive about x nods the face down; positive about y turns it to the subject's left.
    assert bone(face, "neck").rotation_euler[:] == pytest.approx((nod, 0, 0), abs=1e-6)
    assert bone(face, "jaw").rotation_euler[:] == pytest.approx((nod, 0, 0), abs=1e-6)
    bpy.context.view_layer.update()
    assert bone(face, "neck").z_axis.z == pytest.approx(-math.sin(nod), abs=1e-6)
    # The eye's local z points down, so that looking left is a negative turn about it.
    assert bone(face, "eye.L").rotation_euler[:] == pytest.approx((0, 0, -nod), abs=1e-6)
    assert bone(face, "eye.L").y_axis.x > 0.3


def test_without_a_portrait_expression_the_button_says_so(face):
    face.likeness.portrait.expression = None
    assert not bpy.ops.likeness.portrait_expression.poll()


def test_without_an_avatar_nothing_can_be_pressed():
    with empty_file():
        names = ("reset_expression", "mirror_expression", "key_expression", "portrait_expression", "apply_preset")
        assert not any(getattr(bpy.ops.likeness, name).poll() for name in names)


@pytest.mark.parametrize(
    ("operator", "prop"),
    [
        ("reset_expression", "group"),
        ("mirror_expression", "direction"),
        ("key_expression", "which"),
        ("key_expression", "clear"),
        ("apply_preset", "amount"),
    ],
)
def test_a_button_does_not_repeat_what_the_last_one_did(face, operator, prop):
    """Blender fills what a button leaves unset from the last call, Clear into Key All, unless it is told not to."""
    assert getattr(bpy.ops.likeness, operator).get_rna_type().properties[prop].is_skip_save


def test_coefficients_stay_in_a_mirror_and_it_is_said(face):
    flame = make_face("Flame", extra=("expr000",))
    control(flame, "expr000").value = -2
    control(flame, "mouthSmileLeft").value = 1
    bpy.ops.likeness.mirror_expression(direction="SWAP")
    assert (control(flame, "expr000").value, control(flame, "mouthSmileRight").value) == (-2, 1)


def test_an_operator_can_be_undone(face):
    control(face, "jawOpen").value = 0.5
    bpy.ops.ed.undo_push(message="jaw open")
    bpy.ops.likeness.reset_expression()
    bpy.ops.ed.undo_push(message="reset")
    assert bpy.data.objects["Face"].data.shape_keys.key_blocks["jawOpen"].value == 0
    bpy.ops.ed.undo()
    assert bpy.data.objects["Face"].data.shape_keys.key_blocks["jawOpen"].value == 0.5


def test_a_linked_avatar_says_that_it_is_linked(linked_face):
    with pytest.raises(InputError, match="linked"):
        expressions.set_control_values(linked_face, {"jawOpen": 1.0})
    assert not bpy.ops.likeness.reset_expression.poll()


def test_an_overridden_avatar_moves_its_bones_and_says_that_its_controls_are_linked(linked_face):
    mine = _override(linked_face)
    bone(mine, "neck").rotation_euler.y = 0.5
    assert bpy.ops.likeness.mirror_expression(direction="SWAP") == {"FINISHED"}
    assert bone(mine, "neck").rotation_euler.y == pytest.approx(-0.5)
    with pytest.raises(RuntimeError, match="linked"):
        bpy.ops.likeness.apply_preset(name="Smile")
    assert bpy.ops.likeness.key_expression(which="ALL") == {"FINISHED"}
    assert mine.parent.animation_data.action is not None


def test_an_overridden_mesh_takes_expressions(linked_face):
    mine = _override(linked_face)
    mine.data.override_create(remap_local_usages=True)
    assert bpy.ops.likeness.apply_preset(name="Smile") == {"FINISHED"}
    assert control(mine, "mouthSmileLeft").value > 0


@pytest.mark.parametrize("overridden", [False, True])
def test_making_a_linked_avatar_local_is_a_remedy(linked_face, overridden):
    mine = _override(linked_face) if overridden else linked_face
    mine.select_set(True)
    bpy.ops.object.make_local(type="ALL")
    mine = bpy.context.view_layer.objects.active
    assert bpy.ops.likeness.apply_preset(name="Smile") == {"FINISHED"}
    assert control(mine, "mouthSmileLeft").value > 0


@pytest.fixture
def linked_face(face, tmp_path):
    path = str(tmp_path / "face.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, linked):
        linked.collections = ["Face"]
    bpy.context.scene.collection.children.link(linked.collections[0])
    bpy.context.view_layer.objects.active = linked.collections[0].objects["Face"]
    return linked.collections[0].objects["Face"]


def _override(linked: bpy.types.Object) -> bpy.types.Object:
    """Override an avatar as Object > Library Override > Make does, and make it active."""
    context = bpy.context
    made = linked.users_collection[0].override_hierarchy_create(
        context.scene, context.view_layer, do_fully_editable=True
    )
    mine = next(item for item in made.objects if item.type == "MESH" and item.likeness.splats)
    context.view_layer.objects.active = mine
    return mine


def _distance(a, b) -> float:
    return max(abs(x - y) for row, other in zip(a, b, strict=True) for x, y in zip(row, other, strict=True))
