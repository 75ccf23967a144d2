"""Which avatars do not come out of a scene's render, and why."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from bpy.types import Scene

from ..scene.find import is_avatar
from .avatars import in_render
from .tree import scenes_in


def hindrance(scene: Scene) -> str:
    """Return why the scene is rendered without its avatars, empty if it is not: they come by the compositor."""
    editor = scene.sequence_editor
    strips = () if editor is None else editor.strips if hasattr(editor, "strips") else editor.sequences
    counts_muted = bpy.app.version < (4, 5, 0)
    shown = (strip for strip in strips if strip.type != "SOUND" and (counts_muted or not strip.mute))
    if scene.render.use_sequencer and any(shown):
        return "The Video Sequencer's strips are rendered in the place of the scene, without its avatars."
    return ""


def strangers(scene: Scene) -> Iterator[str]:
    """Say which avatars are not rendered rightly with a scene though they may be seen there."""
    if scene.render.use_multiview:
        yield "Stereoscopy: both eyes get the same picture of the avatars."
    instances = (each.instance_collection for each in scene.objects if each.instance_type == "COLLECTION")
    for name in {each.name for each in instances if each and any(map(is_avatar, each.all_objects))}:
        yield f"Avatars in instances of the collection {name} are not rendered: make a library override, or them real."
    for other in scenes_in(scene) - {scene}:
        if any(in_render(other, layer) for layer in other.view_layers):
            yield f"The compositor shows the scene {other.name} without its avatars."
