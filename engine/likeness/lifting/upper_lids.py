"""The upper lids as the portrait shows them: what slides with the edge, what stays above, and the bare skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
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
    """Both upper lids in the portrait. H by W pixels: the working square's, or a window of it."""

    bare: Float[np.ndarray, "H W 3"]
    """The picture, with smooth skin without crease, shade and lashes around the eyes."""
    without_lines: Float[np.ndarray, "H W 3"]
    """The picture, with narrow dark lines filled in: creases and lashes."""
    riding: Bool[np.ndarray, "H W"]
    """Pixels that slide with the lid's edge: up to the crease, or as far as lashes reach where none is seen."""
    resting: Bool[np.ndarray, "H W"]
    """Pixels above, which stay."""


@dataclass(frozen=True)
class _Window:
    """The part of the picture around the eyes, H by W pixels."""

    label: Int[np.ndarray, "H W"]
    lids: Bool[np.ndarray, "H W"]
    """Pixels whose triangle is the lids' or the face's."""
    foreground: Float[np.ndarray, "H W 3"]
    grain: Float[np.ndarray, "H W 3"]
    like_skin: Bool[np.ndarray, "H W"]
    landmarks: Float[np.ndarray, "478 2"]
    """x, y in the window's pixels."""
    pixel: float
    """Metres per pixel."""


def find_upper_lids(scene: Scene, view: Visibility, colors: SkinColors) -> UpperLids:
    """Tell what slides from what stays, each eye by itself."""
    lids = UpperLids(
        colors.foreground.copy(), colors.foreground.copy(), *(np.zeros(view.label.shape, bool) for _ in range(2))
    )
    row, column = np.nonzero(view.label == Label.EYE)
    if len(row):
        margin = round(AROUND / scene.metres_per_pixel)
        place = tuple(slice(max(at.min() - margin, 0), at.max() + margin) for at in (row, column))
        found = _in_window(_window(scene, view, colors, place))
        for name in ("bare", "without_lines", "riding", "resting"):
            getattr(lids, name)[place] = getattr(found, name)
    return lids


def _window(scene: Scene, view: Visibility, colors: SkinColors, place: tuple[slice, slice]) -> _Window:
    corner = np.array([place[1].start, place[0].start])
    detail = np.clip(colors.detail[place], -MOST_GRAIN, MOST_GRAIN) * colors.trusted[place][..., None]
    return _Window(
        label=view.label[place],
        lids=scene.triangles_in("lids_left", "lids_right", "face")[view.triangle[place]],
        foreground=colors.foreground[place],
        grain=_moved_up(detail, round(GRAIN_FROM / scene.metres_per_pixel)),
        like_skin=colors.like_skin[place],
        landmarks=scene.portrait.landmarks - corner,
        pixel=scene.metres_per_pixel,
    )


def _moved_up(detail: Float[np.ndarray, "H W 3"], by: int) -> Float[np.ndarray, "H W 3"]:
    """Return the fine detail of the cheek under the eyes, so many pixels further up."""
    return np.concatenate([detail[by:], np.zeros_like(detail[:by])])


def _in_window(around: _Window) -> UpperLids:
    """Tell all of it in a window of the picture."""
    without_lines = _without_lines(around)
    bare = _bare(around, without_lines)
    brightness = around.foreground.mean(-1) / np.maximum(bare.mean(-1), 1e-3)
    riding, lid = np.zeros(brightness.shape, bool), np.zeros(brightness.shape, bool)
    for polygon in EYE_POLYGONS.values():
        inside, above, across = _above(around, around.landmarks[list(polygon)])
        if inside.any():
            to_eye = ndimage.distance_transform_edt(~inside) * around.pixel
            above &= to_eye < LID_REACH
            edge = _edge(brightness, to_eye, above & (np.abs(across) < MIDDLE), around.pixel)
            riding |= above & (to_eye < edge * np.sqrt(np.clip(1 - across**2, 0, 1)))
            lid |= above
    return UpperLids(bare, without_lines, riding, lid & ~riding)


def _above(
    around: _Window, outline: Float[np.ndarray, "N 2"]
) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """Return an eye's pixels, the skin above them, and how far across every pixel lies (-1 and 1 at the corners)."""
    left, right = outline[:, 0].min(), outline[:, 0].max()
    rows, columns = np.indices(around.label.shape)
    across = (2 * columns + 1 - left - right) / (right - left)
    top, bottom = outline[:, 1].min() - (right - left), outline[:, 1].max() + (right - left)
    inside = (around.label == Label.EYE) & (np.abs(across) < 1.2) & (rows > top) & (rows < bottom)
    if not inside.any():
        return inside, inside, across
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    above = (around.label == Label.SKIN) & (rows < nearest[0]) & (np.abs(across) < 1.2)
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


def _without_lines(around: _Window) -> Float[np.ndarray, "H W 3"]:
    """Close dark lines by what is around them (grey closing)."""
    width = round(CREASE / around.pixel)
    return ndimage.gaussian_filter(ndimage.grey_closing(around.foreground, (width, width, 1)), (1, 1, 0))


def _bare(around: _Window, without_lines: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """Spread the brighter colour of the lids' skin smoothly: the darker is crease, shade, lashes.

    Half of it is each place's own, without lines, so that the lid goes over into the skin above.
    """
    to_eye = ndimage.distance_transform_edt(around.label != Label.EYE) * around.pixel
    lid = (around.label == Label.SKIN) & around.like_skin & around.lids & (to_eye > PAINTED) & (to_eye < SKIN_REACH)
    if not lid.any():
        return around.foreground
    brightness = around.foreground.mean(-1)
    sigma = LID_BLUR / around.pixel
    typical = _spread(brightness, lid.astype(float), 2 * sigma)
    spread = np.sqrt(_spread((brightness - typical) ** 2, lid.astype(float), 2 * sigma))
    weight = lid * (LEAST_WEIGHT + np.clip((brightness - typical) / np.maximum(spread, 0.01), 0, 1))
    smooth = np.stack([_spread(around.foreground[..., k], weight, sigma) for k in range(3)], -1)
    near = to_eye < 2 * LID_REACH
    return np.where(near[..., None], (smooth + without_lines) / 2 + around.grain, around.foreground)


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
