"""The upper lids as the portrait shows them: what slides with the edge, what stays above, and the bare skin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.lifting.appearance import SkinColors
from likeness.lifting.types import Scene
from likeness.lifting.visibility import EYE_POLYGONS, Label, Visibility

LID_BLUR = 0.003
"""Over which the colour of the open lid's skin is spread, metres."""
PAINTED, SKIN_REACH, LID_REACH = 0.001, 0.0065, 0.007
"""Distances from the eye's opening from which skin is seen rather than lashes and paint, up to which it has the lid's
colour, and up to which it is the lid's, metres."""
LEAST_WEIGHT = 0.25
"""Of the darker half of its pixels in that colour, beside those that are brighter by a standard deviation."""
GRAIN_FROM = 0.017
"""The lids' grain is that of the skin so far below, on the cheek, metres."""
MOST_GRAIN = 0.04
"""Largest departure of the grain from the smooth colour (0..1)."""
CREASE = 0.0055
"""Width up to which dark lines around the eyes are creases and lash tips, metres."""
LEAST_EDGE, MOST_EDGE = 0.0016, 0.004
"""How far above the eye's opening the crease may lie, metres."""
ROOTS = 3
"""Pixels above the opening of which the darkest is the lash line."""
BRIGHT, SEEN = 0.9, 0.6
"""Brightness beside the bare skin's at which the lid is seen, and at which it is if it darkens again above."""
AROUND = 0.032
"""Of the picture this much around the eyes is looked at: what is spread from, and the grain below; metres."""
MIDDLE = 0.6
"""Part of the eye's width in which the crease is looked for: at the corners it runs into the lash line."""


@dataclass(frozen=True)
class UpperLids:
    """Both upper lids in the portrait. S is the working square's side."""

    bare: Float[np.ndarray, "S S 3"]
    """The picture, with smooth skin without crease, shade and lashes around the eyes."""
    without_lines: Float[np.ndarray, "S S 3"]
    """The picture, with narrow dark lines filled in: creases and lashes."""
    riding: Bool[np.ndarray, "S S"]
    """Pixels that slide with the lid's edge: up to the crease, or as far as lashes reach where none is seen."""
    resting: Bool[np.ndarray, "S S"]
    """Pixels above, which stay."""


def find_upper_lids(scene: Scene, view: Visibility, colors: SkinColors) -> UpperLids:
    """Tell what slides from what stays, each eye by itself."""
    lids = UpperLids(
        colors.foreground.copy(), colors.foreground.copy(), *(np.zeros(view.label.shape, bool) for _ in range(2))
    )
    row, column = np.nonzero(view.label == Label.EYE)
    if len(row):
        margin = round(AROUND / scene.metres_per_pixel)
        window = tuple(slice(max(at.min() - margin, 0), at.max() + margin) for at in (row, column))
        corner = np.array([window[1].start, window[0].start])
        found = _in_window(scene, *_cropped(view, colors, window), scene.portrait.landmarks - corner)
        for name in ("bare", "without_lines", "riding", "resting"):
            getattr(lids, name)[window] = getattr(found, name)
    return lids


def _cropped(view: Visibility, colors: SkinColors, window: tuple[slice, slice]) -> tuple[Visibility, SkinColors]:
    """Return what is used of these here in a window of the picture."""
    seen = {name: getattr(view, name)[window] for name in ("label", "triangle")}
    looks = {name: getattr(colors, name)[window] for name in ("foreground", "detail", "trusted", "like_skin")}
    return replace(view, **seen), replace(colors, **looks)


def _in_window(scene: Scene, view: Visibility, colors: SkinColors, landmarks: Float[np.ndarray, "478 2"]) -> UpperLids:
    """Tell all of it in a window of the picture (H, W), landmarks in the window's pixels."""
    without_lines = _without_lines(scene, colors)
    bare = _bare(scene, view, colors, without_lines)
    brightness = colors.foreground.mean(-1) / np.maximum(bare.mean(-1), 1e-3)
    riding, around = np.zeros(brightness.shape, bool), np.zeros(brightness.shape, bool)
    for polygon in EYE_POLYGONS.values():
        inside, above, across = _above(view, landmarks[list(polygon)])
        if inside.any():
            to_eye = ndimage.distance_transform_edt(~inside) * scene.metres_per_pixel
            above &= to_eye < LID_REACH
            edge = _edge(brightness, to_eye, above & (np.abs(across) < MIDDLE), scene.metres_per_pixel)
            riding |= above & (to_eye < edge * np.sqrt(np.clip(1 - across**2, 0, 1)))
            around |= above
    return UpperLids(bare, without_lines, riding, around & ~riding)


