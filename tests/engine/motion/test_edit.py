"""Ranges, mirror images, gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from takes import controls_motion, k

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import UsageError
from likeness.contract.motion import Motion, check_motion
from likeness.motion import edit
from likeness.motion.regions import REGIONS, region_of


def some_motion(frames: int = 20) -> Motion:
    rng = np.random.default_rng(0)
    motion = controls_motion(rng.uniform(0, 1, (frames, 52)), head=rng.normal(0, 0.3, (frames, 3)),
                             eyes=rng.normal(0, 0.3, (frames, 6)))  # fmt: skip
    place, jaw = rng.normal(size=(2, frames, 3)).astype(np.float32)
    return replace(motion, translation=place, jaw_pose=jaw, rotation=jaw[::-1].copy(), K=np.eye(3),
                   T_camera_world=np.eye(4), image_size=(4, 4))  # fmt: skip


def test_every_control_has_a_region():
    assert {region_of(name) for name in ARKIT_NAMES} == set(REGIONS) - {"head"}
    assert region_of("mouthClose") == region_of("jawOpen") == "jaw" and region_of("expr003") == "coefficients"


def test_a_cut_begins_at_zero():
    motion = edit.cut(some_motion(), 0.1, 0.2)
    check_motion(motion)
    np.testing.assert_allclose(motion.times, np.arange(6) / 60, atol=1e-12)
    np.testing.assert_array_equal(motion.expr, some_motion().expr[6:12])
    np.testing.assert_array_equal(motion.eyes_pose, some_motion().eyes_pose[6:12])


def test_the_whole_range_changes_nothing():
    motion = edit.cut(some_motion(), 0.0, None)
    np.testing.assert_array_equal(motion.times, some_motion().times)
    assert motion.K is not None


@pytest.mark.parametrize(("start", "end"), [(5.0, None), (5.0, 6.0), (0.101, 0.102)])
def test_a_range_without_frames_is_told(start, end):
    with pytest.raises(UsageError, match=r"motion\.range.*The file goes up to 0\.32 s"):
        edit.cut(some_motion(), start, end)


def test_a_mirror_image_mirrored_is_the_performance():
    twice = edit.mirrored(edit.mirrored(some_motion()))
    for name in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(some_motion(), name))
    assert twice.K is None


def test_left_is_right_in_a_mirror():
    motion, image = some_motion(), edit.mirrored(some_motion())
    pairs = {"mouthSmileLeft": "mouthSmileRight", "eyeLookInLeft": "eyeLookInRight", "jawLeft": "jawRight"}
    for one, other in (pairs | {"mouthLeft": "mouthRight", "browInnerUp": "browInnerUp"}).items():
        np.testing.assert_array_equal(image.expr[:, k(one)], motion.expr[:, k(other)])


@settings(deadline=None)
@given(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)))
def test_turns_are_reflected(rotvec):
    # In a mirror, a point turned is the mirrored point turned the mirrored way.
    flip, motion = np.diag([-1.0, 1, 1]), controls_motion(np.zeros((1, 52)), head=np.array([rotvec]))
    turn, image = (Rotation.from_rotvec(m.neck_pose[0]).as_matrix() for m in (motion, edit.mirrored(motion)))
    np.testing.assert_allclose(image, flip @ turn @ flip, atol=1e-6)


def test_the_eyes_change_places():
    motion, image = some_motion(), edit.mirrored(some_motion())
    np.testing.assert_array_equal(image.eyes_pose[:, :3], motion.eyes_pose[:, 3:] * [1, -1, -1])


def test_gains_scale_their_region_alone():
    motion, larger = some_motion(), edit.scaled(some_motion(), {"brows": 0.5, "head": 2.0, "jaw": 0.0})
    brows = [name.startswith("brow") for name in ARKIT_NAMES]
    jaw = [region_of(name) == "jaw" for name in ARKIT_NAMES]
    np.testing.assert_allclose(larger.expr[:, brows], motion.expr[:, brows] / 2, rtol=1e-6)
    assert not larger.expr[:, jaw].any() and not larger.jaw_pose.any()
    rest = ~(np.array(brows) | jaw)
    np.testing.assert_array_equal(larger.expr[:, rest], motion.expr[:, rest])
    np.testing.assert_allclose(larger.neck_pose, 2 * motion.neck_pose)
    np.testing.assert_array_equal(larger.eyes_pose, motion.eyes_pose)
    assert larger.K is None and edit.scaled(motion, {"brows": 0.5}).K is not None


@settings(deadline=None)
@given(st.floats(1.01, 4), st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True))
def test_growth_keeps_the_order_and_stays_within_one(gain, pair):
    low, high = sorted(pair)
    grown = edit._grown(np.array([low, high]), gain)
    assert (0 <= grown[0] <= grown[1] <= 1 and grown[0] == pytest.approx(gain * low)) or gain * low > edit.KNEE


def test_growth_bends_without_a_corner():
    values = np.linspace(0, 1, 100001)
    slope = np.diff(edit._grown(values, 1.5)) / np.diff(values)
    assert np.abs(np.diff(slope)).max() < 1e-3 and slope[0] == pytest.approx(1.5)


def test_without_head_the_eyes_still_move():
    still = edit.without_head(some_motion())
    assert not (still.neck_pose.any() or still.rotation.any() or still.translation.any())
    np.testing.assert_array_equal(still.eyes_pose, some_motion().eyes_pose)
