"""A painted ball before a camera: its pattern tells its pose, whatever the light, and a stranger's is noticed."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from likeness.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.tracking import photometric
from likeness.tracking.clip_head import ClipHead, Frames, clip_head
from likeness.tracking.photometric import BLURS, HeadPatch, compare, no_evidence, weighed

SIZE, RADIUS = 256, 0.09
FLIP = np.diag([1.0, -1.0, -1.0])
AT_REST = np.array([0.01, -0.02, 0.9])
MINE, STRANGERS = (60.0, 45.0, 80.0), (35.0, 95.0, 50.0)
TURN, SHIFT = np.array([0.012, -0.015, 0.01]), np.array([0.001, -0.0012, 0.006])


@pytest.fixture(scope="module")
def head(open_head: HeadAssets) -> ClipHead:
    shapes = np.zeros((len(open_head.v_template), 3, 52))
    return clip_head(open_head, open_head.v_template, shapes, focal=600.0, center=np.full(2, SIZE / 2))


def on_ball(head: ClipHead, rotation: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Where every pixel's ray meets the ball, in its own axes; NaN beside it."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    rays = np.stack([(x - head.center[0]) / head.focal, (y - head.center[1]) / head.focal, np.ones_like(x)], -1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    along = rays @ place
    with np.errstate(invalid="ignore"):
        depth = along - np.sqrt(along**2 - place @ place + RADIUS**2)
    return (rays * depth[..., None] - place) @ rotation


def pattern(points: np.ndarray, waves: tuple[float, ...]) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    return 0.5 + 0.2 * np.sin(waves[0] * x + 1) * np.cos(waves[1] * y) + 0.15 * np.sin(waves[2] * (x + y) + 20 * z)


def paint(
    head: ClipHead,
    rotation: np.ndarray,
    place: np.ndarray,
    *,
    waves: tuple[float, ...] = MINE,
    gain: float = 1.0,
    offset: float = 0.0,
) -> np.ndarray:
    grey = np.nan_to_num(pattern(on_ball(head, rotation, place), waves), nan=0.45) * gain + offset
    return np.repeat(np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)[..., None], 3, 2)


def frames_at(rotation: np.ndarray, place: np.ndarray) -> Frames:
    return Frames(rotation[None], place[None], np.zeros((1, 52)))


@pytest.fixture(scope="module")
def patch(head: ClipHead) -> HeadPatch:
    """The ball's middle, as bright as the blurred pictures show it at rest."""
    points = on_ball(head, FLIP, AT_REST)[::3, ::3].reshape(-1, 3)
    points = points[np.isfinite(points[:, 0])]
    points = points[points[:, 2] > 0.5 * RADIUS]
    pictures, lens = photometric._pictures(paint(head, FLIP, AT_REST), points, (FLIP, AT_REST), head)
    placed = points @ FLIP.T + AT_REST
    places = (lens[:2] * placed[:, :2] / placed[:, 2:] + lens[2:] - 0.5).astype(np.float32)
    grey = [cv2.remap(each, places[:, :1], places[:, 1:], cv2.INTER_LINEAR)[:, 0] for each in pictures]
    return HeadPatch(points, np.zeros((len(points), 3, 52)), points / RADIUS, np.stack(grey).astype(np.float64))


