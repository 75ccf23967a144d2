"""The 3D viewports of all windows."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def live_regions() -> set[int]:
    """Return the addresses of the regions that 3D viewports have now, quad views' too."""
    return {region.as_pointer() for area in _viewports() for region in area.regions if region.type == "WINDOW"}


def redraw_viewports() -> None:
    """Have every 3D viewport drawn again."""
    for area in _viewports():
        area.tag_redraw()


def redraw_sidebars() -> None:
    """Have the sidebars drawn again, and nothing else."""
    for area in _viewports():
        for region in area.regions:
            if region.type == "UI":
                region.tag_redraw()


def _viewports() -> Iterator[bpy.types.Area]:
    for window in bpy.context.window_manager.windows:
        yield from (area for area in window.screen.areas if area.type == "VIEW_3D")
