"""Whole clips of known truth, from landmarks to a performance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sightings import FOCAL, performance, sightings, synthetic_head

from likeness.avatar.track import to_motion
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.motion import check_motion
from likeness.contract.progress import Cancelled
from likeness.head.assets import HeadAssets
from likeness.portrait.performer import Sightings
from likeness.tracking.clip_head import ClipHead, landmark_pixels
from likeness.tracking.landmarks import unbiased
from likeness.tracking.sequence import SequenceFit, track_sightings

TIMES = np.arange(75) / 25
JAW = ARKIT_NAMES.index("jawOpen")


@pytest.fixture(scope="module")
def head(open_head: HeadAssets) -> ClipHead:
    return synthetic_head(open_head, strength=0.7)


@pytest.fixture(scope="module")
def clip(head: ClipHead) -> Sightings:
    return sightings(head, performance(TIMES), TIMES, noise=0.3)


@pytest.fixture(scope="module")
def fit(open_head: HeadAssets, clip: Sightings) -> SequenceFit:
    return track_sightings(clip, open_head)


def _part(clip: Sightings, chosen: slice) -> Sightings:
    arrays = {name: getattr(clip, name)[chosen] for name in ("times", "landmarks", "seen", "doubt")}
    return replace(clip, **arrays)


def test_landmarks_are_met(clip: Sightings, fit: SequenceFit) -> None:
    wanted = np.stack([unbiased(one) for one in clip.landmarks])
    apart = np.linalg.norm(landmark_pixels(fit.head, fit.frames) - wanted, axis=-1).mean()
    assert apart / np.linalg.norm(wanted[:, 33] - wanted[:, 263], axis=-1).mean() < 0.012


def test_expression_and_pose_are_read(fit: SequenceFit) -> None:
    truth = performance(TIMES)
    slope, _ = np.polyfit(truth.controls[:, JAW], fit.frames.controls[:, JAW], 1)
    assert 0.75 < slope < 1.25
    turns = fit.frames.rotations @ truth.rotations.transpose(0, 2, 1)
    relative = turns[0].T @ turns
    angles = np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert np.degrees(angles).max() < 3


def test_blinks_are_found_and_nothing_between(fit: SequenceFit) -> None:
    truth, found = (
        frames.controls[:, ARKIT_NAMES.index("eyeBlinkRight")] for frames in (performance(TIMES), fit.frames)
    )
    assert found[truth > 0.9].min() > 0.7
    assert np.median(found[truth == 0]) < 0.1


def test_the_identity_is_nearer_than_the_mean_head(open_head: HeadAssets, head: ClipHead, fit: SequenceFit) -> None:
    bare = fit.head.base - fit.head.base.mean(0)
    wanted, mean = head.base - head.base.mean(0), synthetic_head(open_head, strength=0.0).base
    scale = FOCAL / fit.head.focal * fit.frames.translations[:, 2].mean() / performance(TIMES).translations[:, 2].mean()
    assert np.abs(bare / scale - wanted).mean() < 0.6 * np.abs(mean - mean.mean(0) - wanted).mean()


def test_the_same_curves_without_a_frame(open_head: HeadAssets, head: ClipHead) -> None:
    times = np.arange(200) / 25
    whole = sightings(head, performance(times), times, noise=0.3)
    fit = track_sightings(whole, open_head)
    for kept in slice(1, None), slice(0, -1):
        shorter = track_sightings(_part(whole, kept), open_head)
        apart = np.abs(shorter.frames.controls - fit.frames.controls[kept])
        assert apart.mean() < 0.002 and np.percentile(apart, 99) < 0.022


def test_a_still_face_is_still(open_head: HeadAssets, clip: Sightings) -> None:
    still = _part(clip, slice(0, 40))
    noise = np.random.default_rng(1).normal(scale=0.02, size=still.landmarks.shape)
    still = replace(still, landmarks=(still.landmarks[:1] + noise).astype(np.float32))
    assert track_sightings(still, open_head).frames.controls.std(0).max() < 0.005


def test_a_clip_of_one_frame_becomes_a_performance(open_head: HeadAssets, clip: Sightings) -> None:
    one = _part(clip, slice(5, 6))
    motion = to_motion(one, track_sightings(one, open_head))
    check_motion(motion)
    assert motion.image_size == one.size and motion.K[0, 2] == one.size[0] / 2


def test_gaps_are_filled_and_marked(open_head: HeadAssets, clip: Sightings) -> None:
    seen = clip.seen.copy()
    seen[20:24] = seen[70:] = False
    landmarks = np.where(seen[:, None, None], clip.landmarks, np.nan).astype(np.float32)
    holed = replace(clip, seen=seen, landmarks=landmarks, doubt=np.where(seen, 0, 1).astype(np.float32))
    fit = track_sightings(holed, open_head)
    motion = to_motion(holed, fit)
    check_motion(motion)
    np.testing.assert_array_equal(motion.observed, seen)
    steps = np.abs(np.diff(fit.frames.controls[:, JAW]))
    assert steps[19:25].max() < 3 * steps[:19].max()


def test_cancel_stops_at_once(open_head: HeadAssets, clip: Sightings) -> None:
    class Impatient:
        def update(self, stage: str, fraction: float) -> None:
            raise Cancelled

    with pytest.raises(Cancelled):
        track_sightings(clip, open_head, progress=Impatient())
