"""The readable twin of the rasterizer: every Gaussian at every pixel, in plain torch. Small pictures only."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from likeness.geometry.cameras import PINHOLE, Lens

LOW_PASS, MIN_ALPHA, MAX_ALPHA, MIN_TRANSMITTANCE = 0.3, 1 / 255, 0.99, 1e-4


def rasterize_reference(
    means: Float[Tensor, "N 3"],
    covars: Float[Tensor, "N 3 3"],
    opacities: Float[Tensor, "N"],
    colors: Float[Tensor, "N 3"],
    viewmat: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    width: int,
    height: int,
    background: Float[Tensor, "3"],
    lens: Lens = PINHOLE,
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W"], Float[Tensor, "H W"]]:
    """Return rgb, alpha and mean depth as `rasterize` does; differentiable, float32 or float64."""
    in_camera = means @ viewmat[:3, :3].T + viewmat[:3, 3]
    order = torch.argsort(in_camera[:, 2].detach(), stable=True)
    order = order[(in_camera[order, 2] > lens.near) & (in_camera[order, 2] <= lens.far)]
    in_camera, covars, opacities, colors = in_camera[order], covars[order], opacities[order], colors[order]
    project = _project_orthographic if lens.orthographic else _project
    pixels, covars2d = project(in_camera, covars, viewmat[:3, :3], K, width, height)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    offset = torch.stack([x, y], -1).to(means).reshape(1, -1, 2) - pixels[:, None]
    exponent = -0.5 * torch.einsum("npi,nij,npj->np", offset, torch.linalg.inv(covars2d), offset)
    alpha = (opacities[:, None] * exponent.exp()).clamp(max=MAX_ALPHA)
    alpha = torch.where(alpha >= MIN_ALPHA, alpha, 0)
    alpha = torch.where(torch.cumprod(1 - alpha, 0) >= MIN_TRANSMITTANCE, alpha, 0)
    through = (
        torch.cumprod(torch.cat([torch.ones_like(alpha[:1]), 1 - alpha]), 0)
        if len(alpha)
        else alpha.new_ones(1, height * width)
    )
    weight = through[:-1] * alpha
    rgb = weight.T @ colors + through[-1, :, None] * background
    depth = weight.T @ in_camera[:, 2] / (1 - through[-1]).clamp(min=1e-10)
    return rgb.view(height, width, 3), (1 - through[-1]).view(height, width), depth.view(height, width)


def _project(
    in_camera: Float[Tensor, "N 3"],
    covars: Float[Tensor, "N 3 3"],
    rotation: Float[Tensor, "3 3"],
    K: Float[Tensor, "3 3"],
    width: int,
    height: int,
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N 2 2"]]:
    """EWA projection (Zwicker et al. 2001), the Jacobian clamped at 15 % of the picture beside it, as in gsplat."""
    focal, center = torch.stack([K[0, 0], K[1, 1]]), K[:2, 2]
    size = torch.tensor([width, height]).to(in_camera)
    ray = in_camera[:, :2] / in_camera[:, 2:]
    clamped = ray.clamp(-center / focal - 0.15 * size / focal, (size - center) / focal + 0.15 * size / focal)
    to_plane = torch.cat([torch.eye(2).to(ray).expand(len(ray), 2, 2), -clamped[..., None]], -1)
    jacobian = (focal[:, None] / in_camera[:, 2:, None]) * to_plane @ rotation
    covars2d = jacobian @ covars @ jacobian.mT + LOW_PASS * torch.eye(2).to(ray)
    return ray * focal + center, covars2d


def _project_orthographic(
    in_camera: Float[Tensor, "N 3"],
    covars: Float[Tensor, "N 3 3"],
    rotation: Float[Tensor, "3 3"],
    K: Float[Tensor, "3 3"],
    width: int,
    height: int,
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N 2 2"]]:
    """Parallel projection, which is linear; the size does not matter."""
    jacobian = torch.stack([K[0, 0] * rotation[0], K[1, 1] * rotation[1]]).to(in_camera)
    covars2d = jacobian @ covars @ jacobian.mT + LOW_PASS * torch.eye(2).to(in_camera)
    return in_camera[:, :2] * torch.stack([K[0, 0], K[1, 1]]) + K[:2, 2], covars2d
