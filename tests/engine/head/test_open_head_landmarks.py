"""The detector's landmarks on renders of the head against where the asset says they are."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.contract.arkit import ARKIT_NAMES
from likeness.head.model import forward, landmarks, prepare_identity
from likeness.rendering.mesh import rasterize_mesh, shade


@pytest.fixture(scope="module")
def errors(open_head):
    """A function from controls to the 478 distances, in outer-corner eye distances, on a frontal render."""
    from open_head.landmarks import FRONT, detect, open_detector
    from open_head.paint import vertex_colors

    colors = vertex_colors(open_head.v_template.astype(float), open_head.faces, open_head.face_region)
    lashless = open_head.faces[open_head.face_region < 14]
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))

    def measure(**controls):
        vector = np.zeros(52)
        for name, value in controls.items():
            vector[ARKIT_NAMES.index(name)] = value
        vertices = forward(prepared, vector, np.zeros((5, 3))).astype(float)
        with open_detector() as detector:
            found = detect(detector, shade(rasterize_mesh(FRONT, vertices, lashless), vertices, lashless, colors))
        placed, _ = FRONT.project(landmarks(vertices, open_head))
        return np.linalg.norm(found - placed, axis=1) / np.linalg.norm(placed[33] - placed[263])

    return measure


def test_the_mean_head_is_met_to_one_per_cent(errors):
    error = errors()
    assert error.mean() < 0.011
    assert error[468:].mean() < 0.02


def test_expressions_move_the_landmarks_where_the_detector_sees_them(errors):
    from open_head.landmarks import INNER_LIPS

    inner = list(INNER_LIPS)
    assert errors(jawOpen=1.0)[inner].mean() < 0.025
    assert errors(mouthUpperUpLeft=1.0, mouthUpperUpRight=1.0)[inner].mean() < 0.03
    assert errors(eyeBlinkLeft=1.0, eyeBlinkRight=1.0).mean() < 0.025
    assert errors(eyeLookInLeft=1.0, eyeLookOutRight=1.0)[468:].mean() < 0.035
