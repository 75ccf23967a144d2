"""Drive an avatar: controls and bones in, posed Gaussians and pictures out. Prepared once, driven many times."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from likeness.avatar.pictures import to_rgba
from likeness.binding.affine import pose
from likeness.binding.relight import relight
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar, Rig
from likeness.contract.errors import UsageError
from likeness.contract.lighting import LitColors, lit_colors
from likeness.geometry.cameras import Camera
from likeness.head.model import PreparedHead, forward, prepare_rig
from likeness.rendering.api import Rendering, rasterize

COEFFICIENT_LIMIT = 10.0
AT_REST = np.zeros(3, np.float32)
AT_REST.flags.writeable = False


class Expression(NamedTuple):
    """What the face does in one frame."""

    controls: Float[np.ndarray, "E"]
    pose: Float[np.ndarray, "J 3"]
    """Rotation vectors of the joints, radians."""
    translation: Float[np.ndarray, "3"] = AT_REST
    """Of head and body together, metres."""


@dataclass(frozen=True)
class DrivenAvatar:
    """An avatar with all that does not change from frame to frame."""

    avatar: Avatar
    head: PreparedHead
    opacities: torch.Tensor
    colors: LitColors


class Posed(NamedTuple):
    """An avatar's Gaussians in one frame, float32; head space, metres, sRGB."""

    means: Float[np.ndarray, "N 3"]
    covars: Float[np.ndarray, "N 3 3"]
    colors: Float[np.ndarray, "N 3"]


def prepare_avatar(avatar: Avatar) -> DrivenAvatar:
    """Prepare an avatar for many frames."""
    gaussians = avatar.gaussians
    return DrivenAvatar(
        avatar=avatar,
        head=prepare_rig(avatar.rig),
        opacities=torch.from_numpy(gaussians.opacities),
        colors=lit_colors(avatar),
    )


def neutral(avatar: Avatar) -> Expression:
    """Return the face at rest: every control and joint at zero."""
    return Expression(np.zeros_like(avatar.view.controls), np.zeros_like(avatar.view.pose))


def portrait_expression(avatar: Avatar) -> Expression:
    """Return what the face does in the photograph."""
    return Expression(avatar.view.controls, avatar.view.pose)


def with_controls(rig: Rig, expression: Expression, values: Mapping[str, float]) -> Expression:
    """Return the expression with the named controls set. Errors: UsageError `control.unknown`, `control.range`."""
    controls = expression.controls.copy()
    for name, value in values.items():
        controls[_control_index(rig, name)] = _checked(name, value)
    return expression._replace(controls=controls)


def pose_avatar(driven: DrivenAvatar, expression: Expression) -> Posed:
    """Pose the Gaussians; skin that turns takes the light that falls on it there."""
    vertices = forward(driven.head, expression.controls, expression.pose) + expression.translation
    gaussians, faces = driven.avatar.gaussians, driven.avatar.rig.faces
    return Posed(*pose(gaussians, vertices, faces), relight(driven.colors, vertices))


def draw_avatar(driven: DrivenAvatar, camera: Camera, expression: Expression) -> Rendering[np.ndarray]:
    """Draw the avatar over black; colours sRGB 0..1."""
    means, covars, colors = (torch.from_numpy(array) for array in pose_avatar(driven, expression))
    viewmat, K = (torch.from_numpy(matrix.astype(np.float32)) for matrix in (camera.T_camera_head, camera.K))
    size = camera.width, camera.height
    with torch.no_grad():
        drawn = rasterize(means, covars, driven.opacities, colors, viewmat, K, *size, lens=camera.lens)
    return Rendering(drawn.rgb.numpy(), drawn.alpha.numpy(), drawn.depth.numpy())


def render_avatar(driven: DrivenAvatar, camera: Camera, expression: Expression) -> Float[np.ndarray, "H W 4"]:
    """Draw the avatar: premultiplied RGBA, sRGB 0..1."""
    return to_rgba(draw_avatar(driven, camera, expression))


def _control_index(rig: Rig, name: str) -> int:
    if name in rig.control_names:
        return rig.control_names.index(name)
    same = {known.lower(): known for known in rig.control_names}
    close = difflib.get_close_matches(name.lower(), list(same), n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(same[known] for known in close)}?" if close else "See `likeness info`."
    raise UsageError("control.unknown", f"This avatar has no control {name}.", advice)


def control_range(name: str) -> tuple[float, float]:
    """ARKit's shapes are defined from 0 to 1; a model's own coefficients count standard deviations."""
    return (0.0, 1.0) if name in ARKIT_NAMES else (-COEFFICIENT_LIMIT, COEFFICIENT_LIMIT)


def _checked(name: str, value: float) -> float:
    low, high = control_range(name)
    if not low <= value <= high:
        raise UsageError("control.range", f"{name}={value:g} is out of range.", f"It goes from {low:g} to {high:g}.")
    return value
