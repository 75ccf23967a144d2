"""The fused covariances against torch's own products, in value and gradient."""

from __future__ import annotations

import pytest
import torch

from likeness.rendering.covariances import scaled_covars


@pytest.mark.parametrize("count", [0, 1, 20000])
def test_agrees_with_torch(count):
    torch.manual_seed(0)
    axes, weights = torch.randn(count, 3, 3), torch.randn(count, 3, 3)
    ours, theirs = (torch.rand(count, 3, generator=torch.manual_seed(1)).requires_grad_() for _ in range(2))
    covars = scaled_covars(axes, ours)
    basis = axes * theirs[:, None]
    expected = basis @ basis.mT
    torch.testing.assert_close(covars, expected, atol=1e-5, rtol=1e-5)
    (covars * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4)
