"""The real Blenders as fixtures; where there is none, tests that want one are skipped and say why."""

from __future__ import annotations

import pytest
from blenders import NO_BLENDER, NO_BPY52, Blender, blenders, bpy52


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `blender` once in each Blender."""
    if "blender" not in metafunc.fixturenames:
        return
    found = blenders()
    missing = pytest.param(None, marks=pytest.mark.skip(reason=NO_BLENDER))
    metafunc.parametrize("blender", found or [missing], ids=[each.name for each in found] or ["none"], scope="session")


@pytest.fixture(scope="session")
def gpu_python() -> Blender:
    """Return bpy 5.2, whose `gpu.init()` works without a screen."""
    found = bpy52()
    if found is None:
        pytest.skip(NO_BPY52)
    return found
