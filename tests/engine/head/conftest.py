"""Open Head once for all tests of this folder; the builder's modules importable beside the engine's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "engine"))


@pytest.fixture(scope="session")
def open_head():
    from likeness.head.model import load_open_head

    return load_open_head()


@pytest.fixture(scope="session")
def identities(open_head):
    """The mean head and four strangers, as betas."""
    random = np.random.default_rng(7)
    return [np.zeros(open_head.shapedirs.shape[-1]), *random.normal(size=(4, open_head.shapedirs.shape[-1]))]
