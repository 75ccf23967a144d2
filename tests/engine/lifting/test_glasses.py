"""Glasses are found where they are drawn, not where they are not; they stand before the eyes and are rigid."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from likeness.binding.affine import pose
from likeness.geometry.cameras import look_at_face
from likeness.head.model import rig_vertices
from likeness.lifting.glasses import find_glasses
from likeness.lifting.glasses_lift import lift_glasses, still_triangle
from likeness.lifting.types import join_layers
from likeness.lifting.visibility import Label, explain_pixels

from .conftest import SIZE, photograph_head, scene_of

FRAME = (0.05, 0.04, 0.06)
EYES = (33, 133), (263, 362)


@pytest.fixture(scope="module")
def bare(open_head):
    """A face as large in the picture as the portrait stage makes it."""
    camera = look_at_face(1.0, 2.2 * SIZE, SIZE, SIZE)
    return scene_of(*photograph_head(open_head, camera, np.zeros(len(open_head.expr_names), np.float32)), open_head)


@pytest.fixture(scope="module")
def worn(bare):
    """The same face with two lenses and a bridge drawn on it; and the frame's pixels."""
    rgb = np.ascontiguousarray(bare.portrait.rgb)
    millimetre = 0.001 / bare.metres_per_pixel
    width = max(round(3.5 * millimetre), 1)
    centers = [bare.portrait.landmarks[list(pair)].mean(0) + np.array([0, 4 * millimetre]) for pair in EYES]
    drawn = np.zeros(rgb.shape[:2], np.uint8)
    for center in centers:
        axes = (round(23 * millimetre * 16), round(18 * millimetre * 16))
        cv2.ellipse(drawn, np.round(center * 16).astype(int).tolist(), axes, 0, 0, 360, 1, width, shift=4)
    inner = [
        np.round(c + np.array([sign * 23 * millimetre, -2])).astype(int).tolist()
        for c, sign in zip(centers, (1, -1), strict=True)
    ]
    cv2.line(drawn, *inner, 1, width)
    rgb = np.where(drawn[..., None] > 0, np.float32(FRAME), rgb)
    return replace(bare, portrait=replace(bare.portrait, rgb=rgb, foreground=rgb)), drawn > 0


@pytest.fixture(scope="module")
def lifted(worn):
    view = explain_pixels(worn[0])
    return join_layers(lift_glasses(worn[0], view))


def test_a_bare_face_wears_none(bare):
    assert find_glasses(bare) is None
    assert explain_pixels(bare).glasses is None
    assert lift_glasses(bare, explain_pixels(bare)) == []


def test_a_drawn_frame_is_found(worn):
    scene, drawn = worn
    glasses = find_glasses(scene)
    assert glasses is not None
    assert glasses.mask[drawn].mean() > 0.9
    assert (glasses.mask & ~cv2.dilate(drawn.astype(np.uint8), np.ones((5, 5))).astype(bool)).sum() < 0.1 * drawn.sum()
    np.testing.assert_allclose(glasses.color, FRAME, atol=0.05)
    label = explain_pixels(scene).label
    assert (label[glasses.mask] == Label.GLASSES).all()
    eyes = np.isin(label, (Label.EYE, Label.SKIN))
    column, row = np.floor(scene.portrait.landmarks[[468, 473]]).astype(int).T
    assert eyes[row, column].all()


def test_the_frame_stands_before_the_eyes_and_the_arms_reach_the_ears(worn, lifted):
    scene, _ = worn
    means, _ = pose(lifted.bound, scene.vertices, scene.rig.faces)
    cornea = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("eye_left", "eye_right")])][:, 2].max()
    frame = means[lifted.seen]
    assert frame[:, 2].min() > cornea
    assert np.median(frame[:, 2]) < cornea + 0.03
    ears = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("ears")])]
    arms = means[~lifted.seen]
    for side in (-1, 1):
        own = arms[arms[:, 0] * side > 0.03]
        ear = ears[ears[:, 0] * side > 0]
        assert own[:, 2].min() < ear[:, 2].max() - 0.01
        gaps = np.diff(np.sort(own[:, 2]))
        assert gaps.max() < 0.004


def test_expressions_and_lids_leave_them_as_they_are(worn, lifted):
    scene, _ = worn
    rest, _ = pose(lifted.bound, scene.vertices, scene.rig.faces)
    everything = np.ones(len(scene.rig.control_names), np.float32)
    still = np.zeros((len(scene.rig.parents), 3), np.float32)
    moved, _ = pose(lifted.bound, rig_vertices(scene.rig, everything, still), scene.rig.faces)
    assert np.abs(moved - rest).max() < 1e-4


def test_a_turning_neck_turns_them_rigidly(worn, lifted):
    scene, _ = worn
    turned = np.zeros((len(scene.rig.parents), 3), np.float32)
    turned[1, 1] = np.radians(30)
    rest, _ = pose(lifted.bound, scene.vertices, scene.rig.faces)
    moved, _ = pose(lifted.bound, rig_vertices(scene.rig, scene.controls, turned), scene.rig.faces)
    pick = np.random.default_rng(0).integers(0, len(rest), (200, 2))
    before, after = (np.linalg.norm(m[pick[:, 0]] - m[pick[:, 1]], axis=1) for m in (rest, moved))
    np.testing.assert_allclose(after, before, atol=2e-4)
    assert np.linalg.norm(moved - rest, axis=1).mean() > 0.02


def test_the_carrier_lies_on_the_skull(bare):
    assert bare.triangles_in("scalp")[still_triangle(bare)]
