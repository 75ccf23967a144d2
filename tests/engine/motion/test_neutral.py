"""The performer's rest: offsets go, held expressions stay, heads are counted from where they usually are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from takes import controls_motion, k

from likeness.contract.errors import UsageError
from likeness.contract.motion import Motion
from likeness.motion import neutral
from likeness.motion.live_link import read_live_link

T = 600
TIMES = np.arange(T) / 60


def performance() -> np.ndarray:
    """Return (T, 52): talking in bursts, a few blinks, two smiles; at rest in between."""
    controls = np.zeros((T, 52))
    talking = (np.sin(TIMES * 0.8) > 0) * np.abs(np.sin(TIMES * 9))
    controls[:, k("jawOpen")] = 0.5 * talking
    controls[:, k("mouthFunnel")] = 0.4 * talking
    smile = np.clip(np.sin(TIMES * 0.8 + np.pi) * 2, 0, 1)
    controls[:, k("mouthSmileLeft")] = controls[:, k("mouthSmileRight")] = 0.7 * smile
    for blink in (100, 250, 400, 550):
        controls[blink : blink + 8, [k("eyeBlinkLeft"), k("eyeBlinkRight")]] = 1
    return controls


def offset(controls: np.ndarray, **floors: float) -> np.ndarray:
    """Return the controls as a tracker shows them whose rest is not 0."""
    shown = controls.copy()
    for name, floor in floors.items():
        shown[:, k(name)] = floor + (1 - floor) * shown[:, k(name)]
    return shown


def calibrated(motion: Motion) -> tuple[Motion, neutral.Rest]:
    rest = neutral.find_rest(motion)
    return neutral.relative(motion, rest), rest


def test_offsets_go_and_one_stays_one():
    shown = offset(
        performance(), jawOpen=0.1, mouthFunnel=0.05, browDownLeft=0.15, browDownRight=0.12, eyeBlinkLeft=0.08
    )
    motion, rest = calibrated(controls_motion(shown))
    np.testing.assert_allclose(motion.expr, performance(), atol=0.01)
    assert motion.expr[100, k("eyeBlinkLeft")] == pytest.approx(1)
    assert len(rest.notes) == 1 and "rest: browDownLeft 0.15, browDownRight 0.12" in rest.notes[0]


def test_noise_does_not_pull_the_rest_down():
    shown = offset(performance(), browInnerUp=0.12) + np.random.default_rng(0).normal(0, 0.01, (T, 52))
    rest = neutral.find_rest(controls_motion(shown))
    assert rest.expr[k("browInnerUp")] == pytest.approx(0.12, abs=0.03)


def test_a_smile_that_is_held_all_the_time_is_kept_and_told():
    shown = performance()
    shown[:, [k("mouthSmileLeft"), k("mouthSmileRight")]] = [0.6, 0.19]
    motion, rest = calibrated(controls_motion(shown))
    np.testing.assert_allclose(motion.expr[:, k("mouthSmileLeft")], 0.6, atol=1e-6)
    np.testing.assert_allclose(motion.expr[:, k("mouthSmileRight")], 0.19, atol=1e-6)  # judged with the other side
    assert any("mouthSmileLeft and mouthSmileRight" in note for note in rest.notes)


def test_a_smile_that_comes_and_goes_keeps_its_height():
    motion, _ = calibrated(controls_motion(offset(performance(), mouthSmileLeft=0.1, mouthSmileRight=0.1)))
    assert motion.expr[:, k("mouthSmileLeft")].max() == pytest.approx(0.7, abs=0.02)


def test_gaze_is_counted_from_where_the_eyes_usually_look():
    shown = performance()
    sideways = 0.2 + 0.5 * np.sin(TIMES * 3)  # usually 0.2 to the subject's left
    shown[:, k("eyeLookOutLeft")], shown[:, k("eyeLookInLeft")] = np.maximum(sideways, 0), np.maximum(-sideways, 0)
    shown[:, k("eyeLookInRight")], shown[:, k("eyeLookOutRight")] = np.maximum(sideways, 0), np.maximum(-sideways, 0)
    motion, rest = calibrated(controls_motion(shown))
    left = motion.expr[:, k("eyeLookOutLeft")] - motion.expr[:, k("eyeLookInLeft")]
    assert np.median(left) == pytest.approx(0, abs=0.1) and rest.gaze[0] == pytest.approx(-0.2, abs=0.1)
    assert not (motion.expr[:, k("eyeLookOutLeft")] * motion.expr[:, k("eyeLookInLeft")]).any()


def test_a_gaze_that_is_kept_away_stays_away():
    shown = performance()
    shown[:, [k("eyeLookDownLeft"), k("eyeLookDownRight")]] = 0.7
    motion, rest = calibrated(controls_motion(shown))
    np.testing.assert_allclose(motion.expr[:, k("eyeLookDownLeft")], 0.7, atol=1e-6)
    assert any("look away" in note for note in rest.notes)


def test_heads_are_seen_from_their_rest():
    # A phone 25 degrees to the side and below: a nod about the performer's own ears stays a nod.
    rest = Rotation.from_euler("YX", [25, -15], degrees=True)
    nod = 0.3 * np.sin(TIMES * 2)
    turned = rest * Rotation.from_rotvec(nod[:, None] * [1, 0, 0])
    motion, _ = calibrated(controls_motion(performance(), head=turned.as_rotvec()))
    np.testing.assert_allclose(motion.neck_pose[:, 1:], 0, atol=1e-3)
    assert np.ptp(motion.neck_pose[:, 0] - nod) < 1e-3 and abs(np.median(motion.neck_pose[:, 0])) < 0.1


def test_root_and_neck_become_the_necks_and_the_place_is_the_necks():
    root = Rotation.from_rotvec(0.3 * np.sin(TIMES)[:, None] * [1, 0, 0])
    moved = controls_motion(performance())
    # A body that rocks about its root while the neck's joint is held where it is.
    held = neutral.NECK_ABOVE_ROOT - root.apply(neutral.NECK_ABOVE_ROOT)
    moved = replace(moved, rotation=root.as_rotvec().astype(np.float32), translation=held.astype(np.float32))
    motion = neutral.relative(moved, neutral.rest_at(moved, 0.0))
    assert not motion.rotation.any() and np.abs(motion.translation).max() < 1e-6
    np.testing.assert_allclose(motion.neck_pose, root.as_rotvec(), atol=1e-6)


def test_a_named_frame_becomes_zero():
    rng = np.random.default_rng(2)
    motion = controls_motion(rng.uniform(0, 0.7, (T, 52)), head=rng.normal(0, 0.2, (T, 3)))
    motion = neutral.relative(motion, neutral.rest_at(motion, 2.0))
    np.testing.assert_allclose(motion.expr[120], 0, atol=1e-6)
    np.testing.assert_allclose(motion.neck_pose[120], 0, atol=1e-6)
    assert (motion.expr >= 0).all()


def test_gaze_below_zero_in_a_named_frame_leaves_numbers():
    shown = performance()
    shown[:, k("eyeLookInLeft")] = -1.0
    motion = controls_motion(shown)
    assert np.isfinite(neutral.relative(motion, neutral.rest_at(motion, 0.0)).expr).all()


def test_a_frame_in_the_middle_of_a_blink_is_no_rest():
    with pytest.raises(UsageError, match=r"motion\.not_neutral: At 1\.70 s eyeBlink.* is 1\.00"):
        neutral.rest_at(controls_motion(performance()), 1.7)


def test_flame_coefficients_stay_unless_a_frame_is_named():
    rng = np.random.default_rng(3)
    motion = controls_motion(rng.normal(size=(T, 52)))
    motion = replace(motion, head_model="flame", expr_names=tuple(f"expr{n:03d}" for n in range(52)))
    np.testing.assert_array_equal(calibrated(motion)[0].expr, motion.expr)
    named = neutral.relative(motion, neutral.rest_at(motion, 1.0))
    np.testing.assert_allclose(named.expr, motion.expr - motion.expr[60], atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 59])
def test_a_take_that_is_too_short_to_show_its_rest_keeps_expression_and_turn(frames):
    motion = controls_motion(np.full((frames, 52), 0.1), head=np.full((frames, 3), 0.1))
    motion = replace(motion, translation=np.full((frames, 3), 0.3, np.float32))
    calm, rest = calibrated(motion)
    np.testing.assert_array_equal(calm.expr, motion.expr)
    np.testing.assert_allclose(calm.neck_pose, 0.1, atol=1e-6)
    assert not calm.translation.any() and "shorter than 1 s" in rest.notes[0]


@pytest.mark.parametrize("frames", [60, 61])
def test_a_take_of_a_second_has_a_rest(frames):
    motion = controls_motion(np.full((frames, 52), 0.1), head=np.full((frames, 3), 0.1))
    calm, _ = calibrated(motion)
    assert np.isfinite(calm.expr).all() and np.abs(calm.neck_pose).max() < 1e-6


@pytest.mark.parametrize("seconds", [-1.0, 10.1])
def test_a_rest_outside_the_take_is_refused(seconds):
    with pytest.raises(UsageError, match=r"motion\.range.*Name a time from 0\.00 to 9\.98 s\."):
        neutral.rest_at(controls_motion(performance()), seconds)


def test_real_takes_keep_their_performances(shared_data):
    for path in sorted((shared_data / "arkit").glob("*.csv")):
        motion = read_live_link(path.read_bytes(), path.name).motion
        relative, rest = calibrated(motion)
        looks = [name.startswith("eyeLook") for name in motion.expr_names]
        assert rest.expr.min() >= 0 and rest.expr.max() <= neutral.HELD
        assert (relative.expr[:, ~np.array(looks)] <= motion.expr[:, ~np.array(looks)] + 1e-6).all()
        peaks, kept = motion.expr.max(0), relative.expr.max(0)
        assert (kept[(peaks > 0.5) & ~np.array(looks)] > 0.75 * peaks[(peaks > 0.5) & ~np.array(looks)]).all()
