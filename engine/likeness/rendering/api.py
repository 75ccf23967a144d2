"""One `rasterize` for every caller; which backend runs follows from where the tensors live.

Published rules (Kerbl et al. 2023; gsplat): +0.3 px low-pass on the 2-D covariance, alpha capped at 0.99, skipped under
1/255, a pixel is finished when its transmittance falls under 1e-4, exact global order by view depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from likeness.geometry.cameras import PINHOLE, Camera, Lens
from likeness.rendering.cpu import CpuRasterize, Drawing, draw, draw_part
from likeness.rendering.projection import Scene, View, make_view

ArrayT = TypeVar("ArrayT", np.ndarray, Tensor)


@dataclass(frozen=True)
class Rendering(Generic[ArrayT]):
    """A picture of Gaussians, float32."""

    rgb: ArrayT
    """(H,W,3), over the background; premultiplied by alpha where there was none."""
    alpha: ArrayT
    """(H,W)."""
    depth: ArrayT
    """(H,W), the alpha-weighted mean depth along the view axis, metres; 0 where nothing is seen. Not differentiable."""


def rasterize(
    means: Float[Tensor, "N 3"],
    covars: Float[Tensor, "N 3 3"],
    opacities: Float[Tensor, "N"],
    colors: Float[Tensor, "N 3"],
    viewmat: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    width: int,
    height: int,
    background: Float[Tensor, "3"] | None = None,
    lens: Lens = PINHOLE,
    learnt: int | None = None,
) -> Rendering[Tensor]:
    """Draw Gaussians in head space (metres, float32, sRGB); rgb and alpha carry gradients back to the first four.

    viewmat is T_camera_head, OpenCV; K has no skew. The gradient of `covars` is symmetric. Gaussians with NaN or with a
    mean that the lens does not reach are left out. Without a background rgb is over black. gsplat draws CUDA tensors.
    Where only the first so many Gaussians are `learnt`, the others' gradients, which mean nothing then, cost no time.
    Errors: MachineError `gsplat.missing`, InputError `gaussians.too_large`.
    """
    background = torch.zeros(3) if background is None else background
    if means.is_cuda:
        from likeness.rendering.cuda import rasterize_cuda  # gsplat is optional and slow to import

        return Rendering(
            *rasterize_cuda(means, covars, opacities, colors, viewmat, K, width, height, background.to(means), lens)
        )
    view = make_view(viewmat.detach().numpy(), K.detach().numpy(), width, height, lens)
    over, count = background.detach().float().numpy(), len(means) if learnt is None else learnt
    return Rendering(*CpuRasterize.apply(means, covars, opacities, colors, view, over, count))


def render(
    camera: Camera,
    means: Float[np.ndarray, "N 3"],
    covars: Float[np.ndarray, "N 3 3"],
    opacities: Float[np.ndarray, "N"],
    colors: Float[np.ndarray, "N 3"],
    *,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Rendering[np.ndarray]:
    """Draw Gaussians on the CPU without gradients; otherwise as `rasterize`."""
    scene, view = _scene(means, covars, opacities, colors), _view(camera)
    return _rendering(draw(scene, view, np.array(background, np.float32)))


def render_part(
    camera: Camera,
    means: Float[np.ndarray, "N 3"],
    covars: Float[np.ndarray, "N 3 3"],
    opacities: Float[np.ndarray, "N"],
    colors: Float[np.ndarray, "N 3"],
) -> tuple[Rendering[np.ndarray], int, int]:
    """Draw as `render` does, over black, but only the rectangle in which something can be seen, which may be empty.

    Returns it with its left and top, pixels of the camera's picture. Errors: as `rasterize`.
    """
    drawing, left, top = draw_part(_scene(means, covars, opacities, colors), _view(camera))
    return _rendering(drawing), left, top


def _scene(*arrays: np.ndarray) -> Scene:
    return Scene(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def _view(camera: Camera) -> View:
    return make_view(camera.T_camera_head, camera.K, camera.width, camera.height, camera.lens)


def _rendering(drawing: Drawing) -> Rendering[np.ndarray]:
    return Rendering(drawing.picture.rgb, drawing.picture.alpha, drawing.picture.depth)
