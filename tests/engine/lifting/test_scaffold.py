"""The scaffold follows the head smoothly: rigid with the skull, at rest on the shoulders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from likeness.binding.affine import bind
from likeness.contract.avatar import JOINT_NAMES, Part
from likeness.geometry.frames import triangle_frames
from likeness.head.model import bake_rig, rig_vertices
from likeness.lifting.scaffold import add_scaffold, drop_unused_scaffold, loosen_cloth, scaffold_triangle


@pytest.fixture(scope="module")
def rig(open_head):
    plain = bake_rig(open_head, np.zeros(open_head.shapedirs.shape[-1], np.float32))
    return add_scaffold(plain, open_head)


def posed(rig, joint=None, angle=0.0, axis=1, **controls):
    pose = np.zeros((len(rig.parents), 3), np.float32)
    if joint:
        pose[JOINT_NAMES.index(joint), axis] = angle
    values = np.array([controls.get(name, 0.0) for name in rig.control_names], np.float32)
    return rig_vertices(rig, values, pose)


def test_weights_are_a_partition(rig):
    np.testing.assert_allclose(rig.lbs_weights.sum(1), 1, atol=1e-4)
    assert rig.lbs_weights.min() >= 0


def carriers(rig, part):
    """The scaffold's triangles of one part."""
    return rig.faces[rig.head_triangles :][rig.face_part[rig.head_triangles :] == part]


def carried(rig, part, points, still, turned):
    """Take points from one pose to another as Gaussians are taken."""
    triangle = scaffold_triangle(points, np.full(len(points), part == Part.TORSO), rig.head_triangles)
    local, _ = bind(points, np.zeros((len(points), 3, 3)), triangle, still, rig.faces)
    frames, origins = triangle_frames(turned.astype(np.float64), rig.faces[triangle])
    return origins + np.einsum("nij,nj->ni", frames, local)


@pytest.mark.parametrize("part", [Part.HAIR, Part.TORSO])
def test_the_triangle_contains_its_point(rig, part):
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.3, -0.4, -0.2], [0.3, 0.3, 0.05], (500, 3))
    triangle = scaffold_triangle(points, np.full(500, part == Part.TORSO), rig.head_triangles)
    assert (rig.face_part[triangle] == part).all()
    corners = rig.v_neutral[rig.faces[triangle]].astype(np.float64)
    solved = np.linalg.solve(
        np.concatenate([corners[..., :2].transpose(0, 2, 1), np.ones((500, 1, 3))], 1),
        np.concatenate([points[:, :2], np.ones((500, 1))], 1)[..., None],
    )[..., 0]
    assert solved.min() > -1e-4 and solved.max() < 1 + 1e-4
    nearest_grid = np.abs(corners[:, 0, 2] - points[:, 2])
    assert nearest_grid.max() <= 0.0101


def test_crown_turns_with_the_skull_and_shoulders_stay(rig):
    still, turned = posed(rig), posed(rig, "neck", 0.5)
    scaffold = np.arange(len(still)) >= rig.head_vertices
    moved = np.linalg.norm(turned - still, axis=1)
    hair = np.isin(np.arange(len(still)), carriers(rig, Part.HAIR))
    crown = hair & (still[:, 1] > 0.1) & (np.abs(still[:, 0]) > 0.05)
    shoulders = scaffold & (still[:, 1] < -0.22)
    assert moved[crown].min() > 0.015
    assert moved[shoulders].max() < 0.01


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_clothes_move_only_near_the_neck(rig, axis):
    still, turned = posed(rig), posed(rig, "neck", np.radians(25), axis)
    moved = np.linalg.norm(turned - still, axis=1)
    torso = np.unique(carriers(rig, Part.TORSO))
    skin, _ = cKDTree(still[: rig.head_vertices]).query(still[torso])
    from_joint = np.linalg.norm(still[torso] - rig.joints[JOINT_NAMES.index("neck")], axis=1)
    off_skin = (skin > 0.036) | (np.abs(still[torso, 0]) > 0.11)
    assert moved[torso[off_skin]].max() < 0.01
    assert moved[torso[off_skin & (from_joint > 0.17)]].max() < 0.001
    assert moved[torso].max() < 0.04


