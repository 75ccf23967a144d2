"""The measure of self-reenactment that tests/bench prints: known changes give known figures."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

from bench import reenactment


@pytest.fixture(scope="module")
def real():
    return reenactment.real_frame(astronaut())


def test_a_frame_is_cut_three_face_widths_wide_over_black(real):
    side = real.square[2]
    width = np.ptp(real.landmarks[:, 0]) * side / reenactment.SIZE
    assert side == pytest.approx(3 * width, rel=0.03)
    assert real.picture.shape == (512, 512, 3)
    assert (real.picture[:8] == 0).all(), "background above her hair"
    nose = real.landmarks[1].astype(int)
    assert real.picture[nose[1], nose[0]].min() > 60
    # The face square reaches to the suit, whose colours stay those of the photograph.
    whole = reenactment.cut_square(astronaut(), real.square)
    assert np.abs(whole[300:340, 240:272].astype(int) - real.picture[300:340, 240:272]).mean() < 1


def test_the_same_picture_is_perfect(real):
    same = reenactment.score(real, real.picture)
    assert same.psnr > 70 and same.ssim == pytest.approx(1) and same.landmarks == 0


def test_noise_has_the_psnr_of_its_deviation_over_the_whole_square(real):
    noise = np.random.default_rng(0).choice([-5, 5], real.picture.shape)
    noisy = np.where((real.picture > 5) & (real.picture < 250), real.picture + noise, real.picture)
    changed = (noisy != real.picture).mean()
    scored = reenactment.score(real, noisy.astype(np.uint8))
    assert scored.psnr == pytest.approx(10 * np.log10(255**2 / (25 * changed)), abs=0.01)
    assert scored.ssim < 0.99 and scored.landmarks < 1


def test_a_shift_is_a_distance_of_landmarks(real):
    shifted = reenactment.score(real, np.roll(real.picture, 6, axis=1))
    assert shifted.landmarks == pytest.approx(6, abs=0.6)


def test_no_face_is_told_and_not_counted(real):
    assert reenactment.real_frame(np.full((200, 200, 3), 90, np.uint8)) is None
    assert np.isnan(reenactment.score(real, np.zeros_like(real.picture)).landmarks)


def test_what_lies_beyond_the_frame_is_black():
    cut = reenactment.cut_square(np.full((100, 80, 3), 200, np.uint8), (-40, 0, 100))
    # 40 of the square's 100 pixels lie left of the frame, 20 of its columns right of it: none, as 60 < 80.
    assert (cut[:, :200] == 0).all() and (cut[:, 210:] == 200).all()
