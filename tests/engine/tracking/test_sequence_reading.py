"""What the detector shows of a face, calibrated on the clip."""

from __future__ import annotations

import numpy as np
import pytest
from sightings import FOCAL, SIZE, performance, sightings, synthetic_head

from likeness.contract.arkit import ARKIT_NAMES
from likeness.head.assets import HeadAssets
from likeness.tracking.clip_head import ClipHead, clip_head, landmark_pixels
from likeness.tracking.gaps import fill_gaps
from likeness.tracking.keyframes import draw_frames
from likeness.tracking.landmark_offsets import fit_offsets
from likeness.tracking.reading import as_detected, find_lids, openness, shown, with_lids, with_rest
from likeness.tracking.sequence import identity_head, observe

TIMES = np.arange(60) / 25
BLINK = ARKIT_NAMES.index("eyeBlinkLeft")


@pytest.fixture(scope="module")
def head(open_head: HeadAssets) -> ClipHead:
    return synthetic_head(open_head)


def test_most_is_shown_smaller_than_it_is(open_head: HeadAssets) -> None:
    known = identity_head(open_head, np.zeros(0))
    bare = clip_head(open_head, known.v_neutral, known.shapes, focal=FOCAL, center=np.array(SIZE) / 2)
    detected = as_detected(bare)
    smile = ARKIT_NAMES.index("mouthSmileLeft")
    assert ((shown() > 0.3) & (shown() < 1)).all()
    ratio = np.linalg.norm(detected.directions[:, :, smile]) / np.linalg.norm(bare.directions[:, :, smile])
    assert ratio == pytest.approx(shown()[smile])


def test_a_blink_of_one_shuts_the_lids_as_far_as_they_seem_shut(head: ClipHead) -> None:
    open_usually = openness(head.base[None])[0]
    seen = np.tile(open_usually, (200, 1))
    seen[:12] *= 0.2
    lids = with_lids(head, find_lids(seen))
    shut = openness((lids.base + lids.directions[:, :, BLINK])[None])[0, 0]
    assert shut == pytest.approx(0.2 * open_usually[0], abs=0.06)


def test_rest_is_taken_into_the_face_and_little_of_it_in_a_short_clip(head: ClipHead) -> None:
    controls = np.full((50, 52), 0.2)
    long, still = with_rest(head, controls, 1e6), with_rest(head, controls, 0.0)
    np.testing.assert_allclose(long.base, head.base + head.directions @ np.full(52, 0.2), atol=1e-6)
    np.testing.assert_array_equal(still.base, head.base)


def test_offsets_find_a_displaced_landmark(head: ClipHead) -> None:
    truth = performance(TIMES)
    moved = np.zeros((478, 3, 3))
    moved[50, :2, 0] = 0.002, -0.003
    seen = observe(sightings(head.moved_by(moved), truth, TIMES), np.arange(len(TIMES)))
    found = fit_offsets(head, np.zeros_like(moved), seen, truth)
    np.testing.assert_allclose(found[50, :2, 0], moved[50, :2, 0], atol=0.0012)
    assert np.abs(found[[4, 61, 152], :2, 0]).max() < 4e-4


@pytest.mark.parametrize("missing", range(0, 60, 7))
def test_without_one_frame_at_most_one_other_is_drawn(head: ClipHead, missing: int) -> None:
    landmarks = landmark_pixels(head, performance(TIMES)).astype(np.float32)
    whole = draw_frames(landmarks, np.arange(60), 12)
    without = np.delete(np.arange(60), missing)[draw_frames(np.delete(landmarks, missing, 0), np.arange(59), 12)]
    assert len(set(whole)) == len(set(without)) == 12
    assert set(whole) - {missing} <= set(without)


def test_a_video_of_one_picture_has_one_keyframe(head: ClipHead) -> None:
    landmarks = landmark_pixels(head, performance(TIMES))[:1].repeat(20, 0)
    assert len(draw_frames(landmarks, np.arange(20), 12)) == 1


def test_a_long_gap_is_eased_over_and_a_short_one_left(head: ClipHead) -> None:
    frames, seen = performance(TIMES), np.ones(60, bool)
    seen[10:15] = seen[30:50] = False
    filled = fill_gaps(TIMES, seen, [], frames)
    np.testing.assert_array_equal(filled.controls[:30], frames.controls[:30])
    ends = np.sort(frames.controls[[29, 50]], 0)
    assert (filled.controls[30:50] >= ends[0] - 1e-9).all() and (filled.controls[30:50] <= ends[1] + 1e-9).all()
    np.testing.assert_allclose(
        filled.rotations[30:50] @ filled.rotations[30:50].transpose(0, 2, 1), np.eye(3)[None].repeat(20, 0), atol=1e-9
    )


def test_a_shot_without_a_face_holds_still(head: ClipHead) -> None:
    frames, seen = performance(TIMES), np.ones(60, bool)
    seen[40:] = False
    filled = fill_gaps(TIMES, seen, [40], frames)
    assert np.ptp(filled.controls[40:], 0).max() == 0
