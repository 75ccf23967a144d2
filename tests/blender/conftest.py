"""The real Blenders as fixtures; where there is none, tests that want one are skipped and say why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blenders import HERE, NO_BLENDER, NO_BPY52, ROOT, Blender, blenders, bpy52


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


@pytest.fixture(scope="session")
def package() -> Path:
    """Build the zip; the tool validates it as well."""
    words = [sys.executable, str(HERE / "build_extension.py")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=600)
    if "No Blender to build with" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return ROOT / done.stdout.split()[-1]


@pytest.fixture(scope="session")
def installed(blender: Blender, package: Path) -> Iterator[Blender]:
    """Return a Blender with the zip installed and enabled, in settings of its own; nobody else's are touched."""
    settings = ROOT / "build" / f"blender-{blender.name}-{os.getpid()}"
    settings.mkdir(parents=True)
    own = replace(blender, variables={"BLENDER_USER_RESOURCES": str(settings)})
    words = ["--command", "extension", "install-file", "-r", "user_default", "-e", package]
    done = own.run(words, limit=120)
    assert done.code == 0 and "Traceback" not in done.log, done.tail()
    yield own
    shutil.rmtree(settings)


@pytest.fixture(scope="session")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the astronaut's avatar."""
    import skimage.data
    from PIL import Image

    folder = tmp_path_factory.mktemp("astronaut")
    Image.fromarray(skimage.data.astronaut()).save(folder / "astronaut.png")
    path = folder / "astronaut.likeness"
    words = [ROOT / ".venv" / "bin" / "likeness", "create", folder / "astronaut.png", "-o", path, "--device", "cpu"]
    subprocess.run(list(map(str, words)), check=True, timeout=300)
    return path
