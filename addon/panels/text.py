"""Sentences in a narrow panel."""

from __future__ import annotations

from collections.abc import Iterator

import blf
from bpy.types import Context, UILayout

MARGIN = 84
"""What the panel's and a box's edges and the icon take, pixels at scale 1."""
FONT, FONT_SIZE = 0, 11.5
"""Blender's interface font, and about the size of its labels."""
LEAST_WIDTH = 120
"""Of a line, pixels at scale 1, however narrow the panel is."""
USUAL_WIDTH = 300
"""Of a sidebar, pixels; where nothing is drawn there is no region to ask."""


def draw_text(layout: UILayout, context: Context, text: str, icon: str = "NONE", *, beside: int = 0) -> UILayout:
    """Draw a text over as many lines as the region's width needs, the icon before the first; return their column.

    `beside` is what stands beside the text, pixels at scale 1.
    """
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = (context.region.width if context.region else USUAL_WIDTH) / scale - MARGIN - beside
    lines = layout.column(align=True)
    lines.scale_y = 0.8
    for number, line in enumerate(wrapped(text, max(width, LEAST_WIDTH))):
        blank = "NONE" if icon == "NONE" else "BLANK1"
        lines.label(text=line, icon=blank if number else icon)
    return lines


def wrapped(text: str, width: float) -> list[str]:
    """Break a text into lines of at most `width` pixels at scale 1; words that are wider, as paths, are broken too."""
    blf.size(FONT, FONT_SIZE)
    lines = [""]
    for piece in (piece for word in text.split() for piece in _pieces(word, width)):
        longer = f"{lines[-1]} {piece}".strip()
        if lines[-1] and _width(longer) > width:
            lines.append(piece)
        else:
            lines[-1] = longer
    return lines


def _pieces(word: str, width: float) -> Iterator[str]:
    while len(word) > 1 and _width(word) > width:
        count = next((count for count in range(len(word) - 1, 1, -1) if _width(word[:count]) <= width), 1)
        yield word[:count]
        word = word[count:]
    yield word


def _width(text: str) -> float:
    return blf.dimensions(FONT, text)[0]
