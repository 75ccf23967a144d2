"""OpenEXR pictures for compositing: colour and alpha as half floats, depth as floats, and the camera that saw them."""

from __future__ import annotations

import io
from importlib.metadata import version
from typing import Literal

import numpy as np
import OpenEXR
from jaxtyping import Float

from likeness.avatar.pictures import laid_over, to_linear, to_rgba
from likeness.geometry.cameras import Camera
from likeness.rendering.api import Rendering

Encoding = Literal["linear", "srgb"]

EMPTY_DEPTH = 1e10
"""Metres; what Blender's renderers write where nothing is seen."""
REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""x and y of red, green, blue and white. sRGB has the same."""
COLOR_SPACES: dict[Encoding, str] = {"linear": "lin_rec709_scene", "srgb": "srgb_rec709_scene"}
"""The Color Interop Forum's names, which OpenEXR 3.4 and newer know."""


def encode_exr(
    drawn: Rendering[np.ndarray],
    camera: Camera,
    encoding: Encoding = "linear",
    background: Float[np.ndarray, "#H #W 3"] | None = None,
) -> bytes:
    """Return a picture drawn over black as an OpenEXR file: R, G, B, A premultiplied, and Z.

    `background` is sRGB and opaque, laid under the head before linear light is computed; Z is the head's all the same.
    The same picture gives the same bytes.
    """
    rgba = to_rgba(drawn) if background is None else laid_over(to_rgba(drawn), background)
    rgba = to_linear(rgba) if encoding == "linear" else rgba
    depth = np.where(drawn.alpha > 0, drawn.depth, np.float32(EMPTY_DEPTH))
    # Half floats keep eleven bits of a colour, but end at 65504. OpenEXR reads memory as it lies, whatever the strides.
    channels = {"RGBA": np.ascontiguousarray(rgba, np.float16), "Z": np.ascontiguousarray(depth, np.float32)}
    stream = io.BytesIO()
    OpenEXR.File(_header(camera, encoding), channels).write(stream)
    return stream.getvalue()


def _header(camera: Camera, encoding: Encoding) -> dict[str, object]:
    return {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.ZIP_COMPRESSION,
        "chromaticities": REC_709,
        "colorInteropID": COLOR_SPACES[encoding],
        "software": f"Likeness {version('likeness')}",
        "likeness.K": np.ascontiguousarray(camera.K, np.float32),
        "likeness.T_camera_head": np.ascontiguousarray(camera.T_camera_head, np.float32),
    }
