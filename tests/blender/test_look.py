"""What a person sees: an avatar of the astronaut in the installed extension, against stored pictures."""

from __future__ import annotations

from pathlib import Path

from blenders import Blender
from window import assert_looks_like, run_script

LEAST = 30.0
"""Decibels; machines round, and engines refine, a little differently."""


def test_the_head_looks_as_it_did(installed: Blender, avatar):
    seen = run_script(installed, Path(__file__).with_name("look_window.py"), avatar.parent, [avatar], limit=240)
    for view in ("front", "left", "right"):
        assert_looks_like(seen.pictures[view], f"astronaut_{view}", decibels=LEAST)
