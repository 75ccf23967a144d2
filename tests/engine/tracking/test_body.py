"""A chest with a pattern, painted as it turns about a moving neck joint, is followed."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.tracking import body
from likeness.tracking.body import BodyPatch, follow_body, reference_frame
from likeness.tracking.clip_head import ClipHead, Frames, clip_head

FLIP = np.diag([1.0, -1.0, -1.0])
SIZE = 160
AT_REST = np.array([0.0, -0.02, 0.9])
SCALE = 0.8


@pytest.fixture(scope="module")
def head(open_head: HeadAssets) -> ClipHead:
    shapes = np.zeros((len(open_head.v_template), 3, 52))
    return clip_head(open_head, open_head.v_template, shapes, focal=250.0, center=np.full(2, SIZE / 2))


def paint(head: ClipHead, rotation: np.ndarray, place: np.ndarray, *, gain: float = 1.0) -> np.ndarray:
    """The chest's pattern in every pixel, seen by the clip's camera."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    rays = (np.stack([x.ravel(), y.ravel()], -1) - head.center) / head.focal
    points = body._on_chest(rays, rotation, place)
    waves = [np.sin(points[:, 0] * 55 + 1) * np.cos(points[:, 1] * 40), np.cos(points[:, 1] * 70 - points[:, 0] * 30)]
    color = np.stack([0.5 + 0.3 * waves[0], 0.5 + 0.2 * waves[1], 0.4 + 0.2 * waves[0] * waves[1]], -1)
    return np.round(255 * np.clip(color * gain, 0, 1)).astype(np.uint8).reshape(SIZE, SIZE, 3)


def patch_of(head: ClipHead, picture: np.ndarray) -> BodyPatch:
    y, x = np.mgrid[45:120:2, 30:100:2] + 0.5
    pixels = np.stack([x.ravel(), y.ravel()], -1)
    points = body._on_chest((pixels / SCALE - head.center) / head.focal, FLIP, AT_REST)
    colors = tuple(body._sample(each, pixels) for each in body._pyramid(picture, SCALE))
    return BodyPatch(points, colors, FLIP, SCALE)


def heads(places: np.ndarray) -> Frames:
    """Heads whose neck joint, taken to be their origin, is at these places."""
    return Frames(np.tile(FLIP, (len(places), 1, 1)), places, np.zeros((len(places), 52)))


@pytest.mark.parametrize("gain", [1.0, 0.85])
def test_a_turning_and_moving_chest_is_followed(head: ClipHead, gain: float) -> None:
    turns = np.linspace([0, 0, 0], [0.1, -0.12, 0.08], 8)
    places = AT_REST + np.linspace([0, 0, 0], [0.02, 0.015, -0.03], 8)
    rotations = np.stack([FLIP @ rotvec_to_rotmat(turn) for turn in turns])
    pictures = [paint(head, r, p, gain=gain) for r, p in zip(rotations, places, strict=True)]
    patch = patch_of(head, paint(head, FLIP, AT_REST))
    found = follow_body(iter(pictures), patch, heads(places), np.ones(8, bool), np.zeros(3), head)
    away = np.arccos(np.clip((np.einsum("tab,tab->t", found, rotations) - 1) / 2, -1, 1))
    # What is believed of bodies holds a turn back a little.
    assert away[0] < 0.003 and away.max() < 0.06 < 0.35 * np.linalg.norm(turns[-1])


def test_the_body_holds_still_where_something_else_is_seen(head: ClipHead) -> None:
    turned = FLIP @ rotvec_to_rotmat(np.array([0.05, 0.05, 0.0]))
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    pictures = [paint(head, turned, AT_REST), noise, paint(head, FLIP, AT_REST)]
    patch = patch_of(head, paint(head, FLIP, AT_REST))
    places = np.tile(AT_REST, (3, 1))
    found = follow_body(iter(pictures), patch, heads(places), np.array([True, True, False]), np.zeros(3), head)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    assert np.abs(found[0] - turned).max() < 0.035


def test_the_reference_has_the_photographs_direction_if_any_frame_has() -> None:
    turns = np.zeros((20, 3))
    turns[:, 1] = np.linspace(-0.5, 0.1, 20)
    rotations, seen = rotvec_to_rotmat(turns), np.ones(20, bool)
    wanted = rotvec_to_rotmat(np.array([0.0, -0.5, 0.0]))
    assert reference_frame(rotations, seen, wanted) == 0
    seen[0] = False
    assert reference_frame(rotations, seen, wanted) == 1
    usual = reference_frame(rotations, seen, None)
    assert 5 < usual < 15
    assert reference_frame(rotations, seen, rotvec_to_rotmat(np.array([0.0, 1.5, 0.0]))) == usual