def _above(
    view: Visibility, outline: Float[np.ndarray, "N 2"]
) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """Return an eye's pixels, the skin above them, and how far across every pixel lies (-1 and 1 at the corners)."""
    left, right = outline[:, 0].min(), outline[:, 0].max()
    rows, columns = np.indices(view.label.shape)
    across = (2 * columns + 1 - left - right) / (right - left)
    top, bottom = outline[:, 1].min() - (right - left), outline[:, 1].max() + (right - left)
    inside = (view.label == Label.EYE) & (np.abs(across) < 1.2) & (rows > top) & (rows < bottom)
    if not inside.any():
        return inside, inside, across
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    above = (view.label == Label.SKIN) & (rows < nearest[0]) & (np.abs(across) < 1.2)
    return inside, above, np.take_along_axis(across, nearest[1], 1)


def _edge(
    brightness: Float[np.ndarray, "H W"], to_eye: Float[np.ndarray, "H W"], where: Bool[np.ndarray, "H W"], pixel: float
) -> float:
    """Return how far above the opening lashes and shade end, metres: where it is brightest before a crease."""
    steps = np.arange(1, int(MOST_EDGE / pixel) + 2)
    rings = [brightness[where & (np.abs(to_eye / pixel - step) < 0.75)] for step in steps]
    profile = np.array([np.median(ring) if len(ring) else 1.0 for ring in rings])
    root = int(profile[:ROOTS].argmin())
    for step, here, above in zip(steps[root:], profile[root:], profile[root + 1 :], strict=False):
        if here >= BRIGHT or (above < here and here > SEEN):
            return float(np.clip((step + 0.5) * pixel, LEAST_EDGE, MOST_EDGE))
    return MOST_EDGE


def _without_lines(scene: Scene, colors: SkinColors) -> Float[np.ndarray, "H W 3"]:
    """Close dark lines by what is around them (grey closing)."""
    width = round(CREASE / scene.metres_per_pixel)
    return ndimage.gaussian_filter(ndimage.grey_closing(colors.foreground, (width, width, 1)), (1, 1, 0))


def _bare(
    scene: Scene, view: Visibility, colors: SkinColors, without_lines: Float[np.ndarray, "H W 3"]
) -> Float[np.ndarray, "H W 3"]:
    """Spread the brighter colour of the lids' skin smoothly: the darker is crease, shade, lashes.

    Half of it is each place's own, without lines, so that the lid goes over into the skin above.
    """
    to_eye = ndimage.distance_transform_edt(view.label != Label.EYE) * scene.metres_per_pixel
    lid = (view.label == Label.SKIN) & colors.like_skin & (to_eye > PAINTED) & (to_eye < SKIN_REACH)
    lid &= scene.triangles_in("lids_left", "lids_right", "face")[view.triangle]
    if not lid.any():
        return colors.foreground
    brightness = colors.foreground.mean(-1)
    sigma = LID_BLUR / scene.metres_per_pixel
    typical = _spread(brightness, lid.astype(float), 2 * sigma)
    spread = np.sqrt(_spread((brightness - typical) ** 2, lid.astype(float), 2 * sigma))
    weight = lid * (LEAST_WEIGHT + np.clip((brightness - typical) / np.maximum(spread, 0.01), 0, 1))
    smooth = np.stack([_spread(colors.foreground[..., k], weight, sigma) for k in range(3)], -1)
    near = to_eye < 2 * LID_REACH
    return np.where(near[..., None], (smooth + without_lines) / 2 + _grain(scene, colors), colors.foreground)


def _grain(scene: Scene, colors: SkinColors) -> Float[np.ndarray, "H W 3"]:
    """The fine detail of the cheek under the eyes, moved up."""
    below = round(GRAIN_FROM / scene.metres_per_pixel)
    detail = np.clip(colors.detail, -MOST_GRAIN, MOST_GRAIN) * colors.trusted[..., None]
    return np.concatenate([detail[below:], np.zeros_like(detail[:below])])


def _spread(
    image: Float[np.ndarray, "H W"], weight: Float[np.ndarray, "H W"], sigma: float
) -> Float[np.ndarray, "H W"]:
    """Blur by weights and continue beyond them."""
    total = ndimage.gaussian_filter(weight, sigma)
    blurred = ndimage.gaussian_filter(image * weight, sigma) / np.maximum(total, 1e-9)
    near = total > 1e-4
    if near.all() or not near.any():
        return blurred
    row, column = ndimage.distance_transform_edt(~near, return_distances=False, return_indices=True)
    return blurred[row, column]
