"""Fewer keys: the bound holds in Blender's own curves, and nothing is kept for nothing."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.scene import actions
from addon.scene.curve_keys import add_straight, read_keys, write_keys
from addon.scene.reduction import kept_samples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@pytest.fixture(scope="module")
def channels():
    bpy.ops.wm.read_homefile(use_empty=True)
    return actions.ensure_curves(bpy.data.actions.new("Any"))


samples = hnp.arrays(np.float32, st.integers(2, 120), elements=st.floats(-1, 2, width=32))
starts = st.floats(-1000, 5000, width=32)
rates = st.sampled_from([24 / 60, 30 / 60, 1.0, 23.976 / 59.94, 24 / 100])


@given(samples, starts, rates, st.floats(0.001, 0.5))
def test_blenders_own_curve_is_within_the_bound_at_every_sample(channels, values, start, step, bound):
    frames = (start + np.arange(len(values)) * step).astype(np.float32).astype(float)
    kept = kept_samples(frames, values[:, None].astype(float), bound)
    curve = actions.new_curve(channels, "location", 0, "Any")
    try:
        add_straight(curve, frames[kept], values[kept])
        assert len(curve.keyframe_points) == len(kept)
        found = np.array([curve.evaluate(frame) for frame in frames])
        assert np.abs(found - values).max() <= bound
    finally:
        channels.remove(curve)


@given(hnp.arrays(float, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=st.floats(-1, 1)))
def test_what_is_keyed_together_is_kept_together_and_its_ends_stay(values):
    times = np.arange(len(values)) * 0.4
    kept = kept_samples(times, values, 0.05)
    assert kept[0] == 0 and kept[-1] == len(values) - 1 and (np.diff(kept) > 0).all()
    between = np.stack([np.interp(times, times[kept], column[kept]) for column in values.T], axis=1)
    assert np.abs(between - values).max() <= 0.05


def test_straight_lines_need_their_corners_alone():
    times = np.arange(1000) * 0.4
    corners = [0, 100, 130, 999]
    values = np.interp(times, times[corners], [0, 1, 0.2, 0.4])[:, None]
    assert kept_samples(times, values, 0.005).tolist() == corners


def test_a_blink_keeps_its_height():
    times = np.arange(600) / 60 * 24
    values = np.clip(1 - np.abs(np.arange(600) - 300) / 5, 0, 1)[:, None]
    kept = kept_samples(times, values, 0.005)
    assert 300 in kept and len(kept) < 8


def test_keys_are_written_as_they_were_read(channels):
    curve = actions.new_curve(channels, "scale", 0, "Any")
    for number, mode in enumerate(("BEZIER", "LINEAR", "CONSTANT", "BOUNCE")):
        point = curve.keyframe_points.insert(number * 3.5, np.sin(number))
        point.interpolation, point.easing, point.type = mode, "EASE_OUT", "EXTREME"
    curve.keyframe_points[1].handle_left_type = "FREE"
    curve.keyframe_points[1].handle_left = (2.2, 9.0)
    before = [(p.co[:], p.handle_left[:], p.handle_right[:], p.interpolation, p.easing, p.type, p.handle_left_type)
              for p in curve.keyframe_points]  # fmt: skip
    write_keys(curve, read_keys(curve))
    after = [(p.co[:], p.handle_left[:], p.handle_right[:], p.interpolation, p.easing, p.type, p.handle_left_type)
             for p in curve.keyframe_points]  # fmt: skip
    assert after == before
    channels.remove(curve)
