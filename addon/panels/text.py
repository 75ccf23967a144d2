"""Sentences in a narrow panel."""

from __future__ import annotations

import textwrap

from bpy.types import Context, UILayout

LETTER = 6.3
"""Mean width of a letter in Blender's interface at scale 1, pixels."""
MARGIN = 64
"""What the panel's edges and the icon take, pixels."""


def draw_text(layout: UILayout, context: Context, text: str, icon: str = "NONE") -> None:
    """Draw a text over as many lines as the region's width needs, the icon before the first."""
    scale = context.preferences.system.ui_scale
    letters = max(16, int((context.region.width / scale - MARGIN) / LETTER))
    lines = layout.column(align=True)
    lines.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, letters)):
        blank = "NONE" if icon == "NONE" else "BLANK1"
        lines.label(text=line, icon=blank if number else icon)
