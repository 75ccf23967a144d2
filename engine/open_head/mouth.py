"""Mends MakeHuman's mouth: lips that touch at rest on every identity, teeth behind them, a tongue that lies down."""

from __future__ import annotations

import numpy as np

from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.model import JAW_OPEN_ANGLE
from open_head.edge_loops import CONTACT, LIP_COLUMNS
from open_head.surface import HeadSurface

LIP_OVERLAP = 0.0005
"""Metres by which closed lips overlap in height, so that nothing shows between them."""
LOOP_SHARE = np.array([0.2, 0.45, 0.8, 1.0, 1.0, 1.0, 0.6, 0.3])
"""How much of the lips' mending each loop of `lip_loops` takes."""
PARTNER = (LIP_COLUMNS // 2 - np.arange(LIP_COLUMNS)) % LIP_COLUMNS
UPPER = np.r_[0:10, LIP_COLUMNS - 9 : LIP_COLUMNS]
UPPER_TEETH_SHIFT, LOWER_TEETH_SHIFT = (-0.0034, 0.0035), (-0.0026, 0.0022)
"""Down and forward, metres, at the front teeth: MakeHuman's sit too deep for the upper ones ever to show."""
ARCH_WIDTH = 0.84
"""Of MakeHuman's dental arches, which are so wide that the molars of a narrow jaw would show through the cheeks."""
TONGUE_FLATTENED, TONGUE_SINKS = 0.5, 0.012
"""What is left of the tongue's height when the jaw opens, and how far its root goes down, metres."""


def close_lips(field: np.ndarray, loops: np.ndarray, overlap: float) -> None:
    """Move the lips in place so that every column's contact overlaps by this height; `field` is (V, 3, ...).

    With the mean head and LIP_OVERLAP the lips touch; with directions and 0 they keep touching.
    """
    contact = field[loops[CONTACT], 1]
    gap = contact[UPPER] - contact[PARTNER[UPPER]] + overlap
    share = LOOP_SHARE.reshape(-1, 1, *[1] * (gap.ndim - 1)) / 2
    field[loops[:, UPPER], 1] -= share * gap
    field[loops[:, PARTNER[UPPER]], 1] += share * gap


def seat_teeth(surface: HeadSurface, mean: np.ndarray) -> None:
    """Move the front teeth up to the lips and narrow the arches, in place."""
    for group, (down, forward) in (("teeth_upper", UPPER_TEETH_SHIFT), ("teeth_lower", LOWER_TEETH_SHIFT)):
        members = surface.vertices_of(group)
        front = np.clip((mean[members, 2] + 0.01) / 0.025, 0, 1)[:, None]
        mean[members, 0] *= ARCH_WIDTH
        mean[members] += front * np.array([0, down, forward])


def open_jaw(surface: HeadSurface, mean: np.ndarray, jaw_open: np.ndarray) -> None:
    """Let jawOpen carry the lower teeth rigidly, and the tongue with them, lying down, in place."""
    teeth, tongue = surface.vertices_of("teeth_lower"), surface.vertices_of("tongue")
    rotation = rotvec_to_rotmat(np.array([JAW_OPEN_ANGLE, 0, 0]))
    centre = mean[teeth].mean(0)
    target = centre + jaw_open[teeth].mean(0)
    floor = mean[tongue, 1].min()
    lying = mean[tongue].copy()
    root = (lying[:, 2].max() - lying[:, 2]) / np.ptp(lying[:, 2])
    lying[:, 1] = floor + TONGUE_FLATTENED * (lying[:, 1] - floor) - TONGUE_SINKS * root
    for members, rest in ((teeth, mean[teeth]), (tongue, lying)):
        jaw_open[members] = (rest - centre) @ rotation.T + target - mean[members]
