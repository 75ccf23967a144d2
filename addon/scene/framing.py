"""From how far a camera sees heads whole; no bpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

Array = Annotated
LENS, SENSOR = 85.0, 36.0
"""Millimetres: a portrait lens, and the width that it is meant for."""
STRAY = 0.2
"""Percent of the points at either end of each axis that may lie outside."""
LEAST = 1e-6


@dataclass(frozen=True)
class Bounds:
    """An upright cylinder around heads, in the space of the points it was made of."""

    center: Array[np.ndarray, "3"]
    radius: float
    half_height: float

    @property
    def size(self) -> float:
        """Half of what is longer, its width or its height."""
        return max(self.radius, self.half_height)

    def distance(self, tan_x: float, tan_y: float) -> float:
        """Return from how far it is seen whole from all around, at its own height.

        `tan_x`, `tan_y`: tangents of half the camera's angles of view.
        """
        return max(self.radius * np.hypot(1, tan_x) / tan_x, self.radius + self.half_height / tan_y)


def bounds_of(points: Array[np.ndarray, "N 3"]) -> Bounds:
    """Return the cylinder around points, of which a few may be strays."""
    low, high = np.percentile(points, (STRAY, 100 - STRAY), axis=0)
    center = (low + high) / 2
    reach = np.percentile(np.linalg.norm(points[:, :2] - center[:2], axis=1), 100 - STRAY)
    return Bounds(center, max(float(reach), LEAST), max(float(high[2] - low[2]) / 2, LEAST))
