"""The same photograph made into an avatar on the CPU and on a CUDA device; skipped where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.avatar.animate import portrait_expression, prepare_avatar, render_avatar
from likeness.avatar.create import create_avatar
from likeness.avatar.views import face_camera, orbit_camera
from likeness.rendering.device import missing_for_cuda

SIZE = 384


@pytest.mark.skipif(bool(missing_for_cuda()), reason=f"CUDA: {missing_for_cuda()}")
def test_cuda_makes_the_same_avatar(astronaut, astronaut_photograph):
    theirs = create_avatar(astronaut_photograph, quality="draft", seed=3, device="cuda")[0]
    ours = astronaut.driven.avatar
    assert np.array_equal(ours.gaussians.triangle, theirs.gaussians.triangle)
    for camera in (face_camera(ours, SIZE, SIZE), orbit_camera(ours, 45, 0, SIZE, SIZE)):
        drawn = [
            render_avatar(prepare_avatar(avatar), camera, portrait_expression(avatar)) for avatar in (ours, theirs)
        ]
        # Adam follows the signs of gradients that hardly matter, so single Gaussians part; the picture must not.
        assert 10 * np.log10(1 / np.mean((drawn[0] - drawn[1]) ** 2)) > 38
