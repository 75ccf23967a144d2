"""Parts of the face by which a performance is scaled and smoothed, and the other side of each channel."""

from __future__ import annotations

REGIONS = ("brows", "eyes", "gaze", "jaw", "mouth", "cheeks", "nose", "tongue", "head")
"""`gaze` has the eyeLook controls and the eyes' rotations, `jaw` the jaw's rotation too, `head` the head's rotations
and place. A FLAME coefficient moves several parts and belongs to none."""
_BY_BEGINNING = {
    "eyeLook": "gaze",
    "eye": "eyes",
    "brow": "brows",
    "jaw": "jaw",
    "mouthClose": "jaw",
    "mouth": "mouth",
    "cheek": "cheeks",
    "nose": "nose",
    "tongue": "tongue",
}
"""The first that fits counts. mouthClose takes back at the lips what jawOpen opens, so that it goes with the jaw."""
COEFFICIENTS = "coefficients"


def region_of(channel: str) -> str:
    """Return a channel's region, `coefficients` for those that belong to none."""
    return next((region for begin, region in _BY_BEGINNING.items() if channel.startswith(begin)), COEFFICIENTS)
