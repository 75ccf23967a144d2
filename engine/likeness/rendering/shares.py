"""How much of a picture each Gaussian makes up."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from likeness.rendering.api import rasterize
from likeness.rendering.cpu import draw_shares
from likeness.rendering.projection import Scene, make_view


def shares(
    means: Float[Tensor, "N 3"],
    covars: Float[Tensor, "N 3 3"],
    opacities: Float[Tensor, "N"],
    viewmat: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    width: int,
    height: int,
) -> Float[Tensor, "N"]:
    """Return how many pixels each Gaussian makes up; the arguments are those of `rasterize`."""
    if means.is_cuda:
        return shares_by_gradient(means, covars, opacities, viewmat, K, width, height)
    white = torch.ones(len(means), 3)
    scene = Scene(*(tensor.detach().contiguous().numpy() for tensor in (means, covars, opacities, white)))
    return torch.from_numpy(draw_shares(scene, make_view(viewmat.numpy(), K.numpy(), width, height)))


def shares_by_gradient(
    means: Float[Tensor, "N 3"],
    covars: Float[Tensor, "N 3 3"],
    opacities: Float[Tensor, "N"],
    viewmat: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    width: int,
    height: int,
) -> Float[Tensor, "N"]:
    """Do what `shares` does with any `rasterize`, in three times the time.

    The derivative of a picture's sum by a colour is the weight with which that Gaussian was blended, summed up.
    """
    white = torch.ones(len(means), 3, device=means.device, requires_grad=True)
    drawn = rasterize(means, covars, opacities, white, viewmat, K, width, height)
    drawn.rgb[..., 0].sum().backward()
    return white.grad[:, 0]
