"""How Blender itself shows an avatar's mesh."""

from __future__ import annotations

from bpy.types import Object


def apply_display(mesh: Object) -> None:
    """Show the mesh, or only its bounds where splats take its place.

    A drawn mesh would hide its own splats. Bounds leave the depth free and can still be picked, while a mesh that is
    disabled in viewports would no longer be evaluated. Rendered viewports draw the mesh all the same, unless cameras
    do not see it; its shadow stays.
    """
    settings = mesh.likeness
    is_replaced = settings.visible and settings.show == "SPLATS"
    mesh.display_type = "BOUNDS" if is_replaced else "TEXTURED"
    mesh.visible_camera = not is_replaced


def apply_shadow(mesh: Object) -> None:
    """Let the mesh take part in renders, where cameras do not see it, or not."""
    mesh.hide_render = not mesh.likeness.shadow
