"""The matte: the Laplacian and its solution, foreground colours, and what comes out for a portrait."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from pymatting.laplacian.cf_laplacian import cf_laplacian

from likeness.portrait import closed_form
from likeness.portrait.build import make_portrait
from likeness.portrait.closed_form import matting_laplacian, solve_alpha
from likeness.portrait.faces import choose_face, find_faces
from likeness.portrait.foreground import estimate_foreground, without_fringe
from likeness.portrait.matte import cut_out
from likeness.portrait.read import read_photograph
from likeness.portrait.types import Photograph, Portrait

GENERATOR = np.random.default_rng(3)


# Closed-form matting


def levin_laplacian(rgb: np.ndarray) -> np.ndarray:
    """Equation 12 of Levin 2008, one window and one pair of pixels at a time."""
    height, width, _ = rgb.shape
    laplacian = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            pixels = [(v, u) for v in range(y - 1, y + 2) for u in range(x - 1, x + 2)]
            colors = np.array([rgb[pixel] for pixel in pixels])
            mean = colors.mean(0)
            covariance = (colors - mean).T @ (colors - mean) / 9
            inverse = np.linalg.inv(covariance + closed_form.EPSILON / 9 * np.eye(3))
            for i, (v, u) in enumerate(pixels):
                for j, (t, s) in enumerate(pixels):
                    affinity = (1 + (colors[i] - mean) @ inverse @ (colors[j] - mean)) / 9
                    laplacian[v * width + u, t * width + s] += (i == j) - affinity
    return laplacian


def test_laplacian_is_levins() -> None:
    rgb = GENERATOR.random((7, 9, 3))
    everything = np.ones((7, 9), bool)
    laplacian = matting_laplacian(rgb, everything, everything).toarray()
    np.testing.assert_allclose(laplacian, levin_laplacian(rgb), atol=1e-9)


def test_laplacian_is_pymattings() -> None:
    rgb = GENERATOR.random((24, 24, 3))
    everything = np.ones((24, 24), bool)
    ours = matting_laplacian(rgb, everything, everything).toarray()
    theirs = cf_laplacian(rgb, epsilon=closed_form.EPSILON).toarray()
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_rows_of_some_pixels_are_the_same_rows() -> None:
    rgb = GENERATOR.random((12, 12, 3))
    everything = np.ones((12, 12), bool)
    some = GENERATOR.random((12, 12)) < 0.3
    whole = matting_laplacian(rgb, everything, everything).toarray()
    np.testing.assert_allclose(matting_laplacian(rgb, some, everything).toarray(), whole[some.ravel()], atol=1e-9)


def synthetic(size: int = 192) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A soft disc with strands: alpha, its smooth person and background colours, and the picture of them."""
    y, x = np.mgrid[:size, :size] / size
    radius = np.hypot(x - 0.5, y - 0.5)
    strands = 0.02 * np.sin(20 * np.arctan2(y - 0.5, x - 0.5)) ** 3
    alpha = np.clip((0.28 + strands - radius) / 0.03 + 0.5, 0, 1)
    person = np.stack([0.25 + 0.2 * y, 0.1 + 0.1 * x, np.full_like(x, 0.1)], -1)
    background = np.stack([0.5 + 0.2 * x, np.full_like(x, 0.8), 0.9 - 0.2 * y], -1)
    picture = alpha[..., None] * person + (1 - alpha[..., None]) * background
    return alpha, person, background, picture


def test_known_matte_is_recovered() -> None:
    alpha, _, _, picture = synthetic()
    unknown = cv2.dilate(((alpha > 0) & (alpha < 1)).astype(np.uint8), np.ones((13, 13))) > 0
    solved = solve_alpha(picture, np.where(alpha > 0.5, 1.0, 0.0), np.where(unknown, 0.0, np.inf))
    assert np.abs(solved - alpha)[unknown].mean() < 0.02
    np.testing.assert_array_equal(solved[~unknown], np.round(alpha[~unknown]))


def test_weight_pulls_towards_the_prior() -> None:
    _, _, _, picture = synthetic(96)
    free = np.full((96, 96), np.inf)
    free[30:60, 30:60] = 1e3
    prior = GENERATOR.random((96, 96))
    solved = solve_alpha(picture, prior, free)
    assert np.abs(solved - prior)[30:60, 30:60].max() < 0.05


