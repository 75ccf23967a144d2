"""Pixels inside outlines of landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from likeness.lifting.outlines import inside_hulls, inside_outline

from .conftest import SIZE


def with_landmarks(scene, points):
    landmarks = np.zeros((478, 2))
    landmarks[: len(points)] = points
    return replace(scene, portrait=replace(scene.portrait, landmarks=landmarks))


def test_an_outline_marks_the_pixels_whose_middles_it_holds(scene):
    corners = np.array([[10.0, 20.0], [50.0, 20.0], [50.0, 80.0], [10.0, 80.0]])
    inside = inside_outline(with_landmarks(scene, corners), (0, 1, 2, 3))
    rows, columns = np.nonzero(inside)
    assert inside.shape == (SIZE, SIZE)
    # OpenCV fills the line itself too, half a pixel wide.
    assert abs((columns + 0.5).mean() - 30) < 0.51
    assert abs((rows + 0.5).mean() - 50) < 0.51
    assert 40 * 60 <= inside.sum() <= 42 * 62


def test_hulls_fill_dents_and_are_joined(scene):
    dented = np.array([[10.0, 10.0], [90.0, 10.0], [50.0, 15.0], [50.0, 90.0]])
    other = np.array([[150.0, 150.0], [160.0, 150.0], [155.0, 160.0]])
    place = with_landmarks(scene, np.concatenate([dented, other]))
    first, second = inside_hulls(place, (0, 1, 2, 3)), inside_hulls(place, (4, 5, 6))
    assert first[20, 50]
    assert not first[155, 155]
    np.testing.assert_array_equal(inside_hulls(place, (0, 1, 2, 3), (4, 5, 6)), first | second)
    assert inside_outline(place, (0, 1, 2, 3)).sum() < 0.97 * first.sum()
