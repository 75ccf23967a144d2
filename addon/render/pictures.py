"""The engine's pictures as the compositor takes them, from the bottom up."""

from __future__ import annotations

from typing import Annotated

import bpy
import numpy as np

from likeness.contract.errors import InputError
from likeness.contract.messages import FrameRendered

from .. import main_thread
from ..conventions import srgb_to_linear
from .camera import Region, Slices
from .marks import mark

Array = Annotated
FAR = 1e10
"""The depth where nothing is, as Blender's own depth pass has it in Cycles."""
SOLID = 0.5
"""The alpha from which an avatar has a depth for what follows the render."""
CARD = (1.0, 0.0, 1.0, 1.0)
"""What a failed frame is painted with."""
WORKING_SPACES = {
    "Linear Rec.709": np.eye(3),
    "Linear Rec.2020": np.array(
        [[0.6274039, 0.3292830, 0.0433131], [0.0690973, 0.9195404, 0.0113623], [0.0163914, 0.0880133, 0.8955953]]
    ),
    "ACEScg": np.array(
        [[0.6130974, 0.3395231, 0.0473795], [0.0701937, 0.9163539, 0.0134524], [0.0206156, 0.1095698, 0.8698146]]
    ),
}
"""From Rec.709 to the working spaces that a file may have since Blender 5.0; the compositor converts no float image."""


class Picture:
    """The two images, colour and depth, that a node group lays over a render layer.

    The colour is scene-linear and premultiplied; when `space` names a colour space it is straight and still to be
    converted from there.
    """

    def __init__(self, region: Region, space: str | None = None) -> None:
        self.space = space
        self.color = Plane("Likeness Avatars", region, "Linear Rec.709", 0.0)
        self.depth = Plane("Likeness Depth", region, "Non-Color", FAR)
        """Red: the depth of all that is seen. Green: of what is rather opaque than not."""

    def fill(self, region: Region, drawn: FrameRendered) -> None:
        """Take the engine's answer."""
        color = scene_linear(drawn.rgba) if self.space is None else straight(drawn.rgba)
        depth = np.where(drawn.depth > 0, drawn.depth, np.float32(FAR))
        solid = np.where(drawn.rgba[..., 3] >= SOLID, depth, np.float32(FAR))
        self.color.lay(region, drawn.left, drawn.top, color)
        self.depth.lay(region, drawn.left, drawn.top, np.stack([depth, solid], axis=-1))
        main_thread.call(self._show)  # once for both, for the main thread evaluates its windows after each

    def clear(self, region: Region) -> None:
        """Show nothing."""
        for plane in (self.color, self.depth):
            plane.clear(region)

    def fail(self, region: Region) -> None:
        """Show over everything that this frame must not be used."""
        self.color.paint(region, CARD)
        self.depth.paint(region, (0.0, 0.0, 0.0, 0.0))

    def _show(self) -> None:
        for plane in (self.color, self.depth):
            plane.show()


class Plane:
    """An image for numbers as they are: a rectangle of them, and nothing around it.

    Blender saves no pixels of such an image; in a file that was saved while a render ran it is empty.
    """

    def __init__(self, name: str, region: Region, space: str, nothing: float) -> None:
        self.image = bpy.data.images.new(name, *region.picture, alpha=True, float_buffer=True)
        mark(self.image)
        self.image.colorspace_settings.name = space
        self.image.generated_color = (nothing,) * 4
        self._nothing = nothing
        self._pixels = np.zeros((0, 0, 4), np.float32)
        self._filled: Slices = (slice(0), slice(0))
        self.clear(region)

    def fill(self, region: Region, left: int, top: int, part: Array[np.ndarray, "H W C"]) -> None:
        """Show a rectangle of the frame, its top row first, in the first C channels, as far as it is in the region."""
        self.lay(region, left, top, part)
        main_thread.call(self.show)

    def lay(self, region: Region, left: int, top: int, part: Array[np.ndarray, "H W C"]) -> None:
        """Take over what `fill` shows; it is seen after `show`."""
        self._empty(region)
        source, self._filled = region.overlap(left, top, (part.shape[1], part.shape[0]))
        self._pixels[self._filled][..., : part.shape[2]] = part[source][::-1]

    def show(self) -> None:
        """Put the pixels into the image; in a window only in the main thread."""
        height, width = self._pixels.shape[:2]
        if tuple(self.image.size) != (width, height):
            self.image.scale(width, height)
        self.image.pixels.foreach_set(self._pixels.reshape(-1))
        self.image.update()

    def clear(self, region: Region) -> None:
        """Show nothing."""
        self._empty(region)
        main_thread.call(self.show)

    def paint(self, region: Region, color: tuple[float, float, float, float]) -> None:
        """Show one colour all over."""
        self._empty(region)
        self._filled = slice(None), slice(None)
        self._pixels[:] = color
        main_thread.call(self.show)

    def _empty(self, region: Region) -> None:
        if self._pixels.shape[:2] != region.picture[::-1]:
            self._pixels = np.full((*region.picture[::-1], 4), self._nothing, np.float32)
        self._pixels[self._filled] = self._nothing
        self._filled = slice(0), slice(0)


def scene_linear(rgba: Array[np.ndarray, "H W 4"]) -> Array[np.ndarray, "H W 4"]:
    """Turn premultiplied sRGB into premultiplied values of the file's working space, float32."""
    flat = rgba.reshape(-1, 4)
    seen = np.flatnonzero(flat[:, 3] > 0)
    color, alpha = np.split(straight(flat[seen]), [3], axis=-1)
    color = srgb_to_linear(color) @ WORKING_SPACES[working_space()].astype(np.float32).T
    result = np.zeros_like(flat)
    result[seen] = np.concatenate([color * alpha, alpha], axis=-1)
    return result.reshape(rgba.shape)


def straight(rgba: Array[np.ndarray, "... 4"]) -> Array[np.ndarray, "... 4"]:
    """Divide colours by their alpha; those without any become black."""
    alpha = rgba[..., 3:]
    color = np.divide(rgba[..., :3], alpha, out=np.zeros_like(rgba[..., :3]), where=alpha > 0)
    return np.concatenate([np.clip(color, 0, None), alpha], axis=-1)


def working_space() -> str:
    """Return the name of the file's working space. Errors: InputError `render.working_space`."""
    colorspace = getattr(bpy.data, "colorspace", None)  # since Blender 5.0
    name = colorspace.working_space if colorspace else "Linear Rec.709"
    if name not in WORKING_SPACES:
        message = f"Avatars cannot be rendered in the working space {name}."
        raise InputError("render.working_space", message, f"Choose one of {', '.join(WORKING_SPACES)}.")
    return name
