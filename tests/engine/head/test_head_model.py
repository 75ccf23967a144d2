"""The forward pass against a plain twin; bones and shapes as two handles on one motion; rigs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Part
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import REGION_NAMES
from likeness.head.model import (
    JAW_OPEN_ANGLE,
    LEFT_EYE_LOOKS,
    bake_rig,
    forward,
    ibug_landmarks,
    landmarks,
    prepare_identity,
    rig_vertices,
)

REST = np.zeros((5, 3))


def plain_forward(prepared, controls, pose):
    """FLAME's forward pass in float64, written as in the paper: 4 x 4 transforms down the tree, vertex by vertex."""
    rotations = rotvec_to_rotmat(pose)
    feature = np.concatenate([(rotation - np.eye(3)).ravel() for rotation in rotations[1:]])
    shaped = prepared.v_neutral + prepared.shapes.astype(float) @ controls + prepared.posedirs.astype(float) @ feature
    world = []
    for joint, parent in enumerate(prepared.parents):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = prepared.joints[joint] - (prepared.joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    for joint, transform in enumerate(world):
        unpose = np.eye(4)
        unpose[:3, 3] = -prepared.joints[joint]
        world[joint] = transform @ unpose
    blended = np.einsum("vj,jab->vab", prepared.lbs_weights.astype(float), np.stack(world))
    return np.einsum("vab,vb->va", blended[:, :3, :3], shaped) + blended[:, :3, 3]


def control(name):
    one = np.zeros(len(ARKIT_NAMES))
    one[ARKIT_NAMES.index(name)] = 1
    return one


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 1.5))
def test_forward_equals_the_plain_twin(open_head, seed, spread):
    random = np.random.default_rng(seed)
    prepared = prepare_identity(open_head, random.normal(size=open_head.shapedirs.shape[-1]))
    controls = random.random(52) * (random.random(52) < 0.4)
    pose = random.normal(0, spread, (5, 3)) * (random.random((5, 1)) < 0.7)
    fast = forward(prepared, controls, pose)
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, plain_forward(prepared, controls, pose), atol=3e-6)


def test_forward_leaves_its_input_alone(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    before = prepared.v_neutral.copy()
    moved = forward(prepared, np.ones(52), np.full((5, 3), 0.2))
    assert np.array_equal(prepared.v_neutral, before)
    assert np.isfinite(moved).all()
    assert not np.shares_memory(forward(prepared, np.zeros(52), REST), prepared.v_neutral)


def test_offsets_move_the_head_and_its_joints(open_head):
    betas = np.zeros(open_head.shapedirs.shape[-1])
    shift = np.tile([0.01, -0.02, 0.03], (len(open_head.v_template), 1))
    plain, moved = prepare_identity(open_head, betas), prepare_identity(open_head, betas, shift)
    np.testing.assert_allclose(moved.v_neutral - plain.v_neutral, shift, atol=1e-6)
    np.testing.assert_allclose(moved.joints - plain.joints, shift[:5], atol=1e-5)


def test_the_jaw_bone_at_its_angle_is_jaw_open(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    pose = REST.copy()
    pose[2, 0] = JAW_OPEN_ANGLE
    by_bone, by_shape = forward(prepared, np.zeros(52), pose), forward(prepared, control("jawOpen"), REST)
    assert np.abs(by_shape - prepared.v_neutral).max() > 0.02
    np.testing.assert_allclose(by_bone, by_shape, atol=1e-6)


@pytest.mark.parametrize("look", LEFT_EYE_LOOKS)
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_an_eye_bone_at_its_angle_is_the_look_shape(open_head, look, side):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    pose = REST.copy()
    pose[3 if side == "Left" else 4] = np.array(LEFT_EYE_LOOKS[look]) * (1, 1 if side == "Left" else -1, 1)
    by_shape = forward(prepared, control(look.removesuffix("Left") + side), REST)
    assert np.abs(by_shape - prepared.v_neutral).max() > 0.004
    np.testing.assert_allclose(forward(prepared, np.zeros(52), pose), by_shape, atol=1e-5)


def test_a_half_turned_jaw_stays_close_to_half_the_shape(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    pose = REST.copy()
    pose[2, 0] = JAW_OPEN_ANGLE / 2
    difference = forward(prepared, np.zeros(52), pose) - forward(prepared, 0.5 * control("jawOpen"), REST)
    assert np.linalg.norm(difference, axis=1).max() < 0.003


def test_looking_shapes_turn_the_eyeball_rigidly(open_head, identities):
    eye = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("eye_left")])
    for betas in identities:
        prepared = prepare_identity(open_head, betas)
        for look, rotvec in LEFT_EYE_LOOKS.items():
            turned = forward(prepared, control(look), REST)[eye] - prepared.joints[3]
            rest = prepared.v_neutral[eye] - prepared.joints[3]
            np.testing.assert_allclose(turned, rest @ rotvec_to_rotmat(np.array(rotvec)).T, atol=4e-4)


def test_upper_teeth_stay_and_lower_teeth_open(open_head):
    jaw_open = open_head.exprdirs[:, :, ARKIT_NAMES.index("jawOpen")]
    upper = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("teeth_upper")])
    lower = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("teeth_lower")])
    assert np.abs(jaw_open[upper]).max() == 0
    front = lower[open_head.v_template[lower, 2] > 0.01]
    assert jaw_open[front, 1].max() < -0.02


