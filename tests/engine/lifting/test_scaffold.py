"""The scaffold follows the head smoothly: rigid with the skull, at rest on the shoulders."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.contract.avatar import JOINT_NAMES
from likeness.head.model import bake_rig, rig_vertices
from likeness.lifting.scaffold import add_scaffold, drop_unused_scaffold, scaffold_triangle


@pytest.fixture(scope="module")
def rig(open_head):
    plain = bake_rig(open_head, np.zeros(open_head.shapedirs.shape[-1], np.float32))
    return add_scaffold(plain, open_head)


def posed(rig, joint=None, angle=0.0, **controls):
    pose = np.zeros((len(rig.parents), 3), np.float32)
    if joint:
        pose[JOINT_NAMES.index(joint), 1] = angle
    values = np.array([controls.get(name, 0.0) for name in rig.control_names], np.float32)
    return rig_vertices(rig, values, pose)


def test_weights_are_a_partition(rig):
    np.testing.assert_allclose(rig.lbs_weights.sum(1), 1, atol=1e-4)
    assert rig.lbs_weights.min() >= 0


def test_the_triangle_contains_its_point(rig):
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.3, -0.4, -0.2], [0.3, 0.3, 0.05], (500, 3))
    corners = rig.v_neutral[rig.faces[scaffold_triangle(points, rig.head_triangles)]].astype(np.float64)
    solved = np.linalg.solve(
        np.concatenate([corners[..., :2].transpose(0, 2, 1), np.ones((500, 1, 3))], 1),
        np.concatenate([points[:, :2], np.ones((500, 1))], 1)[..., None],
    )[..., 0]
    assert solved.min() > -1e-4 and solved.max() < 1 + 1e-4
    nearest_grid = np.abs(corners[:, 0, 2] - points[:, 2])
    assert nearest_grid.max() <= 0.062


def test_crown_turns_with_the_skull_and_shoulders_stay(rig):
    still, turned = posed(rig), posed(rig, "neck", 0.5)
    scaffold = np.arange(len(still)) >= rig.head_vertices
    moved = np.linalg.norm(turned - still, axis=1)
    crown = scaffold & (still[:, 1] > 0.1) & (np.abs(still[:, 0]) > 0.05)
    shoulders = scaffold & (still[:, 1] < -0.22)
    assert moved[crown].min() > 0.015
    assert moved[shoulders].max() < 0.01


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
