"""Sheets and the turnaround in a real window, with the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from blenders import HERE, ROOT, Blender
from window import run_script


def test_a_sheet_shows_its_progress_heeds_esc_and_is_shown(blender: Blender, avatar: Path) -> None:
    engine = ROOT / ".venv"
    if not (engine / "bin" / "likeness").exists():
        pytest.skip("no engine's environment in .venv (make setup)")
    folder = avatar.parent / f"sheets-{blender.name}"  # made by the button
    run_script(blender, HERE / "sheets_window.py", avatar.parent, [avatar, folder], limit=240, engine=engine)