def away(head: ClipHead, patch: HeadPatch, one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> float:
    """How far the ball's points are apart in the picture, pixels."""
    pixels = []
    for rotation, place in (one, other):
        placed = patch.base @ rotation.T + place
        pixels.append(head.focal * placed[:, :2] / placed[:, 2:])
    return float(np.linalg.norm(pixels[0] - pixels[1], axis=1).mean())


def test_the_gradient_is_the_costs_derivative(head: ClipHead, patch: HeadPatch) -> None:
    true = rotvec_to_rotmat(TURN) @ FLIP, AT_REST + SHIFT
    pictures, lens = photometric._pictures(paint(head, *true), patch.base, (FLIP, AT_REST), head)
    light = np.array([0.95, 0.02])

    def cost(step: np.ndarray) -> float:
        placed = patch.base @ (rotvec_to_rotmat(step[:3]) @ FLIP).T + AT_REST + step[3:6]
        places = (lens[:2] * placed[:, :2] / placed[:, 2:] + lens[2:] - 0.5).astype(np.float32)
        seen = cv2.remap(pictures[0], places[:, :1], places[:, 1:], cv2.INTER_CUBIC)[:, 0]
        squared = (seen - (light[0] + step[6]) * patch.grey[0] - light[1] - step[7]) ** 2
        return 0.5 * float((squared / (1 + squared / (2 * photometric.NOISE) ** 2)).sum())

    _, gradient, count, _ = weighed(pictures[0], patch.grey[0], patch.base, patch.normals, FLIP, AT_REST, lens, light)
    numeric = np.array([(cost(step) - cost(-step)) / 1e-3 for step in 5e-4 * np.eye(8)])
    assert count == len(patch.base)
    scale = np.linalg.norm(numeric) / np.linalg.norm(gradient)
    np.testing.assert_allclose(gradient * scale, numeric, atol=0.02 * np.abs(numeric).max())


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.8, 0.06), (1.1, -0.03)])
def test_a_disturbed_pose_is_found_in_any_light(head: ClipHead, patch: HeadPatch, gain: float, offset: float) -> None:
    true = rotvec_to_rotmat(TURN) @ FLIP, AT_REST + SHIFT
    frames = frames_at(FLIP, AT_REST)
    found = no_evidence(frames)
    compare(paint(head, *true, gain=gain, offset=offset), patch, frames, 0, head, found)
    at_first = away(head, patch, (FLIP, AT_REST), true)
    pose = found.rotations[0], found.translations[0]
    assert at_first > 1.0
    assert away(head, patch, pose, true) < 0.4 * at_first
    assert found.alike[0] > 0.97 and found.same_person
    # The quadratic's lowest point is where nothing but the picture counts.
    step = -np.linalg.solve(found.information[0] + 1e-3 * np.eye(6), found.gradient[0])
    sure = rotvec_to_rotmat(step[:3]) @ pose[0], pose[1] + step[3:]
    assert away(head, patch, sure, true) < 0.1
    turned = np.linalg.norm(rotmat_to_rotvec(sure[0] @ true[0].T))
    assert turned < 0.35 * np.linalg.norm(TURN)


def test_the_quadratics_slope_is_its_costs(head: ClipHead, patch: HeadPatch) -> None:
    frames = frames_at(FLIP, AT_REST)
    found = no_evidence(frames)
    compare(paint(head, rotvec_to_rotmat(TURN) @ FLIP, AT_REST + SHIFT), patch, frames, 0, head, found)
    steps = 1e-5 * np.eye(6)
    numeric = [
        (found.cost(_stepped(frames, step)) - found.cost(_stepped(frames, -step))) / 2e-5 for step in steps
    ]  # fmt: skip
    np.testing.assert_allclose(found.pull(frames)[0], numeric, rtol=0.03, atol=0.02 * np.abs(numeric).max())


def _stepped(frames: Frames, step: np.ndarray) -> Frames:
    return frames.moved(np.concatenate([step, np.zeros(52)])[None])


def test_a_stranger_is_noticed_and_darkness_says_nothing(head: ClipHead, patch: HeadPatch) -> None:
    frames = frames_at(FLIP, AT_REST)
    found = no_evidence(frames)
    assert not found.same_person
    compare(paint(head, FLIP, AT_REST, waves=STRANGERS), patch, frames, 0, head, found)
    assert np.isfinite(found.alike[0]) and not found.same_person
    dark = no_evidence(frames)
    compare(np.zeros((SIZE, SIZE, 3), np.uint8), patch, frames, 0, head, dark)
    assert not dark.same_person and np.abs(dark.information[0]).max() < 1e-9


def test_a_head_out_of_the_picture_changes_nothing(head: ClipHead, patch: HeadPatch) -> None:
    frames = frames_at(FLIP, AT_REST + np.array([3.0, 0, 0]))
    found = no_evidence(frames)
    compare(paint(head, FLIP, AT_REST), patch, frames, 0, head, found)
    turned_away = replace(frames, rotations=(rotvec_to_rotmat(np.array([0, np.pi, 0])) @ FLIP)[None])
    compare(paint(head, FLIP, AT_REST), patch, turned_away, 0, head, found)
    assert np.isnan(found.alike[0]) and not found.information.any()
    np.testing.assert_array_equal(found.rotations, frames.rotations)
    assert len(patch.grey) == len(BLURS)
