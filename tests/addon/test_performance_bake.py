"""A performance as keys: the values at the source's own times, in every place it may go to."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from addon.conventions import blender_to_head
from addon.scene import actions, bake
from addon.scene.bake import Placement
from addon.scene.expressions import control_values
from addon.scene.find import armature_of
from addon.scene.performance import Bounds, parts_of
from addon.scene.placing import Choices, put_on
from bpy.types import Object
from create_parts import registered
from mathutils import Quaternion, Vector
from performance_parts import RESTING, performance
from scene_parts import add, evaluated, forward, lively_avatar

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError

AVATAR = lively_avatar()
NAMES = AVATAR.rig.control_names
BOUNDS = Bounds(0.005, np.radians(0.2))
START = 12.0


@pytest.fixture(autouse=True)
def with_avatar():
    with registered():
        yield


def frames_of(motion, fps: float = 24.0, start: float = START) -> np.ndarray:
    return start + motion.times * fps


def put(mesh: Object, motion, how: str = "ACTION", *, fps=24.0, start=START, bounds=None, **placed) -> list[str]:
    parts = parts_of(mesh, motion, bounds=bounds)
    return bake.bake(mesh, parts, frames_of(motion, fps, start), Placement("Take", how, **placed))


def take(**changes):
    return performance(names=NAMES, **changes)


def control_curves(mesh: Object) -> dict:
    found = actions.animation_curves(mesh.data.shape_keys)
    return {actions.control_name(curve.data_path): curve for curve in found}


def go_to(frame: float) -> None:
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)


def joint_matrices(motion, sample: int) -> np.ndarray:
    vectors = [Vector(turn) for turn in motion.pose[sample]]
    return np.array([Quaternion(each.normalized(), each.length).to_matrix() for each in vectors])


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 30000 / 1001, 60.0])
@pytest.mark.parametrize("bounds", [None, BOUNDS], ids=["all", "reduced"])
def test_at_every_source_time_every_control_has_its_value(fps, bounds):
    mesh, motion = add(AVATAR), take()
    put(mesh, motion, fps=fps, bounds=bounds)
    frames, curves = frames_of(motion, fps), control_curves(mesh)
    allowed = bounds.control if bounds else 1e-4
    for name, wanted in zip(NAMES, motion.expr.T, strict=True):
        if name in RESTING:
            assert name not in curves
            continue
        found = [curves[name].evaluate(frame) for frame in frames]
        assert np.abs(found - wanted).max() <= allowed
    if bounds:
        assert sum(len(curve.keyframe_points) for curve in curves.values()) < 0.7 * motion.expr.size


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "YXZ", "QUATERNION", "AXIS_ANGLE"])
@pytest.mark.parametrize("mirror", [False, True])
def test_at_every_source_time_the_mesh_is_where_the_formula_has_it(mode, mirror):
    mesh, motion = add(AVATAR), take(seconds=1.0)
    if mirror:
        motion = mirrored(motion)
    for bone in armature_of(mesh).pose.bones:
        bone.rotation_mode = mode
    put(mesh, motion)
    for sample in range(0, len(motion.times), 7):
        go_to(frames_of(motion)[sample])
        expected = forward(AVATAR.rig, motion.expr[sample], joint_matrices(motion, sample)) + motion.translation[sample]
        np.testing.assert_allclose(blender_to_head(evaluated(mesh)), expected, atol=5e-5)


def mirrored(motion):
    """Turn and move as a mirror shows it: x turns alike, y and z turn the other way."""
    flip = np.array([1, -1, -1], np.float32)
    return replace(
        motion, rotation=motion.rotation * flip, neck_pose=motion.neck_pose * flip, jaw_pose=motion.jaw_pose * flip,
        translation=motion.translation * np.array([-1, 1, 1], np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION", "AXIS_ANGLE"])
def test_reduced_bones_turn_within_their_bound(mode):
    mesh, motion = add(AVATAR), take()
    for bone in armature_of(mesh).pose.bones:
        bone.rotation_mode = mode
    put(mesh, motion, bounds=BOUNDS)
    neck = armature_of(mesh).pose.bones["neck"]
    worst = 0.0
    for sample, frame in enumerate(frames_of(motion)):
        go_to(frame)
        wanted = Quaternion(Vector(motion.neck_pose[sample]).normalized(), Vector(motion.neck_pose[sample]).length)
        worst = max(worst, neck.matrix_basis.to_quaternion().rotation_difference(wanted).angle)
    assert 0 < worst <= BOUNDS.angle * np.sqrt(3)
    lengths = {len(curve.keyframe_points) for curve in actions.animation_curves(armature_of(mesh))}
    assert max(lengths) < 0.8 * len(motion.times)


def test_turns_do_not_jump_however_far_the_head_goes_round():
    mesh, count = add(AVATAR), 200
    motion = take(seconds=(count - 1) / 60)
    angles = np.linspace(0, 4 * np.pi, count)
    angles = (angles + np.pi) % (2 * np.pi) - np.pi  # rotation vectors jump at half a turn
    motion = replace(motion, neck_pose=np.stack([0 * angles, angles, 0 * angles], axis=1).astype(np.float32))
    for mode in ("XYZ", "QUATERNION", "AXIS_ANGLE"):
        armature_of(mesh).pose.bones["neck"].rotation_mode = mode
        (part,) = [part for part in parts_of(mesh, motion) if part.channel.struct.name == "neck"]
        assert np.abs(np.diff(part.values, axis=0)).max() < 0.2, mode


def test_on_scene_frames_keys_are_whole_and_hold_what_is_between():
    mesh, motion = add(AVATAR), take(fps=30.0)
    bpy.context.scene.render.fps = 24
    done = put_on(bpy.context.scene, mesh, motion, Choices(Placement("Take", "ACTION"), 5.25, on_scene_frames=True))
    curve = control_curves(mesh)["jawOpen"]
    frames = [point.co.x for point in curve.keyframe_points]
    assert frames == list(range(6, 54)) and (done.first, done.last) == (6, 53)
    jaw = motion.expr[:, NAMES.index("jawOpen")]
    wanted = np.interp((np.array(frames) - 5.25) / 24, motion.times, jaw)
    np.testing.assert_allclose([point.co.y for point in curve.keyframe_points], wanted, atol=1e-6)


def test_the_scenes_rate_counts_with_its_base():
    mesh, motion = add(AVATAR), take(fps=24.0, seconds=10.0)
    render = bpy.context.scene.render
    render.fps, render.fps_base = 30, 1.001
    done = put_on(bpy.context.scene, mesh, motion, Choices(Placement("Take", "ACTION"), 1.0))
    assert done.last == pytest.approx(1 + 10 * 30 / 1.001)


def test_resting_controls_get_a_key_only_where_they_would_not_rest():
    mesh = add(AVATAR)
    mesh.data.shape_keys.key_blocks["tongueOut"].value = 0.7
    put(mesh, take())
    curves = control_curves(mesh)
    assert [point.co.y for point in curves["tongueOut"].keyframe_points] == [0]
    assert "noseSneerLeft" not in curves


def test_a_new_action_keeps_the_former_one():
    mesh = add(AVATAR)
    key = mesh.data.shape_keys
    key.key_blocks["tongueOut"].keyframe_insert("value", frame=1)
    former = key.animation_data.action
    (note,) = put(mesh, take())
    assert former.name in note and former.use_fake_user and key.animation_data.action != former
    assert "tongueOut" in control_curves(mesh)  # it was animated, and rests now


def keyed(mesh: Object) -> tuple:
    """Key two channels as a person would, and return their curves and what they do."""
    key, neck = mesh.data.shape_keys, armature_of(mesh).pose.bones["neck"]
    for frame in range(-20, 120, 7):
        for name in ("jawOpen", "tongueOut"):
            key.key_blocks[name].value = 0.5 + 0.4 * np.sin(frame)
            key.key_blocks[name].keyframe_insert("value", frame=frame)
        neck.rotation_euler = (np.sin(frame / 3), 0.2, 7.0 + np.cos(frame))
        neck.keyframe_insert("rotation_euler", frame=frame)
    return key, armature_of(mesh)


def everything(curve) -> dict:
    return {
        (point.co.x, point.co.y): (point.handle_left[:], point.handle_right[:], point.handle_left_type,
                                   point.handle_right_type, point.interpolation, point.easing, point.type)
        for point in curve.keyframe_points
    }  # fmt: skip


@pytest.mark.parametrize("span", [(20.0, 40.0), (22.0, 43.0), (20.5, 40.25)], ids=["between", "on keys", "fractions"])
@pytest.mark.parametrize("interpolation", ["BEZIER", "LINEAR", "CONSTANT"])
def test_a_punch_in_changes_its_range_alone(span, interpolation):
    mesh, motion = add(AVATAR), take()
    owners = keyed(mesh)
    curves = [curve for owner in owners for curve in actions.animation_curves(owner)]
    for curve in curves:
        for point in curve.keyframe_points:
            point.interpolation = interpolation
    outside = np.concatenate([np.arange(-30, span[0] - 1, 0.37), np.arange(span[1] + 1, 120, 0.37)])
    before = [everything(curve) for curve in curves]
    values = [[curve.evaluate(frame) for frame in outside] for curve in curves]
    put(mesh, motion, "ACTIVE", punch=span, blend=4.0)
    known = [(curve.data_path, curve.array_index) for curve in curves]
    now = {(c.data_path, c.array_index): c for owner in owners for c in actions.animation_curves(owner)}
    for name, keys, wanted in zip(known, before, values, strict=True):
        curve = now[name]
        np.testing.assert_allclose([curve.evaluate(frame) for frame in outside], wanted, atol=2e-5)
        kept = everything(curve)
        far = [at for at in keys if at[0] < span[0] - 8 or at[0] > span[1] + 8]
        assert far and all(kept[at] == keys[at] for at in far)
        assert all(at in kept for at in keys if at[0] < span[0] - 0.01 or at[0] > span[1] + 0.01)
    wanted = np.interp((30 - START) / 24, motion.times, motion.expr[:, NAMES.index("jawOpen")])
    assert control_curves(mesh)["jawOpen"].evaluate(30) == pytest.approx(wanted, abs=0.01)
    assert control_curves(mesh)["tongueOut"].evaluate(30) == pytest.approx(0, abs=1e-6)


def test_a_punch_in_fades_between_old_and_new_without_a_jump():
    mesh, motion = add(AVATAR), take()
    keyed(mesh)
    curve = control_curves(mesh)["jawOpen"]
    old = np.array([curve.evaluate(frame) for frame in (20, 24, 36, 40)])
    put(mesh, motion, "ACTIVE", punch=(20.0, 40.0), blend=8.0)
    new = np.interp((np.array([20, 24, 36, 40]) - START) / 24, motion.times, motion.expr[:, NAMES.index("jawOpen")])
    found = [control_curves(mesh)["jawOpen"].evaluate(frame) for frame in (20, 24, 36, 40)]
    np.testing.assert_allclose(found, [old[0], (old[1] + new[1]) / 2, (old[2] + new[2]) / 2, old[3]], atol=0.02)


def test_a_punch_in_of_what_had_no_keys_begins_and_ends_as_it_was():
    mesh, motion = add(AVATAR), take()
    mesh.data.shape_keys.key_blocks["browInnerUp"].value = 0.9
    keyed(mesh)
    put(mesh, motion, "ACTIVE", punch=(20.0, 40.0), blend=4.0)
    curve = control_curves(mesh)["browInnerUp"]
    assert [round(curve.evaluate(frame), 5) for frame in (1, 20, 40, 99)] == [0.9] * 4


def test_a_punch_in_outside_the_performance_is_refused():
    mesh = add(AVATAR)
    with pytest.raises(InputError, match="outside the punch-in"):
        put(mesh, take(), "ACTIVE", punch=(200.0, 300.0), blend=4.0)
    assert mesh.data.shape_keys.animation_data.action is None and len(bpy.data.actions) == 1


def test_onto_the_active_action_it_replaces_its_own_span():
    mesh, motion = add(AVATAR), take()
    key, _ = keyed(mesh)
    action = key.animation_data.action
    put(mesh, motion, "ACTIVE")
    assert key.animation_data.action == action
    curve = control_curves(mesh)["jawOpen"]
    jaw = motion.expr[:, NAMES.index("jawOpen")]
    found = [curve.evaluate(frame) for frame in frames_of(motion)]
    np.testing.assert_allclose(found, jaw, atol=1e-4)
    inside = [point.co.x for point in curve.keyframe_points if START <= point.co.x <= START + 48]
    assert len(inside) == len(motion.times)
    assert control_curves(mesh)["tongueOut"].evaluate(30) == 0


def test_a_strip_plays_over_what_is_there_and_the_active_action_goes_below():
    mesh, motion = add(AVATAR), take()
    key, rig = keyed(mesh)
    former = key.animation_data.action
    notes = put(mesh, motion, "STRIP", start=12.5)
    assert len(notes) == 2 and former.name in notes[0]
    assert key.animation_data.action is None
    below, base, above = key.animation_data.nla_tracks
    assert below.strips[0].action == former and (base.name, above.name) == ("Take Base", "Take")
    for sample in (0, 3, 50, 120):
        go_to(frames_of(motion, start=12.5)[sample])
        values = control_values(mesh)
        np.testing.assert_allclose([values[name] for name in ARKIT_NAMES], within(motion, sample), atol=1e-4)
    if actions.SLOTTED:
        assert above.strips[0].action == rig.animation_data.nla_tracks[-1].strips[0].action


def test_before_a_second_strip_the_first_one_is_seen():
    mesh, first, second = add(AVATAR), take(), take(seed=5)
    keys = mesh.data.shape_keys.key_blocks
    put(mesh, replace(first, expr=first.expr * (np.array(NAMES) != "jawOpen")), "STRIP")
    keys["jawOpen"].value = 0.2
    put(mesh, second, "STRIP", start=200.0)
    for motion, start, jaw in ((first, START, 0.2), (second, 200.0, None)):
        for sample in (0, 50, 120):
            go_to(frames_of(motion, start=start)[sample])
            assert keys["mouthFunnel"].value == pytest.approx(motion.expr[sample, NAMES.index("mouthFunnel")], abs=1e-4)
            wanted = motion.expr[sample, NAMES.index("jawOpen")] if jaw is None else jaw
            assert keys["jawOpen"].value == pytest.approx(wanted, abs=1e-4)
    go_to(900)
    assert keys["mouthFunnel"].value == pytest.approx(second.expr[-1, NAMES.index("mouthFunnel")], abs=1e-4)


def within(motion, sample: int) -> np.ndarray:
    return np.clip([motion.expr[sample, NAMES.index(name)] for name in ARKIT_NAMES], 0, 1)


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION"])
def test_an_additive_layer_adds_and_leaves_alone_before_and_after(mode):
    mesh, motion = add(AVATAR), take()
    motion = replace(motion, expr=motion.expr * 0.3)
    neck = armature_of(mesh).pose.bones["neck"]
    neck.rotation_mode = mode
    neck.matrix_basis = Quaternion((0, 1, 0), 0.4).to_matrix().to_4x4()
    neck.keyframe_insert("rotation_quaternion" if mode == "QUATERNION" else "rotation_euler", frame=1)
    keys = mesh.data.shape_keys.key_blocks
    keys["jawOpen"].value = 0.2
    keys["jawOpen"].keyframe_insert("value", frame=1)
    keys["browInnerUp"].value = 0.1  # no key
    put(mesh, motion, "STRIP", is_additive=True)
    for sample in (0, 40, 120):
        go_to(frames_of(motion)[sample])
        for name, base in (("jawOpen", 0.2), ("browInnerUp", 0.1), ("mouthFunnel", 0.0)):
            wanted = base + motion.expr[sample, NAMES.index(name)]
            assert keys[name].value == pytest.approx(wanted, abs=1e-4)
        turn = Vector(motion.neck_pose[sample])
        if mode == "QUATERNION":
            wanted = Quaternion((0, 1, 0), 0.4) @ Quaternion(turn.normalized(), turn.length)
            assert neck.matrix_basis.to_quaternion().rotation_difference(wanted).angle < 1e-3
        else:
            added = Quaternion(turn.normalized(), turn.length).to_euler("XYZ")
            np.testing.assert_allclose(neck.rotation_euler, np.add(added, (0, 0.4, 0)), atol=1e-4)
    for frame in (1, 500):
        go_to(frame)
        assert keys["jawOpen"].value == pytest.approx(0.2) and keys["browInnerUp"].value == pytest.approx(0.1)
        assert keys["mouthFunnel"].value == pytest.approx(0.0)


def test_without_head_motion_the_neck_keeps_its_animation():
    mesh, motion = add(AVATAR), take()
    keyed(mesh)
    neck = [everything(curve) for curve in actions.animation_curves(armature_of(mesh))]
    parts = parts_of(mesh, motion, head_motion=False)
    bake.bake(mesh, parts, frames_of(motion), Placement("Take", "ACTIVE"))
    curves = actions.animation_curves(armature_of(mesh))
    assert [everything(curve) for curve in curves if '"neck"' in curve.data_path] == neck
    assert any('"jaw"' in curve.data_path for curve in curves)


def test_driven_controls_keep_their_driver_and_are_told():
    mesh, motion = add(AVATAR), take()
    mesh.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver.expression = "0.3"
    done = put_on(bpy.context.scene, mesh, motion, Choices(Placement("Take", "ACTION"), 1.0))
    assert "jawOpen" not in control_curves(mesh)
    assert any(note.startswith("Jaw Open: each has a driver") for note in done.notes)


def test_linked_avatars_and_locked_channels_are_refused():
    mesh = add(AVATAR)
    keyed(mesh)
    control_curves(mesh)["jawOpen"].lock = True
    with pytest.raises(InputError, match="locked"):
        put(mesh, take(), "ACTIVE")
    put(mesh, take(), "ACTION")


def test_a_still_of_one_frame_is_one_key():
    mesh, motion = add(AVATAR), take(seconds=0.0)
    for how in ("ACTION", "ACTIVE", "STRIP"):
        put(mesh, motion, how, bounds=BOUNDS)
    go_to(START)
    np.testing.assert_allclose([control_values(mesh)[name] for name in ARKIT_NAMES], within(motion, 0), atol=1e-6)


@pytest.mark.parametrize("how", ["ACTION", "ACTIVE", "STRIP"])
def test_frames_at_almost_the_same_time_are_one_key(how):
    mesh, motion = add(AVATAR), take(seconds=0.5)
    motion.times[5] = motion.times[4] + 1e-4
    motion.times[7:9] = motion.times[6]
    put(mesh, motion, how, bounds=None)
    data = mesh.data.shape_keys.animation_data
    action = data.nla_tracks[-1].strips[0].action if how == "STRIP" else data.action
    jaw = next(curve for curve in actions.curves(action) if curve.data_path == actions.control_path("jawOpen"))
    wanted = np.delete(np.arange(len(motion.times)), (5, 7, 8))
    found = np.array([point.co for point in jaw.keyframe_points])
    np.testing.assert_allclose(found[:, 0], frames_of(motion)[wanted], atol=1e-4)
    np.testing.assert_allclose(found[:, 1], motion.expr[wanted, motion.expr_names.index("jawOpen")], atol=1e-6)
