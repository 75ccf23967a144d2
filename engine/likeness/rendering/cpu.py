"""The CPU rasterizer: numba kernels strung together, and their torch autograd function."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from likeness.geometry.threads import parallel_for
from likeness.rendering.binning import TILE, Bins, bin_splats
from likeness.rendering.blending import Picture, blend, blend_backward, blend_shares
from likeness.rendering.projection import MOMENTS, SPLAT, Scene, View, project, project_backward

GAUSSIANS_PER_PIECE = 4096
TILES_PER_PIECE = 16


class Drawing(NamedTuple):
    """A picture and all that its backward pass needs."""

    scene: Scene
    view: View
    splats: np.ndarray
    bins: Bins
    picture: Picture


def draw(scene: Scene, view: View, background: np.ndarray) -> Drawing:
    """Draw Gaussians (C-contiguous float32 arrays) over a background colour (3,) float32."""
    return _blend(scene, view, _project(scene, view), background)


def draw_part(scene: Scene, view: View) -> tuple[Drawing, int, int]:
    """Draw, over black, the part of the picture that Gaussians reach; return it and its left and top in the picture.

    Its pixels have the same bits as those of the whole picture; where nothing is seen it has none.
    """
    splats = _project(scene, view)
    left, top, right, bottom = _reached(splats, view)
    splats["x"] -= np.float32(left)
    splats["y"] -= np.float32(top)
    part = view._replace(width=right - left, height=bottom - top)
    return _blend(scene, part, splats, np.zeros(3, np.float32)), left, top


def _project(scene: Scene, view: View) -> np.ndarray:
    splats = np.empty(len(scene.means), SPLAT)
    parallel_for(project, len(splats), GAUSSIANS_PER_PIECE, scene, view, splats)
    return splats


def _reached(splats: np.ndarray, view: View) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (exclusive) of whole tiles; all 0 where no splat is seen."""
    seen = splats[splats["opacity"] > 0]
    if not len(seen):
        return 0, 0, 0, 0
    edges = []
    for place, reach, side in (("x", "reach_x", view.width), ("y", "reach_y", view.height)):
        low, high = (seen[place] - seen[reach]).min(), (seen[place] + seen[reach]).max()
        edges.append((int(max(low, 0)) // TILE * TILE, min(int(min(high, side)) // TILE * TILE + TILE, side)))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _blend(scene: Scene, view: View, splats: np.ndarray, background: np.ndarray) -> Drawing:
    bins = bin_splats(splats, view)
    size, tiles = (view.height, view.width), bins.tiles_x * bins.tiles_y
    picture = Picture(np.empty((*size, 3), np.float32), np.empty(size, np.float32), np.empty(size, np.float32),
                      np.empty(tiles, np.int64))  # fmt: skip
    parallel_for(blend, tiles, TILES_PER_PIECE, splats, bins, background, picture)
    return Drawing(scene, view, splats, bins, picture)


def draw_shares(scene: Scene, view: View) -> np.ndarray:
    """Return how many pixels of the picture each Gaussian makes up (N,), float32."""
    bins = bin_splats(splats := _project(scene, view), view)
    like, shares = np.empty((view.height, view.width), np.float32), np.zeros(len(bins.splat), np.float32)
    parallel_for(blend_shares, bins.tiles_x * bins.tiles_y, TILES_PER_PIECE, splats, bins, like, shares)
    return np.bincount(bins.splat, shares, len(splats)).astype(np.float32)


def draw_backward(drawing: Drawing, rgb_grad: np.ndarray, alpha_grad: np.ndarray, count: int) -> Scene:
    """Return the gradients of the scene's first `count` Gaussians, given those of the picture (C-contiguous float32).

    The others' are zero.
    """
    scene, view, splats, bins, picture = drawing
    moments = np.zeros((len(bins.slot), MOMENTS), np.float32)
    parallel_for(
        blend_backward, len(picture.end), TILES_PER_PIECE, splats, bins, picture, rgb_grad, alpha_grad, count, moments
    )
    grads = Scene(*(np.zeros_like(array) for array in scene))
    parallel_for(project_backward, count, GAUSSIANS_PER_PIECE, scene, view, splats, bins.first_slot, moments, grads)
    return grads


class CpuRasterize(torch.autograd.Function):
    """`draw` for torch: gradients flow from rgb and alpha to the first `count` Gaussians."""

    @staticmethod
    def forward(ctx, means, covars, opacities, colors, view, background, count):  # noqa: D102
        scene = Scene(*(tensor.detach().contiguous().numpy() for tensor in (means, covars, opacities, colors)))
        ctx.count = count
        ctx.drawing = draw(scene, view, background)
        picture = ctx.drawing.picture
        rgb, alpha, depth = (torch.from_numpy(array) for array in (picture.rgb, picture.alpha, picture.depth))
        ctx.mark_non_differentiable(depth)
        ctx.save_for_backward(means, covars, opacities, colors, rgb, alpha)
        return rgb, alpha, depth

    @staticmethod
    def backward(ctx, rgb_grad, alpha_grad, _):  # noqa: D102
        _ = ctx.saved_tensors  # raises if one of them was changed in place; the drawing shares their memory
        grads = draw_backward(ctx.drawing, rgb_grad.contiguous().numpy(), alpha_grad.contiguous().numpy(), ctx.count)
        return *(torch.from_numpy(array) for array in grads), None, None, None
