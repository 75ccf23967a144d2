"""View transforms that change a photograph, and the colour spaces that lead back through them."""

from __future__ import annotations

from bpy.types import Scene

INVERSES = {"AgX": "AgX Base sRGB", "Filmic": "Filmic sRGB"}
"""Colours that enter through such a space come out of the view transform as they were; Standard changes none."""

LINEAR_FILES = ("OPEN_EXR", "OPEN_EXR_MULTILAYER", "HDR")
"""Formats that hold scene-linear values, whatever the view transform."""


def changes_photos(scene: Scene) -> bool:
    """Tell whether the scene's view transform is one that photographs can be led through unchanged."""
    return scene.view_settings.view_transform in INVERSES


def photo_space(scene: Scene) -> str | None:
    """Return the colour space of the photograph's colours in a render; None for plain sRGB.

    The view's exposure, gamma and look are not undone: they act on avatars as on everything.
    """
    if not scene.likeness.photo_colors or scene.render.image_settings.file_format in LINEAR_FILES:
        return None
    return INVERSES.get(scene.view_settings.view_transform)
