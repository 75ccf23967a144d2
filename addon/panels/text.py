"""Sentences in a narrow panel."""

from __future__ import annotations

import blf
from bpy.types import Context, UILayout

MARGIN = 84
"""What the panel's and a box's edges and the icon take, pixels at scale 1."""
FONT, FONT_SIZE = 0, 11.5
"""Blender's interface font, and about the size of its labels."""


def draw_text(layout: UILayout, context: Context, text: str, icon: str = "NONE", *, beside: int = 0) -> None:
    """Draw a text over as many lines as the region's width needs, the icon before the first.

    `beside` is what stands beside the text, pixels at scale 1.
    """
    width = context.region.width / context.preferences.system.ui_scale - MARGIN - beside
    lines = layout.column(align=True)
    lines.scale_y = 0.8
    for number, line in enumerate(wrapped(text, width)):
        blank = "NONE" if icon == "NONE" else "BLANK1"
        lines.label(text=line, icon=blank if number else icon)


def wrapped(text: str, width: float) -> list[str]:
    """Break a text into lines of at most `width` pixels at scale 1, as far as its words allow."""
    blf.size(FONT, FONT_SIZE)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and blf.dimensions(FONT, longer)[0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
