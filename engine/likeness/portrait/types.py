"""What the portrait stage hands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8


@dataclass(frozen=True)
class PictureFile:
    """A picture file that came over a line instead of lying on a disk."""

    name: str
    """For messages."""
    data: bytes


@dataclass(frozen=True)
class Photograph:
    """A picture as read from a file: upright, 8-bit sRGB, with the file's own alpha if it had a real one."""

    rgb: UInt8[np.ndarray, "H W 3"]
    alpha: Float[np.ndarray, "H W"] | None
    sha256: str
    """Of the file's bytes."""


@dataclass(frozen=True)
class DetectedFace:
    """One face in a photograph; pixels of the photograph, centres at half-integers."""

    landmarks: Float[np.ndarray, "478 2"]
    """MediaPipe's 478 landmarks (468 to 477 are the irises)."""
    yaw: float = 0.0
    """Degrees, positive when the face looks towards the picture's right; an estimate, low beyond 60."""
    spread: float = 0.0
    """Standard deviation of the landmarks between crops over the face's size: high where they are guessed."""

    @property
    def width(self) -> float:
        """The landmarks' horizontal extent, pixels."""
        return float(np.ptp(self.landmarks[:, 0]))

    @property
    def square(self) -> tuple[float, float, float]:
        """The face square: left, top, side of the square three face widths wide around the landmarks' centre."""
        center = (self.landmarks.min(0) + self.landmarks.max(0)) / 2
        side = 3.0 * self.width
        return float(center[0] - side / 2), float(center[1] - side / 2), side


@dataclass(frozen=True)
class Portrait:
    """The face square of a photograph at working size, with its matte. S is the side in pixels (512 as a rule)."""

    photograph: Photograph
    square: tuple[int, int, int]
    """Left, top, side in the photograph's pixels; it may reach beyond the picture."""
    rgb: Float[np.ndarray, "S S 3"]
    """sRGB 0..1, float32; beyond the picture's border the border's colour is repeated."""
    valid: Bool[np.ndarray, "S S"]
    """Inside the photograph."""
    alpha: Float[np.ndarray, "S S"]
    """The matte of the person: head, hair, hat, glasses, shoulders; 0 outside the photograph."""
    foreground: Float[np.ndarray, "S S 3"]
    """The person's own colours, without the background mixed in; defined everywhere near the matte."""
    landmarks: Float[np.ndarray, "478 2"]
    """In pixels of the square."""
