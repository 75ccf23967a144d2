"""The plate: the photograph with its person filled from the surroundings."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from likeness.contract.errors import InputError
from likeness.portrait.faces import find_faces
from likeness.portrait.plate import make_plate
from likeness.portrait.types import Photograph

ASTRONAUT = skimage.data.astronaut()


def photograph(rgb: np.ndarray) -> Photograph:
    return Photograph(np.ascontiguousarray(rgb), None, "")


def square_of(rgb: np.ndarray) -> tuple[float, float, float]:
    return find_faces(photograph(rgb))[0].square


SQUARE = square_of(ASTRONAUT)
LEFT, TOP, SIDE = map(round, SQUARE)


@pytest.fixture(scope="module")
def plate() -> np.ndarray:
    return make_plate(photograph(ASTRONAUT), SQUARE)


def test_nobody_is_left_where_the_face_was(plate):
    inside = plate[: TOP + SIDE, LEFT : LEFT + SIDE]
    assert not find_faces(photograph(plate))
    assert not (cv2.cvtColor(inside[20:140, 60:220], cv2.COLOR_RGB2HSV)[..., 1] > 90).any(), "no skin, no hair"


def test_beyond_the_face_square_the_photograph_stays_bit_for_bit(plate):
    outside = np.ones(plate.shape[:2], bool)
    outside[max(TOP, 0) : TOP + SIDE, LEFT : LEFT + SIDE] = False
    np.testing.assert_array_equal(plate[outside], ASTRONAUT[outside])
    assert (plate != ASTRONAUT).any(-1).sum() > 0.2 * SIDE**2, "and much within was replaced"


def test_the_surroundings_within_the_square_stay_too(plate):
    flag_and_sky = (slice(0, 60), slice(LEFT, LEFT + 20))
    np.testing.assert_array_equal(plate[flag_and_sky], ASTRONAUT[flag_and_sky])


def test_the_same_photograph_gives_the_same_plate(plate):
    np.testing.assert_array_equal(make_plate(photograph(ASTRONAUT), SQUARE), plate)


def test_the_fill_has_the_grain_of_its_surroundings():
    rng = np.random.default_rng(4)
    grainy = np.clip(ASTRONAUT + rng.normal(0, 12, ASTRONAUT.shape[:2])[..., None], 0, 255).astype(np.uint8)
    filled = make_plate(photograph(grainy), square_of(grainy))
    changed = cv2.erode((filled != grainy).any(-1).astype(np.uint8), np.ones((9, 9))) > 0
    near_border = changed & (cv2.distanceTransform(changed.astype(np.uint8), cv2.DIST_L2, 5) < 12)
    above = near_border & (np.arange(512)[:, None] < 100)
    fine = (filled - cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 2.0))[above].std()
    assert 6 < fine < 15, "12 was put in; sampling between pixels takes a part of it"


def test_a_second_person_stays_and_is_not_filled_with():
    pair = np.concatenate([ASTRONAUT, ASTRONAUT[:, ::-1]], axis=1)
    squares = sorted(face.square for face in find_faces(photograph(pair)))
    filled = make_plate(photograph(pair), squares[0])
    left, _, side = map(round, squares[1])
    np.testing.assert_array_equal(filled[:, left + side // 6 :], pair[:, left + side // 6 :])
    assert len(find_faces(photograph(filled))) == 1


@pytest.mark.parametrize("scale", [0.7, 5.0])
def test_small_and_large_photographs_are_filled_alike(plate, scale):
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(ASTRONAUT, None, fx=scale, fy=scale, interpolation=kind)
    filled = make_plate(photograph(rgb), tuple(scale * each for each in SQUARE))
    small = cv2.resize(filled, (512, 512), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(cv2.blur(small - plate, (9, 9))).mean() < 3.0


def test_a_picture_that_is_all_person_takes_the_colours_of_its_edge():
    face = find_faces(photograph(ASTRONAUT))[0].landmarks
    (left, top), (right, bottom) = face.min(0).astype(int), face.max(0).astype(int)
    rgb = cv2.resize(ASTRONAUT[top:bottom, left:right], (400, 480), interpolation=cv2.INTER_CUBIC)
    faces = find_faces(photograph(rgb))
    if not faces:
        pytest.skip("the detector wants more of the head")
    filled = make_plate(photograph(rgb), faces[0].square)
    low, high = rgb.reshape(-1, 3).min(0), rgb.reshape(-1, 3).max(0)
    assert filled.shape == rgb.shape and (filled >= low).all() and (filled <= high).all()


@pytest.mark.parametrize("square", [(300.0, 300.0, 150.0), (-4000.0, 0.0, 100.0)])
def test_a_square_without_a_face_is_said(square):
    with pytest.raises(InputError) as caught:
        make_plate(photograph(ASTRONAUT), square)
    assert caught.value.code == "plate.no_face"
