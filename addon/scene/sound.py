"""The sound of a performance's file in the scene's sequencer, where the performance lies."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Scene, bpy_struct

CHANNELS = 128
"""That the sequencer has."""
SAME = 0.01
"""Frames; what is nearer begins together."""


def add_sound(scene: Scene, path: Path, *, zero: float, first: float, last: float) -> str:
    """Add a file's sound on a channel of its own; return what is to be told, empty if all is well.

    Where the same sound lies there already nothing is added: two would be heard twice as loud.
    `zero` is the frame of the file's beginning, `first` and `last` the frames between which it is heard.
    """
    if not path.is_file():
        return f"The sound was left out: this machine sees no file {path.name}."
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before 4.4
    if any(_is_there(strip, path, zero, round(first)) for strip in strips):
        return ""
    channel = _free_channel(strips)
    known = set(bpy.data.sounds)
    try:
        strip = strips.new_sound(path.stem, str(path), channel, round(zero))
    except RuntimeError as error:
        return f"The sound was left out: {str(error).removeprefix('Error: ').strip().rstrip('.')}."
    if strip.frame_final_duration <= 1:  # what Blender makes of a file that it hears nothing in
        strips.remove(strip)
        bpy.data.batch_remove(set(bpy.data.sounds) - known)
        return f"The sound was left out: Blender hears nothing in {path.name}."
    strip.frame_start = zero
    strip.frame_final_start = round(first)
    strip.frame_final_end = min(strip.frame_final_end, max(round(last), round(first)) + 1)
    return ""


def _is_there(strip: bpy_struct, path: Path, zero: float, first: int) -> bool:
    if strip.type != "SOUND" or strip.sound is None or Path(bpy.path.abspath(strip.sound.filepath)) != path:
        return False
    return abs(strip.frame_start - zero) < SAME and strip.frame_final_start == first


def _free_channel(strips: bpy.types.bpy_prop_collection) -> int:
    """Return the lowest channel above all strips, or any empty one; the topmost if there is none."""
    used = {strip.channel for strip in strips}
    above = max(used, default=0) + 1
    return above if above <= CHANNELS else next((each for each in range(1, CHANNELS) if each not in used), CHANNELS)
