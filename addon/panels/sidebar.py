"""The sidebar's tab."""

from __future__ import annotations


class SidebarPanel:
    """Where this add-on's panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"
