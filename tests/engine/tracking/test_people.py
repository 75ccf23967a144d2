"""What is believed of people's faces, and what becomes of a smile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from likeness.head.assets import HeadAssets
from likeness.head.model import landmarks
from likeness.portrait.build import make_portrait
from likeness.portrait.faces import choose_face
from likeness.portrait.read import read_photograph
from likeness.tracking.fit import KEPT_SMILE, fit_portrait
from likeness.tracking.landmarks import embedded_landmarks
from likeness.tracking.parameters import LinearPoints, head_points
from likeness.tracking.people import DEPTHS, resting_mouth, usual_identity

IDENTITY = 60


@pytest.fixture(scope="module")
def points(open_head: HeadAssets) -> LinearPoints:
    return embedded_landmarks(head_points(open_head), open_head)


def mouth_share(face: np.ndarray) -> float:
    return float(np.linalg.norm(face[61] - face[291]) / np.linalg.norm(face[33] - face[263]))


def test_the_usual_head_has_the_usual_depths(points: LinearPoints) -> None:
    usual = points.base + points.directions[:, :, :IDENTITY] @ usual_identity(points, IDENTITY)
    unit = np.linalg.norm(usual[33, :2] - usual[263, :2])
    depths = (usual[list(DEPTHS), 2] - usual[[33, 263], 2].mean()) / unit
    np.testing.assert_allclose(depths, list(DEPTHS.values()), atol=0.03)
    assert abs(unit / np.linalg.norm(points.base[33, :2] - points.base[263, :2]) - 1) < 0.02
    np.testing.assert_allclose(usual[[1, 168, 152], 0], 0, atol=1e-3)


def test_the_usual_head_is_a_likely_one(points: LinearPoints) -> None:
    assert np.linalg.norm(usual_identity(points, IDENTITY)) < 0.5 * np.sqrt(IDENTITY)


def test_a_resting_mouth_of_usual_width_costs_nothing(points: LinearPoints) -> None:
    widened = points.base.copy()
    excess = resting_mouth(points, IDENTITY).width
    widened[[61, 291], 0] += 0.5 * excess * np.array([1, -1])
    even = resting_mouth(LinearPoints(widened, points.directions), IDENTITY)
    assert abs(even.width) < 1e-9


def test_a_broad_smile_leaves_no_broad_mouth(open_head: HeadAssets, shared_data: Path) -> None:
    photograph = read_photograph(shared_data / "multiview/felix/00000001.png")
    portrait = make_portrait(photograph, choose_face(photograph, None)[0])
    fit = fit_portrait(open_head, portrait)
    assert mouth_share(portrait.landmarks) > 0.78
    smile = [open_head.expr_names.index(f"mouthSmile{side}") for side in ("Left", "Right")]
    kept = open_head.exprdirs[..., smile] @ fit.controls[smile] * (KEPT_SMILE / (1 - KEPT_SMILE))
    assert mouth_share(landmarks(fit.v_neutral - kept, open_head)) < 0.645
    assert mouth_share(landmarks(fit.v_neutral, open_head)) < 0.7
