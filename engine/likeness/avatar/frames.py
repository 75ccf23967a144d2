"""Frames of scenes with several avatars, whose vertices another program has computed.

World space here is any metric space the vertices are taken to; its units are those of the camera and of the depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from likeness.avatar.animate import Posed
from likeness.binding.affine import pose, transform
from likeness.binding.relight import relight
from likeness.contract.avatar import BoundGaussians
from likeness.contract.lighting import LitColors
from likeness.geometry.cameras import Camera
from likeness.rendering.api import Rendering, render, render_part


@dataclass(frozen=True)
class Body:
    """An avatar in one frame."""

    gaussians: BoundGaussians
    """`triangle` counts the rows of `triangles`."""
    colors: LitColors
    """Take the place of the Gaussians' own; the light is in the avatar's own space."""
    triangles: Int[np.ndarray, "F 3"]
    vertices: Float[np.ndarray, "V 3"]
    """In the avatar's own space."""
    T_world_body: Float[np.ndarray, "4 4"]
    """Any affine map: turned, scaled unevenly and mirrored objects too."""


def render_bodies(bodies: Sequence[Body], camera: Camera) -> Rendering[np.ndarray]:
    """Draw all bodies into one picture over black; their Gaussians hide each other one by one.

    Errors: InputError `gaussians.too_large`.
    """
    return render(camera, *_in_world(bodies))


def render_bodies_part(bodies: Sequence[Body], camera: Camera) -> tuple[Rendering[np.ndarray], int, int]:
    """Draw as `render_bodies` does, but only the rectangle in which something can be seen; return its left and top."""
    return render_part(camera, *_in_world(bodies))


def _in_world(bodies: Sequence[Body]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the means, covariances, opacities and colours of all bodies."""
    posed = [_pose_in_world(body) for body in bodies]
    means = np.concatenate([np.zeros((0, 3), np.float32), *(each.means for each in posed)])
    covars = np.concatenate([np.zeros((0, 3, 3), np.float32), *(each.covars for each in posed)])
    opacities = np.concatenate([np.zeros(0, np.float32), *(body.gaussians.opacities for body in bodies)])
    colors = np.concatenate([np.zeros((0, 3), np.float32), *(each.colors for each in posed)])
    return means, covars, opacities, colors


def _pose_in_world(body: Body) -> Posed:
    means, covars = pose(body.gaussians, body.vertices, body.triangles)
    transform(means, covars, body.T_world_body)
    return Posed(means, covars, relight(body.colors, body.vertices))
