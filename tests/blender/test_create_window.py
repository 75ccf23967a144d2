"""Every way into Create in a real window; the script asserts, and a failed step is a traceback in its log."""

from __future__ import annotations

from pathlib import Path

from blenders import HERE, Blender
from window import run_script


def test_every_way_into_create_and_every_disturbance(blender: Blender, tmp_path: Path) -> None:
    run_script(blender, HERE / "create_flows.py", tmp_path, [tmp_path], limit=240)
