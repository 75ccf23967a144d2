"""The controls do what their names say: MediaPipe measures them on renders of a real avatar, seen from the front.

Lengths are in interocular distances; left is the subject's left, which is the picture's right. Each threshold is about
half of what the control reaches, and many times what landmarks waver (0.005).
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import cv2
import numpy as np
import pytest

from bench.measures import GREY, detect, interocular
from likeness.avatar.animate import neutral, render_avatar, with_controls
from likeness.avatar.pictures import over
from likeness.avatar.views import orbit_camera

SIZE = 512
SIDES = ("Left", "Right")
OTHER = {"Left": "Right", "Right": "Left"}
CORNERS = {"Left": (263, 362), "Right": (33, 133)}
LIDS = {"Left": (386, 374), "Right": (159, 145)}
IRIS = {"Left": 473, "Right": 468}
BROW = {"Left": (336, 296, 334, 293, 300), "Right": (107, 66, 105, 63, 70)}
INNER_BROW, OUTER_BROW = {"Left": 336, "Right": 107}, {"Left": (334, 293, 300), "Right": (105, 63, 70)}
MOUTH_CORNER = {"Left": 291, "Right": 61}
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
UPPER_LIP, LOWER_LIP, CHIN = 13, 14, 152


class Face:
    """Landmarks on one picture, and what is measured on them."""

    def __init__(self, picture):
        self.picture = picture
        (found,) = detect(picture)
        self.points = found.landmarks
        self.unit = interocular(self.points)

    def apart(self, first, second):
        return np.linalg.norm(self.points[first] - self.points[second]) / self.unit

    def height(self, points):
        """Over the line through the outer corners of the eyes, upwards."""
        return (self.points[[33, 263], 1].mean() - self.points[np.atleast_1d(points), 1].mean()) / self.unit

    @property
    def lip_gap(self):
        return self.apart(UPPER_LIP, LOWER_LIP)

    @property
    def mouth_width(self):
        return self.apart(*MOUTH_CORNER.values())

    def eye_opening(self, side):
        """Height over width."""
        return self.apart(*LIDS[side]) / self.apart(*CORNERS[side])

    def gaze(self, side):
        """The iris right and up of the middle between the eye's corners."""
        offset = (self.points[IRIS[side]] - self.points[list(CORNERS[side])].mean(0)) / self.unit
        return offset * [1, -1]

    @cached_property
    def luminance(self):
        return self.picture @ np.array([0.2126, 0.7152, 0.0722]) / 255

    def between_lips(self):
        """Luminance of the pixels inside the inner lips."""
        mask = np.zeros(self.picture.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(self.points[list(INNER_LIPS)]).astype(np.int32)], 1)
        return self.luminance[cv2.erode(mask, np.ones((3, 3))) > 0]


@pytest.fixture(scope="session")
def shown(astronaut):
    """Draw the controls from the front and measure them, once each."""
    driven = astronaut.driven
    avatar, camera = driven.avatar, orbit_camera(driven.avatar, 0, 0, SIZE, SIZE)

    @lru_cache
    def draw(items):
        expression = with_controls(avatar.rig, neutral(avatar), dict(items))
        return Face(over(render_avatar(driven, camera, expression), GREY))

    return lambda **controls: draw(tuple(controls.items()))


def test_jaw_open_lowers_the_chin_and_parts_the_lips(shown):
    rest, half, full = shown(), shown(jawOpen=0.5), shown(jawOpen=1.0)
    assert half.lip_gap > rest.lip_gap + 0.07 and full.lip_gap > half.lip_gap + 0.07
    assert full.height(CHIN) < rest.height(CHIN) - 0.07
    assert full.mouth_width < rest.mouth_width + 0.02


def test_an_open_mouth_is_dark_inside_and_shows_teeth(shown):
    mouth = shown(jawOpen=0.8)
    inside, skin = mouth.between_lips(), mouth.luminance[mouth.points[50].astype(int)[1], int(mouth.points[50][0])]
    assert len(inside) > 500
    assert (inside < 0.35 * skin).mean() > 0.25, "the cavity"
    assert 0.05 < (inside > 0.6 * skin).mean() < 0.6, "the teeth"


