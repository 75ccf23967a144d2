"""Pixels are explained by the triangles that were painted there."""

from __future__ import annotations

import numpy as np

from likeness.lifting.visibility import Label, explain_pixels, visible_points


def test_labels_agree_with_what_was_painted(scene):
    view = explain_pixels(scene)
    person = scene.portrait.alpha > 0.5
    assert (view.label[~person] == Label.BACKGROUND).all()
    assert (view.label[person] != Label.BACKGROUND).all()
    torso = np.linalg.norm(scene.portrait.rgb - np.array([0.2, 0.3, 0.6]) * 0.9, axis=-1) < 0.15
    assert (view.label[torso & person] == Label.VOLUME).mean() > 0.95
    row, column = np.round(scene.portrait.landmarks[[1, 50, 280]] - 0.5).astype(int)[:, ::-1].T
    assert (view.label[row, column] == Label.SKIN).all()
    assert np.isfinite(view.depth[np.isin(view.label, (Label.SKIN, Label.EYE))]).all()


def test_eye_pixels_lie_on_the_eye_of_their_side(scene):
    view = explain_pixels(scene)
    row, column = np.nonzero(view.label == Label.EYE)
    assert len(row) > 20
    left = scene.triangles_in("eye_left")[view.triangle[row, column]]
    # The subject's left is on the picture's right.
    np.testing.assert_array_equal(left, column > len(view.label) / 2)


def test_closed_mouth_has_no_mouth_pixels(scene):
    assert not (explain_pixels(scene).label == Label.MOUTH).any()


def test_facing_falls_from_the_nose_to_the_side(scene):
    view = explain_pixels(scene)
    nose = np.round(scene.portrait.landmarks[5] - 0.5).astype(int)
    assert view.facing[nose[1], nose[0]] > 0.8
    edge = (view.label == Label.SKIN) & (view.to_outline < 2)
    assert np.median(view.facing[edge]) < 0.5


def test_points_behind_the_head_are_not_visible(scene):
    view = explain_pixels(scene)
    points = np.array([[0.0, 0.0, -0.19], [0.0, -0.03, 0.2]])
    towards = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    visible, _, _ = visible_points(scene, view, points, towards, tolerance=0.003)
    assert visible.tolist() == [False, True]