def test_landmarks_lie_on_the_face(open_head):
    places = landmarks(open_head.v_template, open_head)
    assert places.shape == (478, 3)
    nose, chin, forehead, left_eye, right_eye = places[[1, 152, 10, 263, 33]]
    assert nose[2] == pytest.approx(places[:, 2].max(), abs=0.003)
    assert chin[1] < nose[1] < forehead[1]
    assert left_eye[0] > 0.03 > -0.03 > right_eye[0]
    ibug = ibug_landmarks(open_head.v_template, open_head)
    assert ibug.shape == (68, 3)
    assert ibug[0, 0] < ibug[16, 0], "iBUG counts from the subject's right"
    assert ibug[57, 1] < ibug[51, 1] < ibug[30, 1]


def test_a_rig_gives_what_the_head_gives(open_head, identities):
    random = np.random.default_rng(2)
    offsets = random.normal(0, 0.0005, open_head.v_template.shape)
    rig = bake_rig(open_head, identities[1], offsets)
    controls, pose = random.random(52), random.normal(0, 0.2, (5, 3))
    expected = forward(prepare_identity(open_head, identities[1], offsets), controls, pose)
    np.testing.assert_allclose(rig_vertices(rig, controls, pose), expected, atol=1e-6)
    assert rig.head_triangles == len(rig.faces) == len(rig.face_part)
    for name in ("shapedirs", "posedirs", "v_neutral", "lbs_weights"):
        array = getattr(rig, name)
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_a_rigs_parts_follow_the_regions(open_head):
    rig = bake_rig(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    part = {name: set(rig.face_part[open_head.face_region == k]) for k, name in enumerate(REGION_NAMES)}
    assert part["face"] == part["lips"] == part["lids_left"] == part["ears"] == part["neck"] == {Part.SKIN}
    assert part["torso"] == {Part.TORSO}
    assert part["eye_left"] == part["eye_right"] == {Part.EYE}
    assert part["teeth_upper"] == part["tongue"] == part["mouth_inside"] == {Part.MOUTH}
    assert part["lashes_left"] == {Part.LASH}


def test_scaffold_vertices_follow_the_neck_alone(open_head):
    rig = bake_rig(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    tail = np.array([[0, 0.1, -0.2], [0.01, 0.1, -0.2], [0, 0.11, -0.2]], np.float32)
    weights = np.zeros((3, 5), np.float32)
    weights[:, 1] = 1
    count = len(rig.v_neutral)
    with_hair = replace(
        rig,
        v_neutral=np.concatenate([rig.v_neutral, tail]),
        faces=np.concatenate([rig.faces, np.array([[count, count + 1, count + 2]], np.int32)]),
        shapedirs=np.concatenate([rig.shapedirs, np.zeros((3, *rig.shapedirs.shape[1:]), np.float32)]),
        posedirs=np.concatenate([rig.posedirs, np.zeros((3, *rig.posedirs.shape[1:]), np.float32)]),
        lbs_weights=np.concatenate([rig.lbs_weights, weights]),
    )
    pose = REST.copy()
    pose[1] = [0.1, 0.4, 0]
    moved = rig_vertices(with_hair, np.ones(52), pose)
    turned = (tail - rig.joints[1]) @ rotvec_to_rotmat(pose[1]).T + rig.joints[1]
    np.testing.assert_allclose(moved[count:], turned, atol=1e-6)
    np.testing.assert_allclose(moved[:count], rig_vertices(rig, np.ones(52), pose), atol=1e-6)
