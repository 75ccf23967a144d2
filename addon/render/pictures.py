"""The engine's pictures as the compositor takes them: scene-linear, premultiplied, from the bottom up."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import bpy
import numpy as np

from likeness.contract.errors import InputError

from .. import main_thread
from ..conventions import srgb_to_linear
from .camera import Region

Array = Annotated
FAR = 1e10
"""The depth where nothing is, as Blender's own depth pass has it in Cycles."""
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
    """The two images, colour and depth, that a node group lays over a render layer."""

    def __init__(self, region: Region) -> None:
        self.color = float_image("Likeness Avatars", region.picture, "Linear Rec.709")
        self.depth = float_image("Likeness Depth", region.picture, "Non-Color")
        self.clear(region)

    def fill(self, region: Region, rgba: Array[np.ndarray, "H W 4"], depth: Array[np.ndarray, "H W"]) -> None:
        """Take the engine's picture of the whole frame: premultiplied sRGB, top row first, depth 0 where nothing is."""
        rgba, depth = rgba[region.rows, region.columns], depth[region.rows, region.columns]
        far = np.where(depth > 0, depth, FAR)[..., None]
        self._set(in_picture(region, scene_linear(rgba), 0.0), in_picture(region, far, FAR))

    def clear(self, region: Region) -> None:
        """Show nothing."""
        nothing = np.zeros((*region.picture[::-1], 4), np.float32)
        self._set(nothing, np.full_like(nothing, FAR))

    def fail(self, region: Region) -> None:
        """Show over everything that this frame must not be used."""
        card = np.empty((*region.picture[::-1], 4), np.float32)
        card[:] = CARD
        self._set(card, np.zeros_like(card))

    def remove(self) -> None:
        """Take the images out of the file."""
        for image in (self.color, self.depth):
            bpy.data.images.remove(image)

    def _set(self, color: Array[np.ndarray, "H W 4"], depth: Array[np.ndarray, "H W 4"]) -> None:
        show(self.color, color)
        show(self.depth, depth)


def scene_linear(rgba: Array[np.ndarray, "H W 4"]) -> Array[np.ndarray, "H W 4"]:
    """Turn premultiplied sRGB into premultiplied values of the file's working space, float32."""
    seen = rgba[..., 3] > 0
    alpha = rgba[seen][:, 3:]
    straight = srgb_to_linear(np.clip(rgba[seen][:, :3] / alpha, 0, None)).astype(np.float32)
    result = np.zeros_like(rgba, np.float32)
    result[seen] = np.concatenate([straight @ _from_rec709().astype(np.float32).T * alpha, alpha], axis=1)
    return result


def _from_rec709() -> Array[np.ndarray, "3 3"]:
    """Errors: InputError `render.working_space`."""
    colorspace = getattr(bpy.data, "colorspace", None)  # since Blender 5.0
    name = colorspace.working_space if colorspace else "Linear Rec.709"
    if name not in WORKING_SPACES:
        message = f"Avatars cannot be rendered in the working space {name}."
        raise InputError("render.working_space", message, f"Choose one of {', '.join(WORKING_SPACES)}.")
    return WORKING_SPACES[name]


def float_image(name: str, size: tuple[int, int], space: str) -> bpy.types.Image:
    """Make an image for numbers as they are; `size` is width and height."""
    image = bpy.data.images.new(name, *size, alpha=True, float_buffer=True)
    image.colorspace_settings.name = space
    return image


def in_picture(region: Region, part: Array[np.ndarray, "H W C"], empty: float) -> Array[np.ndarray, "H W 4"]:
    """Lay the region's pixels, top row first, into its picture, from the bottom up; one channel becomes four."""
    picture = np.full((*region.picture[::-1], 4), empty, np.float32)
    (x, y), (width, height) = region.offset, region.size
    picture[y : y + height, x : x + width] = part[::-1]
    return picture


def show(image: bpy.types.Image, pixels: Array[np.ndarray, "H W 4"]) -> None:
    """Give an image these pixels, from the bottom up, and their size."""
    main_thread.call(partial(_show, image, pixels))


def _show(image: bpy.types.Image, pixels: Array[np.ndarray, "H W 4"]) -> None:
    if tuple(image.size) != (pixels.shape[1], pixels.shape[0]):
        image.scale(pixels.shape[1], pixels.shape[0])
    image.pixels.foreach_set(pixels.ravel())
    image.update()
