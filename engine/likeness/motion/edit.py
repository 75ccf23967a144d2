"""Plain changes to a performance: a range of it, its mirror image, more or less of a region, no head motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import mirrored_name
from likeness.contract.errors import UsageError
from likeness.contract.motion import ARRAYS, Motion
from likeness.motion.regions import COEFFICIENTS, region_of

KNEE = 0.8
"""Where a control that is made larger begins to bend, so that it comes near 1 but keeps its shape."""
CAMERA = tuple(field.name for field in fields(Motion) if field.name in ("K", "T_camera_world", "image_size"))
MIRROR = np.array([1, -1, -1], np.float32)
"""A rotation about x looks the same in a mirror, one about y or z turns the other way."""


def without_camera(motion: Motion) -> Motion:
    """Return the motion without the camera that filmed it: it fits no longer when the head moves otherwise."""
    return replace(motion, **dict.fromkeys(CAMERA))


def cut(motion: Motion, start: float, end: float | None) -> Motion:
    """Return the frames from `start` to before `end` (seconds of the source); times then begin at 0 at the start.

    Errors: UsageError `motion.range` where no frame lies.
    """
    kept = (motion.times >= start - 1e-9) & (motion.times < (np.inf if end is None else end))
    if not kept.any():
        shown = f"{start:g} s on" if end is None else f"{start:g} to {end:g} s"
        raise UsageError(
            "motion.range", f"No frame lies from {shown}.", f"The file goes up to {motion.times[-1]:.2f} s."
        )
    arrays = {name: getattr(motion, name)[kept] for name in (*ARRAYS, "expr")}
    return replace(motion, **arrays | {"times": np.maximum(arrays["times"] - start, 0)})


def mirrored(motion: Motion) -> Motion:
    """Return what a mirror shows: left and right change places, turns to the side and place are reflected."""
    places = {name: index for index, name in enumerate(motion.expr_names)}
    order = [places.get(mirrored_name(name)) for name in motion.expr_names]
    expr = np.stack([motion.expr[:, k] if k is not None else 0 * motion.times for k in order], 1).astype(np.float32)
    eyes = motion.eyes_pose.reshape(-1, 2, 3)[:, ::-1] * MIRROR
    return replace(
        without_camera(motion),
        expr=expr,
        rotation=motion.rotation * MIRROR,
        neck_pose=motion.neck_pose * MIRROR,
        jaw_pose=motion.jaw_pose * MIRROR,
        eyes_pose=eyes.reshape(-1, 6),
        translation=motion.translation * [-1, 1, 1],
    )


def scaled(motion: Motion, gains: Mapping[str, float]) -> Motion:
    """Return the motion with its regions made larger or smaller; a control over 0.8 that grows is bent below 1."""
    factors = np.array([gains.get(region_of(name), 1.0) for name in motion.expr_names])
    changed = np.flatnonzero(factors != 1)
    expr = motion.expr.copy()
    for column in changed:
        expr[:, column] = _grown(motion.expr[:, column], factors[column])
    head = np.float32(gains.get("head", 1.0))
    return replace(
        motion if head == 1 else without_camera(motion),
        expr=expr,
        rotation=motion.rotation * head,
        neck_pose=motion.neck_pose * head,
        translation=motion.translation * head,
        jaw_pose=motion.jaw_pose * np.float32(gains.get("jaw", 1.0)),
        eyes_pose=motion.eyes_pose * np.float32(gains.get("gaze", 1.0)),
    )


def without_head(motion: Motion) -> Motion:
    """Return the motion with a head that holds still."""
    rest = np.zeros_like(motion.rotation)
    return replace(without_camera(motion), rotation=rest, neck_pose=rest, translation=rest)


def has_coefficients(motion: Motion) -> bool:
    """Tell whether the expression is FLAME's coefficients, which no region holds."""
    return any(region_of(name) == COEFFICIENTS for name in motion.expr_names)


def _grown(values: Float[np.ndarray, "T"], factor: float) -> np.ndarray:
    """Multiply; what then lies over the knee nears 1 exponentially, without a corner."""
    larger = values * factor
    if factor <= 1:
        return larger
    bent = 1 - (1 - KNEE) * np.exp(np.minimum((KNEE - larger) / (1 - KNEE), 0))
    return np.where(larger > KNEE, bent, larger)
