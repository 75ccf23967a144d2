"""Match Portrait in a real window, with the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from blenders import HERE, ROOT, Blender
from window import run_script


def test_the_photograph_is_matched_in_one_step_and_heeds_esc(blender: Blender, avatar: Path) -> None:
    engine = ROOT / ".venv"
    if not (engine / "bin" / "likeness").exists():
        pytest.skip("no engine's environment in .venv (make setup)")
    run_script(blender, HERE / "plate_window.py", avatar.parent, [avatar], limit=240, engine=engine)
