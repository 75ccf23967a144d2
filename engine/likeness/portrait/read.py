"""Reading a picture file: any mode, any orientation, any profile becomes upright 8-bit sRGB.

Error codes: picture.missing, picture.not_a_file, picture.empty, picture.unreadable, picture.truncated,
picture.too_large.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageCms, ImageOps

from likeness.contract.errors import InputError
from likeness.portrait.types import Photograph, PictureFile

MAX_PIXELS = 100_000_000
MAX_SIDE = 4096
"""Longer pictures are reduced to this side: the working crop is 512 pixels for three face widths."""

# Not every reader of Pillow's: its EPS reader, for one, would hand a stranger's file to Ghostscript.
FORMATS = (
    "AVIF", "BMP", "DDS", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "TGA",
    "TIFF", "WEBP",
)  # fmt: skip

File = BinaryIO | io.BytesIO  # spelled out, because the tests check types at run time

SAVE_ANEW = "Open it in a picture editor and save it as JPEG or PNG."


def read_photograph(picture: Path | PictureFile) -> Photograph:
    """Read a picture upright and in sRGB, reduced to at most MAX_SIDE; raises InputError with a `picture.` code."""
    if isinstance(picture, PictureFile):
        _check_size(picture.name, len(picture.data))
        return _read(io.BytesIO(picture.data), picture.name)
    _check_is_file(picture)
    try:
        with picture.open("rb") as file:
            return _read(file, picture.name)
    except PermissionError as error:
        raise InputError(
            "picture.unreadable", f"{picture.name} may not be read ({error.strerror}).", "Change its permissions."
        ) from error


def _read(file: File, name: str) -> Photograph:
    rgba = _decode(file, name)
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    alpha = rgba[..., 3]
    is_opaque = bool((alpha == 255).all())
    rgb = np.ascontiguousarray(rgba[..., :3])
    return Photograph(rgb, None if is_opaque else alpha.astype(np.float32) / 255, sha256)


def _check_is_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise InputError("picture.missing", f"There is no picture at {path}.", "Check the path.") from error
    if not path.is_file():
        raise InputError("picture.not_a_file", f"{path} is a folder or a device.", "Give the path of one picture file.")
    _check_size(path.name, size)


def _check_size(name: str, size: int) -> None:
    if size == 0:
        raise InputError("picture.empty", f"{name} is empty (0 bytes).", "Copy or export the picture again.")


def _decode(file: File, name: str) -> UInt8[np.ndarray, "H W 4"]:
    """Decode to straight RGBA; whatever a decoder raises on a damaged file becomes an InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode_checked(file, name)
    except (InputError, PermissionError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name, "more than 178 million pixels") from error
    except Image.UnidentifiedImageError as error:
        raise InputError("picture.unreadable", f"{name} is not a picture that can be read here.", SAVE_ANEW) from error
    # Damaged files make Pillow's readers raise nearly anything (struct.error, KeyError, TypeError, zlib.error).
    except Exception as error:
        if "truncat" in str(error).lower() or isinstance(error, EOFError):
            raise InputError(
                "picture.truncated", f"{name} ends before the picture does.", "Copy or download the picture again."
            ) from error
        raise InputError("picture.unreadable", f"{name} is damaged and cannot be read.", SAVE_ANEW) from error


def _too_large(name: str, size: str) -> InputError:
    return InputError(
        "picture.too_large",
        f"{name} has {size}, and at most {MAX_PIXELS // 1_000_000} million can be read.",
        f"Reduce it; {MAX_SIDE} pixels on the longer side are plenty.",
    )


def _decode_checked(file: File, name: str) -> UInt8[np.ndarray, "H W 4"]:
    Image.init()
    image = Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name, f"{image.width} x {image.height} pixels")
    image.draft(None, (MAX_SIDE, MAX_SIDE))  # JPEG alone: decodes at 1/2, 1/4 or 1/8, still at least this large
    image.load()
    orientation = image.getexif().get(0x0112, 1)
    image = _to_srgb(image)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(_upright(image, orientation).convert("RGBA"))


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Apply EXIF's orientation, which the conversions before may have dropped from the image's own metadata."""
    image.getexif()[0x0112] = orientation if orientation in range(1, 9) else 1
    return ImageOps.exif_transpose(image)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to RGB or RGBA in sRGB, 8 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_grey_to_8bit(np.array(image, np.float32))).convert("RGB")
    if image.mode == "LAB":
        return _convert_profile(image, ImageCms.createProfile("LAB"), "RGB")
    profile = _embedded_profile(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa", "RGBX") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode in ("1", "HSV", "YCbCr"):
        image = image.convert("RGB")
    if profile is None:
        return image if image.mode == "RGBA" else image.convert("RGB")
    return _convert_profile(image, profile, "RGBA" if image.mode == "RGBA" else "RGB")


def _grey_to_8bit(values: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    """Scale one channel, in place, by the nearest convention: 0..1, 0..255, 0..65535 or its maximum."""
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0).clip(0, out=values)
    largest = float(values.max(initial=0.0))
    white = next((limit for limit in (1.0, 255.0, 65535.0) if largest <= limit), largest)
    values *= 255.0 / white
    return np.round(values, out=values).astype(np.uint8)


def _embedded_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Open the embedded ICC profile; None without one, or where it is damaged or of another colour space."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    except (OSError, ImageCms.PyCMSError):
        return None
    spaces = {"GRAY": ("L",), "RGB": ("RGB", "RGBA", "P"), "CMYK": ("CMYK",)}
    return profile if image.mode in spaces.get(profile.profile.xcolor_space.strip(), ()) else None


def _convert_profile(image: Image.Image, profile: object, mode: str) -> Image.Image:
    """Transform colours to sRGB; where the profile cannot be used, the values are taken as sRGB."""
    try:
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), image.mode, mode)
        return ImageCms.applyTransform(image, transform)
    except ImageCms.PyCMSError:
        return image.convert(mode)
