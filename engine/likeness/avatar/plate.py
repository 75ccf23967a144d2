"""What lies behind an avatar in its own photograph."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from likeness.avatar.animate import Expression, portrait_expression
from likeness.avatar.pictures import decode_png
from likeness.contract.avatar import Avatar
from likeness.portrait.plate import make_plate
from likeness.portrait.types import Photograph


def photograph_behind(avatar: Avatar, expression: Expression) -> UInt8[np.ndarray, "H W 3"]:
    """Return the photograph itself where the face does what it does in it, else its plate.

    Errors: InputError `avatar.damaged`, `plate.no_face`.
    """
    own = portrait_expression(avatar)
    if all(np.array_equal(*pair) for pair in zip(expression, own, strict=True)):
        return decode_png(avatar.portrait_png)
    return plate_behind(avatar)


def plate_behind(avatar: Avatar) -> UInt8[np.ndarray, "H W 3"]:
    """Return the photograph without its person. Errors: InputError `avatar.damaged`, `plate.no_face`."""
    rgb = decode_png(avatar.portrait_png)
    return make_plate(Photograph(rgb, None, avatar.info.portrait_sha256), avatar.view.face_square)