def test_shoulders_follow_a_little_and_stay_behind(rig):
    still, turned = posed(rig), posed(rig, "neck", 0.5)
    torso = np.unique(carriers(rig, Part.TORSO))
    beside = still[torso] - rig.joints[JOINT_NAMES.index("neck")]
    near = (np.linalg.norm(beside, axis=1) < 0.11) & (np.abs(beside[:, 0]) > 0.06) & (beside[:, 1] < 0)
    share = (turned - still)[torso][near, 2] / (-0.5 * beside[near, 0])
    assert share.min() > 0.03 and 0.08 < np.median(share) < 0.25


def test_cloth_stays_where_bare_skin_goes_with_the_neck(rig):
    loose = loosen_cloth(rig, np.where(rig.v_neutral[:, 0] > 0, 1.0, 0.0))
    np.testing.assert_array_equal(posed(loose), posed(rig))
    np.testing.assert_allclose(loose.lbs_weights.sum(1), 1, atol=1e-4)
    other = np.setdiff1d(np.arange(len(rig.v_neutral)), carriers(rig, Part.TORSO))
    np.testing.assert_array_equal(loose.lbs_weights[other], rig.lbs_weights[other])
    left = rig.v_neutral[:, 0] > 0
    np.testing.assert_allclose(loose.lbs_weights[left], rig.lbs_weights[left], atol=1e-6)
    neck = JOINT_NAMES.index("neck")
    cloth = np.setdiff1d(np.unique(carriers(rig, Part.TORSO)), np.flatnonzero(left))
    assert rig.lbs_weights[cloth, neck].max() > 0.5 > 0.3 > loose.lbs_weights[cloth, neck].max()


def test_clothes_at_the_neck_go_with_its_skin(rig):
    """Where a neckline lies on the skin the two must not part."""
    still, turned = posed(rig), posed(rig, "neck", np.radians(25))
    weight = rig.lbs_weights[: rig.head_vertices, 0]
    neck = np.flatnonzero((weight > 0.3) & (weight < 0.8))
    moved = carried(rig, Part.TORSO, still[neck].astype(np.float64), still, turned)
    assert np.linalg.norm(turned[neck] - still[neck], axis=1).max() > 0.015
    assert np.linalg.norm(moved - turned[neck], axis=1).max() < 0.01


@pytest.mark.parametrize(("part", "most"), [(Part.HAIR, 0.013), (Part.TORSO, 0.005)])
def test_neighbours_move_alike_round_the_neck(rig, part, most):
    """Points 2 mm apart stay together, on whatever triangle of whatever grid each of them is."""
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.2, -0.25, -0.15], [0.2, -0.08, 0.06], (5000, 3))
    step = rng.normal(size=points.shape)
    beside = points + 0.002 * step / np.linalg.norm(step, axis=1, keepdims=True)
    still, turned = posed(rig), posed(rig, "neck", np.radians(25))
    apart = np.linalg.norm(
        carried(rig, part, points, still, turned) - carried(rig, part, beside, still, turned) - (points - beside),
        axis=1,
    )
    assert np.percentile(apart, 99) < most


def test_shapes_fade_with_the_distance_from_the_skin(rig):
    moved = np.linalg.norm(posed(rig, jawOpen=1.0) - posed(rig), axis=1)
    far = (np.arange(len(moved)) >= rig.head_vertices) & (rig.v_neutral[:, 1] > 0.15)
    chin = (np.arange(len(moved)) >= rig.head_vertices) & (
        np.linalg.norm(rig.v_neutral - [0, -0.12, 0.02], axis=1) < 0.03
    )
    assert moved[far].max() < 1e-3
    assert moved[chin].max() > 0.004


def test_dropping_unused_parts_moves_nothing(rig):
    rng = np.random.default_rng(0)
    triangle = np.concatenate(
        [rng.integers(0, rig.head_triangles, 50), rng.integers(rig.head_triangles, len(rig.faces), 20)]
    ).astype(np.int32)
    slim, renumbered = drop_unused_scaffold(rig, triangle)
    assert len(slim.faces) <= rig.head_triangles + 20
    before = posed(rig, "neck", 0.3, jawOpen=0.5)[rig.faces[triangle]]
    after = posed(slim, "neck", 0.3, jawOpen=0.5)[slim.faces[renumbered]]
    np.testing.assert_array_equal(before, after)
