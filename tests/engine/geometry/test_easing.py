"""Smooth transitions."""

from __future__ import annotations

import numpy as np

from likeness.geometry.easing import smoothstep


def test_smoothstep_rises_level_at_both_ends_and_is_symmetric():
    values = np.linspace(-1, 4, 501)
    eased = smoothstep(values, 1.0, 3.0)
    np.testing.assert_array_equal(eased[values <= 1], 0)
    np.testing.assert_array_equal(eased[values >= 3], 1)
    np.testing.assert_allclose(eased + smoothstep(4 - values, 1.0, 3.0), 1)
    assert (np.diff(eased) >= 0).all()
    assert np.abs(np.diff(eased, 2)).max() < 2 * 6 / 2**2 * 0.01**2
    falling = smoothstep(np.array([0.2, 0.5]), 0.5, 0.2)
    np.testing.assert_array_equal(falling, [1, 0])
