"""Clips whose truth is known: landmarks of a head of Open Head's family that moves smoothly, without any picture."""

from __future__ import annotations

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.portrait.performer import Sightings
from likeness.tracking.clip_head import ClipHead, Frames, landmark_pixels
from likeness.tracking.sequence import identity_head, known_clip_head
from likeness.tracking.staging import FLIP

SIZE = (512, 512)
FOCAL = 1250.0
USED = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "mouthLeft", "eyeBlinkLeft", "eyeBlinkRight")


def synthetic_head(assets: HeadAssets, seed: int = 3, strength: float = 1.0) -> ClipHead:
    """Return a random identity of the family before the clip's camera."""
    betas = strength * np.random.default_rng(seed).normal(size=assets.shapedirs.shape[-1])
    return known_clip_head(identity_head(assets, betas), FOCAL, np.array(SIZE) / 2)


def performance(times: np.ndarray) -> Frames:
    """Return slow turns, speech-like controls and one blink of a tenth of a second each second and a half."""
    count = len(times)
    turns = np.stack([0.08 * np.sin(1.3 * times), 0.2 * np.sin(0.9 * times), 0.05 * np.sin(times + 1)], 1)
    controls = np.zeros((count, len(ARKIT_NAMES)))
    for k, name in enumerate(USED[:5]):
        controls[:, ARKIT_NAMES.index(name)] = 0.3 * (1 - np.cos(times * (2.0 + 0.7 * k) + k))
    blink = np.clip(1 - np.abs((times + 0.75) % 1.5 - 0.75) / 0.08, 0, 1)
    for name in USED[5:]:
        controls[:, ARKIT_NAMES.index(name)] = blink
    sway = 0.01 * np.stack([np.sin(times), np.cos(1.2 * times), np.sin(0.8 * times)], 1)
    places = np.array([0.01, 0.02, 0.85]) + sway
    return Frames(FLIP @ rotvec_to_rotmat(turns), places, controls)


def sightings(head: ClipHead, frames: Frames, times: np.ndarray, noise: float = 0.0, seed: int = 0) -> Sightings:
    """Return what a perfect detector would see, with noise in pixels."""
    pixels = landmark_pixels(head, frames)
    pixels = pixels + np.random.default_rng(seed).normal(scale=max(noise, 1e-9), size=pixels.shape)
    seen = np.ones(len(times), bool)
    return Sightings(times, pixels.astype(np.float32), seen, np.zeros(len(times), np.float32), SIZE, 25.0, [], [])
