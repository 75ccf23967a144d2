"""Import Performance in a real window, with the real engine and a stand-in for what a video would show."""

from __future__ import annotations

from pathlib import Path

import pytest
from blenders import HERE, ROOT, Blender
from window import run_script


def test_a_performance_is_described_imported_previewed_and_dropped(blender: Blender, avatar: Path) -> None:
    engine = ROOT / ".venv"
    if not (engine / "bin" / "likeness").exists():
        pytest.skip("no engine's environment in .venv (make setup)")
    folder = avatar.parent / f"performance-{blender.name}"
    folder.mkdir()
    run_script(blender, HERE / "performance_window.py", avatar.parent, [avatar, folder], limit=240, engine=engine)
