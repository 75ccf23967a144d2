"""A short keyed performance that shows the controls: jaw, smile, blinks, brows, gaze, with a gentle turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import UInt8

from likeness.avatar.animate import neutral, prepare_avatar, render_avatar, with_controls
from likeness.avatar.pictures import over, plain_background
from likeness.avatar.video import FPS
from likeness.avatar.views import orbit_camera
from likeness.contract.avatar import Avatar
from likeness.contract.progress import Progress, SilentProgress

SECONDS = 9.0
YAW = 18.0
BACKGROUND = (43, 44, 48)

BLINK = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
SMILE = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4}
BROWS_UP = {"browInnerUp": 0.9, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9}
LOOK_LEFT = {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8}
LOOK_RIGHT = {"eyeLookInLeft": 0.8, "eyeLookOutRight": 0.8}

KEYS: tuple[tuple[float, Mapping[str, float]], ...] = (
    (0.0, {}),
    (0.5, {}),
    (0.6, BLINK),
    (0.75, {}),
    (1.1, {"jawOpen": 0.45}),
    (1.4, {"mouthPucker": 0.5, "jawOpen": 0.15}),
    (1.7, {"jawOpen": 0.6}),
    (1.95, {"mouthFunnel": 0.6, "jawOpen": 0.25}),
    (2.25, {"jawOpen": 0.3, "mouthStretchLeft": 0.4, "mouthStretchRight": 0.4}),
    (2.6, {}),
    (3.2, SMILE),
    (3.9, SMILE),
    (4.0, SMILE | BLINK),
    (4.15, SMILE),
    (4.6, {}),
    (5.0, BROWS_UP),
    (5.5, BROWS_UP | {"jawOpen": 0.7}),
    (6.0, {}),
    (6.3, LOOK_LEFT),
    (6.8, LOOK_LEFT),
    (7.1, LOOK_RIGHT),
    (7.6, LOOK_RIGHT),
    (7.8, BLINK),
    (8.0, {}),
    (8.4, {"mouthPucker": 0.9}),
    (9.0, {}),
)
"""Seconds and the controls there; what a key does not name is at rest."""


def controls_at(seconds: float) -> dict[str, float]:
    """Return the controls between the keys, eased in and out (smoothstep)."""
    later = next((i for i, (time, _) in enumerate(KEYS) if time > seconds), len(KEYS) - 1)
    (begin, before), (end, after) = KEYS[later - 1], KEYS[later]
    part = min(max((seconds - begin) / (end - begin), 0.0), 1.0)
    eased = part * part * (3 - 2 * part)
    return {name: (1 - eased) * before.get(name, 0.0) + eased * after.get(name, 0.0) for name in before | after}


def performance_frames(
    avatar: Avatar, size: int = 512, progress: Progress | None = None
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Yield the performance's frames, size x size, at 25 a second."""
    progress = progress or SilentProgress()
    driven, background = prepare_avatar(avatar), plain_background(BACKGROUND)
    count = round(SECONDS * FPS)
    for frame in range(count):
        seconds = frame / FPS
        known = {name: v for name, v in controls_at(seconds).items() if name in avatar.rig.control_names}
        expression = with_controls(avatar.rig, neutral(avatar), known)
        camera = orbit_camera(avatar, YAW * math.sin(2 * math.pi * seconds / SECONDS), 0.0, size, size)
        yield over(render_avatar(driven, camera, expression), background)
        progress.update("drawing the performance", (frame + 1) / count)
