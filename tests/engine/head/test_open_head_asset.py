"""What must hold in the shipped asset."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import MachineError
from likeness.contract.safe_npz import read_npz, write_npz
from likeness.head.assets import REGION_NAMES, hash_arrays
from likeness.head.model import OPEN_HEAD, load_open_head

FLIP = np.array([-1, 1, 1], np.float32)


def region_vertices(assets, *names):
    return np.unique(assets.faces[np.isin(assets.face_region, [REGION_NAMES.index(n) for n in names])])


def swapped(name):
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name


def boundary_edges(faces):
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() == 2, "an edge belongs to more than two triangles"
    return unique[count == 1]


def test_it_is_small_and_speaks_arkit(open_head):
    assert OPEN_HEAD.stat().st_size < 5_000_000
    assert open_head.expr_names == ARKIT_NAMES
    assert open_head.shapedirs.shape[-1] >= 68


def test_the_mirror_map_is_exact(open_head):
    assert np.array_equal(open_head.mirror[open_head.mirror], np.arange(len(open_head.mirror)))
    assert np.array_equal(open_head.v_template[open_head.mirror] * FLIP, open_head.v_template)


def test_mirrored_triangles_exist_and_carry_the_mirrored_region(open_head):
    mirrored_name = {"left": "right", "right": "left"}
    twin = [
        REGION_NAMES.index("_".join(mirrored_name.get(word, word) for word in name.split("_"))) for name in REGION_NAMES
    ]
    region_of = {tuple(sorted(f)): r for f, r in zip(open_head.faces.tolist(), open_head.face_region, strict=True)}
    for face, region in zip(open_head.mirror[open_head.faces].tolist(), open_head.face_region, strict=True):
        assert region_of[tuple(sorted(face))] == twin[region]


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_left_shapes_are_mirrored_right_shapes(open_head, name):
    shape = open_head.exprdirs[:, :, ARKIT_NAMES.index(name)]
    twin = open_head.exprdirs[:, :, ARKIT_NAMES.index(swapped(name))]
    assert np.abs(shape).max() > 0.001
    np.testing.assert_allclose(shape[open_head.mirror] * FLIP, twin, atol=1e-6)


def test_left_is_the_subjects_left(open_head):
    for name in ("eyeBlinkLeft", "mouthSmileLeft", "browOuterUpLeft"):
        moved = np.linalg.norm(open_head.exprdirs[:, :, ARKIT_NAMES.index(name)], axis=1)
        assert (moved * open_head.v_template[:, 0]).sum() > 0


def test_identity_directions_are_even_or_odd(open_head):
    for k in range(open_head.shapedirs.shape[-1]):
        direction = open_head.shapedirs[:, :, k]
        mirrored = direction[open_head.mirror] * FLIP
        assert min(np.abs(mirrored - direction).max(), np.abs(mirrored + direction).max()) < 1e-6


def test_joints_sit_in_the_eyeballs_on_every_identity(open_head, identities):
    for betas in identities:
        vertices = open_head.v_template + open_head.shapedirs @ betas.astype(np.float32)
        joints = open_head.J_regressor @ vertices
        for joint, name in ((3, "eye_left"), (4, "eye_right")):
            radius = np.linalg.norm(vertices[region_vertices(open_head, name)] - joints[joint], axis=1)
            assert 0.011 < radius.mean() < 0.019
            assert np.ptp(radius) < 1e-4
        assert joints[3, 0] > 0 > joints[4, 0]


def test_the_origin_is_between_the_eyes_of_the_mean_head(open_head):
    joints = open_head.J_regressor @ open_head.v_template
    np.testing.assert_allclose(joints[3] + joints[4], 0, atol=1e-6)


def test_weights_are_a_partition_of_unity(open_head):
    np.testing.assert_allclose(open_head.lbs_weights.sum(1), 1, atol=1e-6)
    assert open_head.lbs_weights.min() >= 0
    neck, root = open_head.lbs_weights[:, 1], open_head.lbs_weights[:, 0]
    top, shoulder = open_head.v_template[:, 1] > 0.05, np.abs(open_head.v_template[:, 0]) > 0.14
    assert neck[top].min() == 1
    assert root[shoulder].min() > 0.99
    assert np.all(open_head.lbs_weights[region_vertices(open_head, "teeth_lower", "tongue"), 2] == 1)


def test_weights_change_smoothly(open_head):
    skin = [REGION_NAMES.index(n) for n in ("face", "scalp", "neck", "torso", "ears")]
    faces = open_head.faces[np.isin(open_head.face_region, skin)]
    corners = open_head.v_template[faces]
    length = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2)
    step = np.abs(open_head.lbs_weights[faces] - open_head.lbs_weights[np.roll(faces, 1, 1)]).max(2)
    assert (step / np.maximum(length, 0.002)).max() < 100  # from 0 to 1 over a centimetre at the steepest


def test_the_skin_is_closed_above_the_chest(open_head):
    parts = [REGION_NAMES.index(n) for n in ("teeth_upper", "teeth_lower", "tongue", "lashes_left", "lashes_right")]
    skin = open_head.faces[~np.isin(open_head.face_region, parts)]
    rim = open_head.v_template[boundary_edges(skin).ravel()]
    assert np.all((rim[:, 1] < -0.22) | (np.abs(rim[:, 0]) > 0.15))


def test_regions_lie_where_their_names_say(open_head):
    center = open_head.v_template[open_head.faces].mean(1)
    height = {name: center[open_head.face_region == k].mean(0) for k, name in enumerate(REGION_NAMES)}
    assert height["scalp"][1] > height["face"][1] > height["neck"][1] > height["torso"][1]
    assert height["teeth_upper"][1] > height["teeth_lower"][1]
    assert height["lids_left"][0] > 0.02 > -0.02 > height["lids_right"][0]
    assert height["lips"][2] > height["tongue"][2] > height["neck"][2]


def test_hidden_vertices_are_inside(open_head):
    assert open_head.hidden[region_vertices(open_head, "tongue", "teeth_upper", "teeth_lower")].all()
    for name in ("face", "scalp", "torso"):
        assert open_head.hidden[region_vertices(open_head, name)].mean() < 0.06, name
    assert np.array_equal(open_head.hidden, open_head.hidden[open_head.mirror])


def test_landmarks_are_symmetric_and_on_their_regions(open_head):
    assert np.allclose(open_head.landmark_bary.sum(1), 1, atol=1e-5)
    assert open_head.landmark_bary.min() >= 0
    assert np.all(open_head.landmark_spread > 0)
    eyes = [REGION_NAMES.index("eye_left"), REGION_NAMES.index("eye_right")]
    assert np.isin(open_head.face_region[open_head.landmark_faces[468:]], eyes).all()
    assert not np.isin(open_head.face_region[open_head.landmark_faces[:468]], eyes).any()


def test_the_hash_tells_models_apart():
    arrays = {"a": np.arange(3), "b": np.zeros(2)}
    assert hash_arrays(arrays) == hash_arrays(dict(reversed(arrays.items())))
    assert hash_arrays(arrays) != hash_arrays({**arrays, "b": np.ones(2)})
    assert hash_arrays(arrays) != hash_arrays({"a": np.arange(3).reshape(3, 1), "b": np.zeros(2)})


def damage_truncate(stored):
    return write_npz(stored)[:1000]


def damage_drop(stored):
    return write_npz({name: array for name, array in stored.items() if name != "uv"})


def damage_sizes(stored):
    return write_npz({**stored, "mirror": stored["mirror"][:-1]})


def damage_indices(stored):
    return write_npz({**stored, "faces": stored["faces"] + 1})


@pytest.mark.parametrize("damage", [damage_truncate, damage_drop, damage_sizes, damage_indices])
def test_a_damaged_file_is_told(tmp_path, damage):
    file = tmp_path / "head.npz"
    file.write_bytes(damage(read_npz(OPEN_HEAD.read_bytes())))
    with pytest.raises(MachineError) as caught:
        load_open_head(file)
    assert caught.value.code == "head.damaged"


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(MachineError) as caught:
        load_open_head(tmp_path / "nothing.npz")
    assert caught.value.code == "head.missing"
