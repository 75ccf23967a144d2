"""Pose correctives as drivers: one shape key for each pose feature that moves anything.

FLAME's pose feature is the row-major entries of R - I for every joint but the root, in head space. A bone's rotation is
R in axes that are head space's up to order and sign, so that each entry is, up to sign, one entry of the bone's own
rotation: a polynomial of degree two in its quaternion. Blender evaluates such expressions by itself, without Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.avatar import JOINT_NAMES, Rig

from ..conventions import BONE_AXES, BONE_NAMES

Array = Annotated
NEGLIGIBLE = 1e-7
"""Metres that a feature of one moves a vertex; below, nobody sees it."""
ENTRIES = (
    ("-2*(y*y+z*z)", "2*(x*y-w*z)", "2*(x*z+w*y)"),
    ("2*(x*y+w*z)", "-2*(x*x+z*z)", "2*(y*z-w*x)"),
    ("2*(x*z-w*y)", "2*(y*z+w*x)", "-2*(x*x+y*y)"),
)
"""R - I of the unit quaternion w, x, y, z."""


@dataclass(frozen=True)
class Corrective:
    """A shape key and what drives it."""

    name: str
    bone: str
    expression: str
    """Of the bone's rotation in its local space, a unit quaternion w, x, y, z."""
    offsets: Array[np.ndarray, "V 3"]
    """Head space, metres, for a feature of one."""


def correctives(rig: Rig) -> list[Corrective]:
    """Return a corrective for every column of posedirs that moves anything."""
    moving = np.flatnonzero(np.abs(rig.posedirs).max(axis=(0, 1)) > NEGLIGIBLE)
    return [_corrective(rig, int(feature)) for feature in moving]


def feature_expression(joint: str, row: int, column: int) -> str:
    """Return the entry (row, column) of R - I, R the joint's rotation in head space, by its bone's quaternion."""
    axes = BONE_AXES[joint]
    i, j = int(np.abs(axes[row]).argmax()), int(np.abs(axes[column]).argmax())
    sign = "-" if axes[row, i] * axes[column, j] < 0 else ""
    return sign + ENTRIES[i][j]


def _corrective(rig: Rig, feature: int) -> Corrective:
    joint_index, entry = divmod(feature, 9)
    joint = JOINT_NAMES[joint_index + 1]
    row, column = divmod(entry, 3)
    return Corrective(
        name=f"pose.{joint}.{row}{column}",
        bone=BONE_NAMES[joint],
        expression=feature_expression(joint, row, column),
        offsets=rig.posedirs[:, :, feature],
    )
