from __future__ import annotations

import numpy as np
import pytest

from likeness.head.assets import HeadAssets
from likeness.head.model import load_open_head
from likeness.tracking.parameters import FitState, LinearPoints, head_points


@pytest.fixture(scope="session")
def open_head() -> HeadAssets:
    return load_open_head()


@pytest.fixture(scope="session")
def vertices(open_head: HeadAssets) -> LinearPoints:
    return head_points(open_head)


@pytest.fixture
def state(vertices: LinearPoints) -> FitState:
    """A head a little turned, in no special place of any kind."""
    rng = np.random.default_rng(3)
    upright = np.diag([1.0, -1.0, -1.0])
    identity = vertices.directions.shape[-1] - 52
    resting = FitState(
        rotation=upright,
        translation=np.array([0.0, 0.0, 1.0]),
        log_focal=float(np.log(1500.0)),
        center=np.array([256.0, 256.0]),
        betas=np.zeros(identity),
        controls=np.full(52, 0.1),
    )
    step = np.concatenate([[0.1, 0.2, -0.05, 0.01, -0.02, 0.05, 0.03], rng.normal(size=identity), np.zeros(52)])
    return resting.moved(step)