def test_what_lies_beyond_the_picture_has_no_say() -> None:
    alpha, _, _, picture = synthetic()
    weight = np.where((alpha > 0.02) & (alpha < 0.98), 0.0, np.inf)
    weight[:96] = np.nan
    prior = np.round(alpha)
    other = picture.copy()
    other[:94] = GENERATOR.random((94, 192, 3))
    ours, theirs = (solve_alpha(colors, prior, weight)[98:] for colors in (picture, other))
    assert np.abs(ours - theirs).max() < 0.02


def test_foreground_is_free_of_background() -> None:
    alpha, person, _, picture = synthetic(256)
    estimated = estimate_foreground(picture, alpha)
    edge = (alpha > 0.2) & (alpha < 0.9)
    assert np.abs(estimated - person)[edge].mean() < 0.03
    assert np.abs(picture - person)[edge].mean() > 0.15
    np.testing.assert_allclose(estimated[alpha == 1], picture[alpha == 1], atol=0.02)


def test_a_rim_in_the_backgrounds_colour_is_a_mixture() -> None:
    """A matte that takes mixed pixels for more of the person than they are leaves a pale rim; the picture stays."""
    alpha, _, _, _ = synthetic(256)
    dark, pale = np.array([0.1, 0.08, 0.05]), np.array([0.8, 0.75, 0.7])
    picture = alpha[..., None] * dark + (1 - alpha[..., None]) * pale
    swollen = np.sqrt(alpha)
    wrong = np.clip((picture - (1 - swollen[..., None]) * pale) / np.maximum(swollen, 0.1)[..., None], 0, 1)
    clear, own = without_fringe(picture, np.ones(alpha.shape, bool), swollen, wrong)
    edge = (alpha > 0.2) & (alpha < 0.8)
    assert np.abs(own - dark)[edge].mean() < 0.3 * np.abs(wrong - dark)[edge].mean()
    assert np.abs(clear - alpha)[edge].mean() < 0.3 * np.abs(swollen - alpha)[edge].mean()
    np.testing.assert_allclose((clear[..., None] * own + (1 - clear[..., None]) * pale)[edge], picture[edge], atol=0.02)
    assert (clear[alpha == 1] == 1).all()


# A portrait


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    photograph = Photograph(skimage.data.astronaut(), None, "0" * 64)
    face, _ = choose_face(photograph)
    return make_portrait(photograph, face)


def test_portrait_is_the_face_square(portrait: Portrait) -> None:
    left, top, side = portrait.square
    assert all(isinstance(value, int) for value in portrait.square)
    assert portrait.rgb.shape == (512, 512, 3) and portrait.rgb.dtype == np.float32
    face = find_faces(portrait.photograph)[0]
    assert abs(side - 3 * face.width) < 1
    np.testing.assert_allclose(portrait.landmarks * side / 512 + (left, top), face.landmarks, atol=1e-9)
    assert abs(np.ptp(portrait.landmarks[:, 0]) - 512 / 3) < 1
    rows = slice(top + 20, top + 120)
    columns = slice(left + 60, left + 160)
    expected = cv2.resize(portrait.rgb, (side, side), interpolation=cv2.INTER_AREA)[20:120, 60:160]
    assert np.abs(expected - portrait.photograph.rgb[rows, columns] / 255).mean() < 0.03


def test_matte_holds_the_person_and_nothing_else(portrait: Portrait) -> None:
    assert (portrait.alpha[~portrait.valid] == 0).all()
    x, y = np.round(portrait.landmarks.mean(0)).astype(int)
    assert (portrait.alpha[y - 60 : y + 60, x - 50 : x + 50] == 1).all()
    assert (portrait.alpha[40:200, :80] == 0).all()
    assert (portrait.alpha[40:200, 440:] == 0).all()
    assert portrait.alpha[70, 260] > 0.95, "hair above the forehead"
    assert portrait.alpha[480:, 200:300].min() > 0.9, "suit"


