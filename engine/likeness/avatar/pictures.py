"""Pictures between renders and files: PNG bytes, backgrounds, straight and premultiplied alpha, linear light."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

from likeness.contract.avatar import PortraitView
from likeness.contract.errors import InputError
from likeness.geometry.cameras import Camera
from likeness.portrait.read import read_photograph
from likeness.rendering.api import Rendering

SRGB_KNEE = 0.04045
"""Up to here sRGB is a straight line (IEC 61966-2-1)."""


def encode_png(picture: UInt8[np.ndarray, "H W C"]) -> bytes:
    """Return an RGB or RGBA picture as a PNG; the same pixels give the same bytes."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def decode_png(data: bytes) -> UInt8[np.ndarray, "H W C"]:
    """Return the pixels of a PNG from an avatar. Errors: InputError `avatar.damaged`."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            picture.load()
            return np.asarray(picture)
    # Damaged files make Pillow's reader raise nearly anything (struct.error, SyntaxError, zlib.error).
    except Exception as error:
        raise InputError(
            "avatar.damaged", "The avatar's portrait cannot be read.", "Create the avatar again."
        ) from error


def to_rgba(drawn: Rendering[np.ndarray]) -> Float[np.ndarray, "H W 4"]:
    """Return what was drawn over black as premultiplied RGBA."""
    return np.concatenate([drawn.rgb, drawn.alpha[..., None]], -1)


def to_straight_uint8(rgba: Float[np.ndarray, "H W 4"]) -> UInt8[np.ndarray, "H W 4"]:
    """Turn premultiplied RGBA in 0..1 into 8 bits with straight alpha, as PNG wants it."""
    return _to_uint8(np.concatenate([_straight(rgba), rgba[..., 3:]], -1))


def to_linear(rgba: Float[np.ndarray, "H W 4"]) -> Float[np.ndarray, "H W 4"]:
    """Turn premultiplied sRGB (0..1) into premultiplied linear light, Rec.709's primaries.

    The straight colours are decoded (IEC 61966-2-1), for those are what the photograph's pixels were.
    """
    straight = _straight(rgba)
    decoded = ((np.maximum(straight, SRGB_KNEE) + 0.055) / 1.055) ** 2.4
    np.divide(straight, 12.92, out=decoded, where=straight <= SRGB_KNEE)
    return np.concatenate([decoded * rgba[..., 3:], rgba[..., 3:]], -1)


def over(rgba: Float[np.ndarray, "H W 4"], background: Float[np.ndarray, "#H #W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Lay premultiplied RGBA over an opaque background; both sRGB 0..1."""
    return _to_uint8(laid_over(rgba, background)[..., :3])


def laid_over(rgba: Float[np.ndarray, "H W 4"], background: Float[np.ndarray, "#H #W 3"]) -> Float[np.ndarray, "H W 4"]:
    """Lay premultiplied RGBA over an opaque background; both sRGB 0..1. Alpha is then 1 everywhere."""
    rgb = rgba[..., :3] + (1 - rgba[..., 3:]) * background
    return np.concatenate([rgb, np.ones_like(rgb[..., :1])], -1)


def plain_background(color: tuple[int, int, int]) -> Float[np.ndarray, "1 1 3"]:
    """Return one colour (0..255) as a background."""
    return np.array(color, np.float32).reshape(1, 1, 3) / 255


def picture_background(path: Path, width: int, height: int) -> Float[np.ndarray, "H W 3"]:
    """Read a picture file and let it cover width x height. Errors: InputError `picture.*`."""
    picture = Image.fromarray(read_photograph(path).rgb)
    return np.asarray(ImageOps.fit(picture, (width, height)), np.float32) / 255


def portrait_background(
    view: PortraitView, photograph: UInt8[np.ndarray, "h w 3"], camera: Camera
) -> Float[np.ndarray, "H W 3"]:
    """Return the photograph, or its plate, as `camera` frames it: one that differs from the view's in its K alone.

    Beyond the photograph's borders the border's colour is repeated.
    """
    to_portrait = view.K.astype(np.float64) @ np.linalg.inv(camera.K)
    scale = to_portrait[0, 0]
    border = int(np.ceil(max(camera.width, camera.height) * scale))
    padded = Image.fromarray(np.pad(photograph, ((border, border), (border, border), (0, 0)), mode="edge"))
    left, top = to_portrait[:2, 2] + border
    box = (left, top, left + camera.width * scale, top + camera.height * scale)
    resized = padded.resize((camera.width, camera.height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized, np.float32) / 255


def _straight(rgba: Float[np.ndarray, "H W 4"]) -> Float[np.ndarray, "H W 3"]:
    """Divide by alpha; 0 where there is none."""
    return np.divide(rgba[..., :3], rgba[..., 3:], out=np.zeros_like(rgba[..., :3]), where=rgba[..., 3:] > 0)


def _to_uint8(values: Float[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W C"]:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
