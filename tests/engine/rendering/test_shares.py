"""How much each Gaussian makes up: the kernel against the derivative that defines it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness.geometry.cameras import look_at_face
from likeness.rendering.shares import shares, shares_by_gradient


def scene(seed: int, opacity: tuple[float, float]):
    """Draw Gaussians around the origin, some hidden and some beside the picture, and a camera that cuts tiles."""
    rng = np.random.default_rng(seed)
    basis = rng.normal(0, 0.01, (400, 3, 3))
    arrays = rng.normal(0, 0.15, (400, 3)), basis @ basis.transpose(0, 2, 1), rng.uniform(*opacity, 400)
    camera = look_at_face(distance=1.0, focal=110.0, width=45, height=37)
    tensors = [torch.tensor(array, dtype=torch.float32) for array in (*arrays, camera.T_camera_head, camera.K)]
    return *tensors, camera.width, camera.height


@pytest.mark.parametrize("opacity", [(0.0, 0.2), (0.9, 1.0)])
def test_shares_are_the_derivative_of_the_picture_by_the_colours(opacity):
    arguments = scene(0, opacity)
    found, expected = shares(*arguments), shares_by_gradient(*arguments)
    assert expected.max() > 1 and (expected == 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
