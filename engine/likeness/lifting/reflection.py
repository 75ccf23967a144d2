"""The seen hair's own pixels, continued behind its outline as in a mirror.

Where a surface turns away, or the photograph ends, what lies a little further is most like what lies a little before:
same strands, same light, no seam. The hair between its outline and the face is run through forth and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.lifting.types import Scene

NORMAL_SIGMA = 0.008
"""Smoothing of the outline whose normals lead inwards, metres: single strands have no side of their own."""
STEP, DEEPEST = 0.0015, 0.036
"""Of the way inwards: its steps and its end, metres."""
LEAD = 0.02
"""Distance from the outline within which the hair's own pixels must begin, metres."""
WIDTH = (0.004, 0.012)
"""Width of the seen hair from which on it is continued, and from which on it is alone; metres."""
STEEP = 1.5
"""Slope (metres of depth per metre across) beyond which the portrait shows a surface from its side."""
LOCK = 0.003
"""Half width of what counts as shown, metres."""
REACH, REPEATS = 0.06, 3.0
"""Distance behind that border over which the reflection fades, metres, and at most in widths of the seen hair."""
BLUR = 0.0009
"""Standard deviation of the reflected picture's smoothing, metres: a strand covers more than a pixel."""


@dataclass(frozen=True)
class Reflection:
    """What the portrait's hair looks like on its own. S is the working square's side."""

    picture: Float[np.ndarray, "S S 3"]
    """The hair's colours, smoothed."""
    own: Bool[np.ndarray, "S S"]
    """Where they are the hair's."""
    shown: Bool[np.ndarray, "S S"]
    """Where the portrait shows the surface well: it is seen and not from its side."""
    border: Int[np.ndarray, "2 S S"]
    """Row and column of the nearest place where that begins."""
    inwards: Float[np.ndarray, "2 S S"]
    """Unit vector inwards, down and to the right; it holds on that border."""
    front: Float[np.ndarray, "S S"]
    """View depth of the near surface, metres."""
    metres_per_pixel: float

    @classmethod
    def of(
        cls, scene: Scene, own: Bool[np.ndarray, "S S"], front: Float[np.ndarray, "S S"], skin: Bool[np.ndarray, "S S"]
    ) -> Reflection:
        """Find the border of what is shown well and the way inwards from it."""
        scale = scene.metres_per_pixel
        person = (scene.portrait.alpha > 0.5) & scene.portrait.valid
        slope = np.hypot(*np.gradient(front)) * scene.camera.K[0, 0] / front
        shown = person & (skin | (slope < STEEP))
        shown = ndimage.binary_opening(shown, iterations=max(round(LOCK / scale), 1))
        within, from_within = ndimage.distance_transform_edt(shown, return_indices=True)
        without, from_without = ndimage.distance_transform_edt(~shown, return_indices=True)
        inwards = np.stack(np.gradient(ndimage.gaussian_filter(within - without, NORMAL_SIGMA / scale)))
        weight = ndimage.gaussian_filter(own.astype(np.float64), BLUR / scale)[..., None]
        sigma = (BLUR / scale, BLUR / scale, 0)
        total = ndimage.gaussian_filter(scene.portrait.foreground * own[..., None].astype(np.float64), sigma)
        return cls(
            picture=total / np.maximum(weight, 1e-6),
            own=weight[..., 0] > 0.3,
            shown=shown,
            border=np.where(shown, from_within, from_without),
            inwards=inwards / np.maximum(np.linalg.norm(inwards, axis=0), 1e-6),
            front=front,
            metres_per_pixel=scale,
        )

    def colors(
        self, row: Int[np.ndarray, "N"], column: Int[np.ndarray, "N"], depth: Float[np.ndarray, "N"]
    ) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N"]]:
        """Return the colours at points over these pixels, `depth` from the camera (metres), and how far they hold."""
        at = self.border[:, row, column]
        along = self.inwards[:, at[0], at[1]]
        way = np.arange(0, DEEPEST, STEP)
        own = self.own[self._pixels(at[..., None], along[..., None], way[None])]
        first = own.argmax(1)
        ends = ~own & (np.arange(len(way)) > first[:, None])
        last = np.where(ends.any(1), ends.argmax(1), len(way))
        start, width = way[first], np.where(own.any(1) & (way[first] < LEAD), (last - first) * STEP, 0.0)
        across = np.hypot(row - at[0], column - at[1]) * self.metres_per_pixel
        distance = np.hypot(across, np.maximum(depth - self.front[at[0], at[1]], 0))
        folded = width - np.abs(distance % np.maximum(2 * width, STEP) - width)
        color = self.picture[self._pixels(at, along, start + folded)]
        reach = np.minimum(REACH, REPEATS * np.maximum(width, STEP))
        wide = np.clip((width - WIDTH[0]) / (WIDTH[1] - WIDTH[0]), 0, 1)
        return color, wide * np.exp(-((distance / reach) ** 2))

    def _pixels(
        self, at: Int[np.ndarray, "2 *#N"], along: Float[np.ndarray, "2 *#N"], distance: Float[np.ndarray, "*#N"]
    ) -> tuple[Int[np.ndarray, "*_"], Int[np.ndarray, "*_"]]:
        """Rows and columns of the pixels at a distance inwards (metres)."""
        row, column = np.round(at + along * distance / self.metres_per_pixel).astype(int)
        return np.clip(row, 0, len(self.own) - 1), np.clip(column, 0, len(self.own) - 1)