def test_making_twice_gives_the_same_bits(portrait: Portrait) -> None:
    again = make_portrait(portrait.photograph, find_faces(portrait.photograph)[0])
    for name in ("rgb", "valid", "alpha", "foreground", "landmarks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(portrait, name))


def on_background(portrait: Portrait, color: tuple[float, float, float]) -> np.ndarray:
    """Put the portrait's own cut-out on one colour, everywhere valid."""
    alpha = portrait.alpha[..., None]
    return (alpha * portrait.foreground + (1 - alpha) * np.float32(color)).astype(np.float32)


@pytest.mark.parametrize("color", [(0.1, 0.7, 0.2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)], ids=["green", "white", "black"])
def test_cut_out_is_found_again_on_another_background(portrait: Portrait, color: tuple[float, float, float]) -> None:
    rgb = on_background(portrait, color)
    alpha, foreground = cut_out(rgb, portrait.valid, portrait.landmarks, None)
    assert np.abs(alpha - portrait.alpha)[portrait.valid].mean() < 0.02
    edge = (alpha > 0.3) & (alpha < 0.95) & (portrait.alpha > 0.5)
    spill = np.linalg.norm(foreground - np.float32(color), axis=-1)[edge]
    assert np.median(spill) > 0.25


def test_loose_strand_before_a_plain_wall_is_kept(portrait: Portrait) -> None:
    rgb = on_background(portrait, (0.95, 0.95, 0.92))
    start, end = (140, 180), (96, 310)
    for shift in range(3):
        cv2.line(rgb, (start[0] + shift, start[1]), (end[0] + shift, end[1]), (0.3, 0.24, 0.12), 1, cv2.LINE_AA)
    alpha, _ = cut_out(rgb, portrait.valid, portrait.landmarks, None)
    along = [(1 + 140 - 44 * t, 180 + 130 * t) for t in np.linspace(0.5, 0.9, 9)]
    strand = [alpha[round(y), round(x)] for x, y in along]
    beside = [alpha[round(y), round(x) - 12] for x, y in along]
    assert np.mean(strand) > 0.5
    assert np.max(beside) < 0.05


def test_white_clothes_before_a_white_wall_have_no_holes(portrait: Portrait) -> None:
    white = (0.97, 0.97, 0.97)
    rgb = on_background(portrait, white)
    dressed = portrait.alpha > 0.99
    dressed[:380] = False
    rgb[dressed] = (0.96, 0.96, 0.97)
    rgb[430:470, 180:330] = (0.1, 0.1, 0.12)
    alpha, _ = cut_out(rgb, portrait.valid, portrait.landmarks, None)
    chest = np.s_[400:500, 200:310]
    assert (alpha[chest] > 0.95).mean() > 0.99


def test_real_cut_out_in_the_file_is_used(portrait: Portrait) -> None:
    alpha, _ = cut_out(portrait.rgb, portrait.valid, portrait.landmarks, portrait.alpha)
    np.testing.assert_array_equal(alpha, portrait.alpha)


def test_frame_of_transparency_only_limits_the_matte(portrait: Portrait) -> None:
    y, x = np.mgrid[:512, :512]
    frame = np.where(np.hypot(x - 256, y - 256) < 250, 1.0, 0.0).astype(np.float32)
    alpha, _ = cut_out(portrait.rgb, portrait.valid, portrait.landmarks, frame)
    np.testing.assert_array_equal(alpha, portrait.alpha * frame)


def test_transparency_of_the_photograph_reaches_the_matte(portrait: Portrait) -> None:
    left, top, side = portrait.square
    alpha = np.zeros((512, 512), np.float32)
    small = cv2.resize(portrait.alpha, (side, side), interpolation=cv2.INTER_AREA)
    alpha[max(top, 0) : top + side, left : left + side] = small[max(-top, 0) :]
    photograph = replace(portrait.photograph, alpha=alpha)
    made = make_portrait(photograph, find_faces(portrait.photograph)[0])
    assert np.abs(made.alpha - portrait.alpha)[portrait.valid].mean() < 0.02


# Real pictures


def test_every_portraits_background_is_clear(shared_data: Path) -> None:
    for path in sorted((shared_data / "portraits").iterdir()):
        photograph = read_photograph(path)
        portrait = make_portrait(photograph, choose_face(photograph)[0])
        far = cv2.distanceTransform((portrait.alpha < 0.5).astype(np.uint8), cv2.DIST_L2, 5) > 40
        assert portrait.alpha[far].sum() / 512**2 < 1e-3, path.name
        assert (portrait.alpha[~portrait.valid] == 0).all(), path.name
        face = portrait.landmarks[[1, 33, 263, 61, 291]].astype(int)
        assert (portrait.alpha[face[:, 1], face[:, 0]] > 0.99).all(), path.name
