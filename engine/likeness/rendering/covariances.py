"""Covariances from fixed axes and scales, for refinement: torch's batched 3x3 products take ten times as long."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor

from likeness.geometry.threads import parallel_for

GAUSSIANS_PER_PIECE = 8192


def scaled_covars(axes: Float[Tensor, "N 3 3"], scales: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3 3"]:
    """Return A diag(s)^2 A^T, float32; gradients flow to the scales. The axes (columns, any length) are constants."""
    if axes.is_cuda:
        basis = axes * scales[:, None]
        return basis @ basis.mT
    return _ScaledCovars.apply(axes, scales)


class _ScaledCovars(torch.autograd.Function):
    """`scaled_covars` on the CPU."""

    @staticmethod
    def forward(ctx, axes, scales):
        ctx.save_for_backward(axes, scales)
        covars = np.empty((len(axes), 3, 3), np.float32)
        parallel_for(_forward, len(axes), GAUSSIANS_PER_PIECE, *_numpy(axes, scales), covars)
        return torch.from_numpy(covars)

    @staticmethod
    def backward(ctx, covars_grad):
        axes, scales, covars_grad = _numpy(*ctx.saved_tensors, covars_grad)
        scales_grad = np.empty_like(scales)
        parallel_for(_backward, len(axes), GAUSSIANS_PER_PIECE, axes, scales, covars_grad, scales_grad)
        return None, torch.from_numpy(scales_grad)


def _numpy(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(begin, end, axes, scales, covars):
    """Fill covars[begin:end]."""
    for i in range(begin, end):
        xx, yy, zz = scales[i, 0] * scales[i, 0], scales[i, 1] * scales[i, 1], scales[i, 2] * scales[i, 2]
        for a in range(3):
            for b in range(3):
                covars[i, a, b] = (
                    axes[i, a, 0] * axes[i, b, 0] * xx
                    + axes[i, a, 1] * axes[i, b, 1] * yy
                    + axes[i, a, 2] * axes[i, b, 2] * zz
                )


@njit(cache=True, nogil=True, error_model="numpy")
def _backward(begin, end, axes, scales, covars_grad, scales_grad):
    """Fill scales_grad[begin:end]: dL/ds_k = 2 s_k a_k^T G a_k."""
    for i in range(begin, end):
        for k in range(3):
            total = np.float32(0.0)
            for a in range(3):
                for b in range(3):
                    total += axes[i, a, k] * covars_grad[i, a, b] * axes[i, b, k]
            scales_grad[i, k] = 2 * scales[i, k] * total
