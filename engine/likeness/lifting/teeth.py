"""What a row of teeth looks like: the usual widths and heights, edges, gaps and gums.

The head's teeth are one smooth band round either jaw. Crowns after Wheeler's Dental Anatomy (Nelson, table of
permanent teeth), from the midline outwards.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

WIDTH = {
    "teeth_upper": np.array([8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0]) * 1e-3,
    "teeth_lower": np.array([5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5]) * 1e-3,
}
HEIGHT = {
    "teeth_upper": np.array([10.5, 9.0, 10.0, 8.5, 8.5, 7.5, 7.0]) * 1e-3,
    "teeth_lower": np.array([9.0, 9.5, 11.0, 8.5, 8.0, 7.5, 7.0]) * 1e-3,
}
"""Of the crowns, metres."""
SHORTER = {
    "teeth_upper": np.array([0.0, 0.9, 0.3, 0.8, 1.0, 1.2, 1.4]) * 1e-3,
    "teeth_lower": np.array([0.2, 0.1, 0.0, 0.5, 0.8, 1.0, 1.2]) * 1e-3,
}
"""How far a tooth's edge stays behind the row's, metres."""
ROUNDING = 0.9e-3
"""By which an edge draws back at the tooth's sides, metres."""
GAP, GAP_SHADE = 0.35e-3, 0.55
"""Half width of the shade between two teeth, metres, and its light."""
GUM = np.array([0.80, 0.48, 0.46])
GUM_LINE = 0.6e-3
"""Width over which a crown goes over into the gum, metres."""


def crowns(
    region: str, along: Float[np.ndarray, "N"], from_edge: Float[np.ndarray, "N"]
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """Describe points of a row: how far they lie inside a tooth's own edge, how much they are gum, and their shade.

    `along` is the way round the row from the midline and `from_edge` the distance from the row's edge towards the
    gum, metres. Returns (metres, negative beyond the edge; 0..1; 0..1).
    """
    borders = np.concatenate([[0.0], np.cumsum(WIDTH[region])])
    along = np.minimum(np.abs(along), borders[-1] - 1e-6)
    tooth = np.searchsorted(borders, along, side="right") - 1
    half = WIDTH[region][tooth] / 2
    aside = np.abs(along - borders[tooth] - half) / half
    inside = from_edge - SHORTER[region][tooth] - ROUNDING * aside**4
    # The gum's line is an arch over each tooth.
    to_gum = HEIGHT[region][tooth] * (1 - 0.18 * aside**2) - inside
    gum = np.clip(0.5 - to_gum / GUM_LINE, 0, 1)
    gap = np.exp(-0.5 * ((1 - aside) * half / GAP) ** 2)
    shade = (1 - 0.12 * aside**3) * (1 - (1 - GAP_SHADE) * gap * (1 - gum))
    return inside, gum, shade


def along_row(band: Float[np.ndarray, "V 3"], points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    """Return the signed way from a row's middle to points round it, metres: along the parabola nearest to its band."""
    middle = (band[:, 0].min() + band[:, 0].max()) / 2
    x = band[:, 0] - middle
    curve = max(-np.polyfit(x**2, band[:, 2], 1)[0], 1.0)
    slope = 2 * curve * (points[:, 0] - middle)
    # Length of the arc of z = z0 - curve x^2 from x = 0.
    return (slope * np.sqrt(1 + slope**2) + np.arcsinh(slope)) / (4 * curve)
