"""Performances made up for tests: known controls and turns over time."""

from __future__ import annotations

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.motion import Motion

RESTING = ("tongueOut", "noseSneerLeft")
"""Controls that do nothing."""


def performance(fps: float = 60.0, seconds: float = 2.0, seed: int = 0, names: tuple[str, ...] = ARKIT_NAMES) -> Motion:
    """Return a performance of smooth waves, noise and blinks, with the head turning and moving."""
    rng = np.random.default_rng(seed)
    count = round(seconds * fps) + 1
    times = np.arange(count) / fps
    phase = rng.uniform(0, 6, len(names))
    expr = 0.5 + 0.4 * np.sin(times[:, None] * rng.uniform(1, 8, len(names)) + phase)
    expr += rng.normal(0, 0.002, expr.shape)
    expr[:, [names.index(name) for name in RESTING]] = 0
    expr[:, names.index("eyeBlinkLeft")] = np.clip(1 - np.abs(times - seconds / 2) / 0.08, 0, 1)
    waves = [0.3 * np.sin(times[:, None] * rng.uniform(1, 4, 3) + rng.uniform(0, 6, 3)) for _ in range(6)]
    return Motion(
        times=times,
        expr=expr.astype(np.float32),
        rotation=waves[0].astype(np.float32),
        neck_pose=waves[1].astype(np.float32),
        jaw_pose=waves[2].astype(np.float32),
        eyes_pose=np.concatenate(waves[3:5], axis=1).astype(np.float32),
        translation=(0.1 * waves[5]).astype(np.float32),
        observed=np.ones(count, np.uint8),
        fps=fps,
        head_model="open",
        head_model_hash="",
        expr_names=names,
    )
