"""Lay a drawn face on a picture's, whatever the light: its points move until both look alike.

Brightness is compared as logarithms less their local mean, over their local deviation, so that gains and what changes
slowly over a face drop out. The drawing is a texture on the head's mesh, whose points are brought where the picture
agrees with it (Lucas and Kanade 1981, by the mean of both pictures' slopes: Malis 2004), coarse to fine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from likeness.head.assets import REGION_NAMES
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.parameters import FitState, LinearPoints, project, project_with_jacobian
from likeness.tracking.sequence import KnownHead

BLACK_LEVEL = 12.0
"""Added to 8-bit brightness before its logarithm: what is darker is noise."""
NOTHING = 4
"""8-bit: darker pixels show nothing, as pictures lie over black."""
NEIGHBOURHOOD = 0.12
"""Deviation of the window within which light counts as even, face sizes."""
FLAT = 0.06
"""Deviation of log brightness that is noise: plain skin must not be blown up to a pattern."""
BLURS = (0.04, 0.02, 0.01)
"""Face sizes; coarse to fine."""
STRIDE = 3
"""Pixels between the points that are compared."""
NOISE, EVIDENCE = 0.5, 800.0
"""Of a point, in local deviations: a larger difference counts linearly. All points together weigh as much as so many:
neighbours err together."""


@dataclass(frozen=True)
class AppearanceTerm:
    """Points of a drawn face against a picture, both without their light."""

    points: LinearPoints
    drawn: Float[np.ndarray, "N"]
    drawn_slope: Float[np.ndarray, "N 2"]
    picture: Float[np.ndarray, "S S"]
    slope: Float[np.ndarray, "S S 2"]
    weights: Float[np.ndarray, "N"]

    def residuals(self, state: FitState) -> Float[np.ndarray, "N"]:
        """Return the differences where the points are."""
        return (sample(self.picture, project(self.points, state)) - self.drawn) * self.weights

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N P"]]:
        """Return the differences and their derivative."""
        pixels, jacobian = project_with_jacobian(self.points, state)
        slope = 0.5 * (sample(self.slope, pixels) + self.drawn_slope) * self.weights[:, None]
        residual = (sample(self.picture, pixels) - self.drawn) * self.weights
        return residual, np.einsum("na,nap->np", slope, jacobian)


class FacePicture:
    """A picture of a face, prepared for many drawings of it."""

    def __init__(
        self,
        head: KnownHead,
        rgb: UInt8[np.ndarray, "S S 3"],
        counts: Bool[np.ndarray, "S S"],
        size: float,
    ) -> None:
        """`counts` marks the pixels that are compared; `size` is the face's, pixels (`face_size`)."""
        self._faces = head.assets.faces
        self._face = head.assets.face_region == REGION_NAMES.index("face")
        self._vertices = LinearPoints(np.asarray(head.v_neutral, np.float64), np.asarray(head.shapes, np.float64))
        self._size, self._counts = size, counts & (rgb.max(-1) > NOTHING)
        self._levels = self._blurred(rgb)
        self._slopes = [slopes(level) for level in self._levels]

    def terms(self, drawn: UInt8[np.ndarray, "S S 3"], state: FitState) -> list[Callable[[FitState], AppearanceTerm]]:
        """Return for each blur, coarse to fine, the term near a state; `drawn` shows the head as in `state`."""
        raster = rasterize_mesh(state.camera(len(drawn)), self._vertices.positions(state), self._faces)
        compared = np.zeros(raster.covered.shape, bool)
        compared[::STRIDE, ::STRIDE] = True
        compared &= raster.covered & self._counts & (drawn.max(-1) > NOTHING)
        compared[compared] = self._face[raster.triangle[compared]]
        points = self._vertices.at(self._faces[raster.triangle[compared]], raster.bary[compared].astype(np.float64))
        return [
            self._term(points, level, texture[compared], slopes(texture)[compared])
            for level, texture in enumerate(self._blurred(drawn))
        ]

    def _term(
        self, points: LinearPoints, level: int, drawn: np.ndarray, drawn_slope: np.ndarray
    ) -> Callable[[FitState], AppearanceTerm]:
        picture, share = self._levels[level], EVIDENCE / max(len(drawn), 1)

        def near(state: FitState) -> AppearanceTerm:
            far = np.abs(sample(picture, project(points, state)) - drawn)
            weights = np.sqrt(share * np.minimum(1.0, NOISE / np.maximum(far, 1e-6))) / NOISE
            return AppearanceTerm(points, drawn, drawn_slope, picture, self._slopes[level], weights)

        return near

    def _blurred(self, rgb: np.ndarray) -> list[Float[np.ndarray, "S S"]]:
        even = unlit(rgb, NEIGHBOURHOOD * self._size)
        return [cv2.GaussianBlur(even, (0, 0), blur * self._size) for blur in BLURS]


def unlit(rgb: UInt8[np.ndarray, "H W 3"], window: float) -> Float[np.ndarray, "H W"]:
    """Return log brightness less its local mean, over its local deviation; `window` is in pixels, black is left out."""
    there = (rgb.max(-1) > NOTHING).astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(there, (0, 0), window), 1e-3)
    bright = np.log(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) + BLACK_LEVEL)
    away = (bright - cv2.GaussianBlur(bright * there, (0, 0), window) / share) * there
    return away / np.sqrt(cv2.GaussianBlur(away**2, (0, 0), window) / share + FLAT**2)


def slopes(picture: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 2"]:
    """Return the derivatives by x and y, per pixel (Sobel)."""
    return np.stack([cv2.Sobel(picture, cv2.CV_32F, *along, scale=1 / 8) for along in ((1, 0), (0, 1))], -1)


def sample(picture: Float[np.ndarray, "H W *C"], pixels: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N *C"]:
    """Return the picture between its pixel centres, bilinearly."""
    x, y = (pixels.astype(np.float32) - 0.5).T[:, :, None]
    found = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(len(pixels), *picture.shape[2:]).astype(np.float64)
