from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_heads import SyntheticHead, aligned_error, face_vertices, synthetic_heads

from likeness.contract.arkit import ARKIT_NAMES
from likeness.head.assets import HeadAssets
from likeness.head.model import forward, landmarks, prepare_identity
from likeness.portrait.build import make_portrait
from likeness.portrait.faces import choose_face
from likeness.portrait.read import read_photograph
from likeness.tracking.fit import fit_portrait
from likeness.tracking.types import HeadFit

MUST = 2.2e-3


@pytest.fixture(scope="module")
def heads(open_head: HeadAssets) -> list[SyntheticHead]:
    return synthetic_heads(open_head, 6)


@pytest.fixture(scope="module")
def fits(open_head: HeadAssets, heads: list[SyntheticHead]) -> list[HeadFit]:
    return [fit_portrait(open_head, head.portrait) for head in heads]


def turn_between(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(a @ b.T) - 1) / 2, -1, 1))))


def test_known_heads_are_found_again(open_head: HeadAssets, heads: list[SyntheticHead], fits: list[HeadFit]) -> None:
    face = face_vertices(open_head)
    errors = [aligned_error(f.v_neutral[face], h.v_neutral[face]) for f, h in zip(fits, heads, strict=True)]
    mean_head = [aligned_error(open_head.v_template[face], h.v_neutral[face]) for h in heads]
    assert len(errors) >= 4
    assert np.mean(errors) < MUST
    assert np.mean(errors) < 0.8 * np.mean(mean_head)


def test_known_poses_are_found_again(heads: list[SyntheticHead], fits: list[HeadFit]) -> None:
    for fit, head in zip(fits, heads, strict=True):
        assert turn_between(fit.camera.rotation, head.camera.rotation) < 5


def test_neutral_heads_come_out_near_neutral_and_others_do_not(heads: list[SyntheticHead], fits: list[HeadFit]) -> None:
    movers = np.array(["eyeLook" not in name for name in ARKIT_NAMES])
    for fit, head in zip(fits, heads, strict=True):
        strongest = fit.controls[movers].max()
        assert strongest < 0.4 if head.controls.max() == 0 else strongest > 0.15


def test_what_is_stored_hangs_together(open_head: HeadAssets, fits: list[HeadFit]) -> None:
    for fit in fits:
        neutral = open_head.v_template + open_head.shapedirs @ fit.betas + fit.offsets
        np.testing.assert_allclose(fit.v_neutral, neutral, atol=1e-6)
        head = prepare_identity(open_head, fit.betas, fit.offsets)
        np.testing.assert_allclose(fit.v_portrait, forward(head, fit.controls, np.zeros((5, 3))), atol=1e-6)
        assert fit.v_neutral.dtype == fit.v_portrait.dtype == fit.betas.dtype == np.float32
        assert fit.controls.min() >= 0
        assert fit.controls.max() <= 1


def test_landmarks_are_met(open_head: HeadAssets, heads: list[SyntheticHead], fits: list[HeadFit]) -> None:
    for fit, head in zip(fits, heads, strict=True):
        assert fit.landmark_error < 0.012
        pixels, _ = fit.camera.project(landmarks(fit.v_portrait, open_head).astype(np.float64))
        distance = np.linalg.norm(pixels - head.portrait.landmarks, axis=1).mean()
        unit = np.linalg.norm(head.portrait.landmarks[33] - head.portrait.landmarks[263])
        assert abs(distance / unit - fit.landmark_error) < 1e-6


def test_the_same_portrait_gives_the_same_fit(open_head: HeadAssets, heads: list[SyntheticHead]) -> None:
    first, second = (fit_portrait(open_head, heads[0].portrait) for _ in range(2))
    np.testing.assert_array_equal(first.v_portrait, second.v_portrait)
    np.testing.assert_array_equal(first.camera.K, second.camera.K)


@pytest.mark.parametrize(
    ("picture", "limit"),
    [
        ("portraits/neutral.jpeg", 0.01),
        ("portraits/cartoon_woman_glasses.jpg", 0.015),
        ("portraits/santa_hat.jpeg", 0.015),
        ("multiview/felix/00000003.png", 0.04),
    ],
)
def test_real_pictures_of_every_kind_are_fitted(
    open_head: HeadAssets, shared_data: Path, picture: str, limit: float
) -> None:
    photograph = read_photograph(shared_data / picture)
    fit = fit_portrait(open_head, make_portrait(photograph, choose_face(photograph, None)[0]))
    assert fit.landmark_error < limit
    assert np.linalg.norm(fit.offsets, axis=1).max() < 0.02
    assert np.abs(fit.betas).max() < 4