@pytest.mark.parametrize("side", SIDES)
def test_a_blink_closes_its_eye_and_no_other(shown, side):
    rest, blink = shown(), shown(**{f"eyeBlink{side}": 1.0})
    assert blink.eye_opening(side) < 0.75 * rest.eye_opening(side)
    assert blink.eye_opening(OTHER[side]) > 0.9 * rest.eye_opening(OTHER[side])


@pytest.mark.parametrize("side", SIDES)
def test_a_shut_lid_hides_the_eye(shown, side):
    """Where white and iris differ in the open eye, a shut one shows even skin."""
    rest, blink = shown(), shown(**{f"eyeBlink{side}": 1.0})
    outer, inner = (rest.points[corner] for corner in CORNERS[side])
    middle, reach = (outer + inner) / 2, 0.3 * np.linalg.norm(outer - inner)
    columns = np.round(np.linspace(middle[0] - reach, middle[0] + reach, 30)).astype(int)
    row = round(float(rest.points[IRIS[side], 1]))
    assert np.ptp(blink.luminance[row, columns]) < 0.6 * np.ptp(rest.luminance[row, columns])


def test_a_smile_widens_the_mouth_and_lifts_both_corners(shown):
    rest, smile = shown(), shown(mouthSmileLeft=1.0, mouthSmileRight=1.0)
    assert smile.mouth_width > rest.mouth_width + 0.06
    for side in SIDES:
        assert smile.height(MOUTH_CORNER[side]) > rest.height(MOUTH_CORNER[side]) + 0.05


@pytest.mark.parametrize("side", SIDES)
def test_half_a_smile_lifts_its_own_corner(shown, side):
    rest, smile = shown(), shown(**{f"mouthSmile{side}": 1.0})
    lifted = {s: smile.height(MOUTH_CORNER[s]) - rest.height(MOUTH_CORNER[s]) for s in SIDES}
    assert lifted[side] > 0.05 > 0.03 > lifted[OTHER[side]]


def test_a_frown_lowers_both_corners(shown):
    rest, frown = shown(), shown(mouthFrownLeft=1.0, mouthFrownRight=1.0)
    for side in SIDES:
        assert frown.height(MOUTH_CORNER[side]) < rest.height(MOUTH_CORNER[side]) - 0.03


def test_a_pucker_narrows_the_mouth(shown):
    assert shown(mouthPucker=1.0).mouth_width < shown().mouth_width - 0.035


def test_brows_rise_and_fall(shown):
    rest, inner = shown(), shown(browInnerUp=1.0)
    down = shown(browDownLeft=1.0, browDownRight=1.0)
    for side in SIDES:
        assert inner.height(INNER_BROW[side]) > rest.height(INNER_BROW[side]) + 0.015
        assert down.height(BROW[side]) < rest.height(BROW[side]) - 0.02


@pytest.mark.parametrize("side", SIDES)
def test_an_outer_brow_rises_alone(shown, side):
    rest, outer = shown(), shown(**{f"browOuterUp{side}": 1.0})
    raised = {s: outer.height(OUTER_BROW[s]) - rest.height(OUTER_BROW[s]) for s in SIDES}
    assert raised[side] > 0.004 and raised[side] > raised[OTHER[side]] + 0.006


@pytest.mark.parametrize("side", SIDES)
def test_eyes_look_to_the_side_they_are_told(shown, side):
    rest = shown()
    looking = shown(**{f"eyeLookOut{side}": 0.9, f"eyeLookIn{OTHER[side]}": 0.9})
    towards = 1 if side == "Left" else -1
    for eye in SIDES:
        assert towards * (looking.gaze(eye)[0] - rest.gaze(eye)[0]) > 0.02


@pytest.mark.parametrize("eye", SIDES)
def test_eyes_look_up_and_down(shown, eye):
    up, down = (shown(**{f"eyeLook{way}{side}": 0.9 for side in SIDES}) for way in ("Up", "Down"))
    assert up.gaze(eye)[1] > down.gaze(eye)[1] + 0.012


@pytest.mark.parametrize("control", ["cheekPuff", "noseSneerLeft", "mouthRollLower", "jawForward", "tongueOut"])
def test_the_picture_changes_with_the_control(shown, control):
    """Where MediaPipe cannot measure the shape, the render at least moves, and only in places."""
    change = np.abs(shown(**{control: 1.0}).luminance - shown().luminance) > 0.04
    assert 30 < change.sum() < 0.2 * change.size
