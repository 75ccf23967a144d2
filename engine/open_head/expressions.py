"""The 52 ARKit shapes on the head's own surface: symmetrised, at the mean head's size, with eyes that truly rotate."""

from __future__ import annotations

import numpy as np
from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.rotations import rotvec_to_rotmat
from open_head.surface import HeadSurface

LOOK_ROTVECS = {
    "eyeLookDownLeft": (0.5, 0, 0),
    "eyeLookUpLeft": (-0.45, 0, 0),
    "eyeLookInLeft": (0, -0.55, 0),
    "eyeLookOutLeft": (0, 0.55, 0),
}
"""Rotation of the left eyeball at full strength, radians; the right one's is the mirror image."""


def load_shapes(surface: HeadSurface, scale: float) -> dict[str, np.ndarray]:
    """Return every ARKit shape as (V, 3) metres; left and right shapes are exact mirror images."""
    raw = {
        name: surface.directions(surface.base.target(f"faceunits01/targets/faceunits/{name}.target")) * scale
        for name in ARKIT_NAMES
    }
    shapes = {}
    for name in ARKIT_NAMES:
        twin = raw[swap_side(name)][surface.mirror] * np.array([-1, 1, 1])
        shapes[name] = (raw[name] + twin) / 2
        shapes[name][surface.vertices_of("eye_left", "eye_right")] = 0
    return shapes


def swap_side(name: str) -> str:
    """Return the mirrored shape's name; shapes without a side mirror onto themselves."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    if name.endswith("Right"):
        return name.removesuffix("Right") + "Left"
    return name


def turn_eyeballs(surface: HeadSurface, mean: np.ndarray, shapes: dict[str, np.ndarray]) -> None:
    """Write the eyeballs' true rotation into the eyeLook shapes."""
    members = surface.vertices_of("eye_left")
    center = mean[surface.eye_equators[0]].mean(0)
    for name, rotvec in LOOK_ROTVECS.items():
        rotation = rotvec_to_rotmat(np.array(rotvec, float))
        shapes[name][members] = (mean[members] - center) @ (rotation.T - np.eye(3))
        shapes[swap_side(name)] = shapes[name][surface.mirror] * np.array([-1, 1, 1])
