"""What a person sees: an avatar of the astronaut in the installed extension, against stored pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import skimage.data
from blenders import ROOT, Blender
from PIL import Image
from window import assert_looks_like, run_script

LEAST = 30.0
"""Decibels; machines round, and engines refine, a little differently."""


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the astronaut's avatar."""
    folder = tmp_path_factory.mktemp("astronaut")
    Image.fromarray(skimage.data.astronaut()).save(folder / "astronaut.png")
    path = folder / "astronaut.likeness"
    words = [ROOT / ".venv" / "bin" / "likeness", "create", folder / "astronaut.png", "-o", path, "--device", "cpu"]
    subprocess.run(list(map(str, words)), check=True, timeout=300)
    return path


def test_the_head_looks_as_it_did(installed: Blender, avatar):
    seen = run_script(installed, Path(__file__).with_name("look_window.py"), avatar.parent, [avatar], limit=240)
    for view in ("front", "left", "right"):
        assert_looks_like(seen.pictures[view], f"astronaut_{view}", decibels=LEAST)
