"""Find the frame of a pair of glasses in the portrait.

A frame is a narrow ridge, darker or otherwise coloured than the skin beside it, that runs round both eyes and over the
nose. Round each eye the closed path of strongest ridge is found by dynamic programming over angle and radius; on a bare
face that path crosses smooth cheek, so its weaker part tells glasses from lids, brows and wrinkles. Pixels near
the path belong to the frame where they are more like it than like the skin around.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.lifting.outlines import EYE_POLYGONS, inside_hulls
from likeness.lifting.ridges import closed_paths, ridges, sample
from likeness.lifting.types import Scene

CORNERS = (33, 133), (263, 362)
"""MediaPipe's outer and inner corner of the subject's right and left eye."""
FOREHEAD, CHIN, NOSE = 10, 152, 2
"""MediaPipe's landmarks."""
ANGLES = 96
"""Directions round an eye in which its lens's rim is sought."""
LOWER = slice(4, 44)
"""Of the angles (0 outwards, then down and inwards): where the cheek is smooth on a bare face."""
RADII = np.arange(0.011, 0.044, 0.0008)
"""Of a lens around the point it is sought from, metres."""
DROPS = np.arange(0.0, 0.026, 0.004)
"""Tried distances of that point under the middle of the eye, metres."""
STRONGEST = 25.0
"""Ridge strength, CIELAB units, beyond which there is no more to gain."""
LEAST_RIDGE, LEAST_RATIO = 13.0, 2.0
"""Strength of the weaker fifth of the lower path from which it is a frame, and its ratio to the face's own ridges."""
PLAIN = 0.15
"""What a ridge of another colour than the frame's counts when the upper path is sought."""
CORE = 0.6
"""Share of the frame's width round the path that is the frame whatever its colour: wires shine."""
NEAR_LIDS = 0.004
"""Around an eye's opening lashes are as dark as frames, metres."""
SLACK = 0.0012
"""How far beside the path a frame's middle may lie, metres."""
SKIN_REACH = 0.012
"""Reach of the median that stands for the skin around a frame, metres."""
EDGE = 2
"""Width in pixels of the edge where a frame and the skin behind it mix."""
SOLID = 0.85
"""Share of the way from skin to frame at which nothing of the skin is left: frames are lit unevenly."""
HALF = 0.5
"""Share of the way from skin to frame from which a pixel is the frame's."""
BAND = 0.0045
"""Distance over which a frame's width is measured, and by which bridge and hinges lie beyond the lens, metres."""
UPPER = 0.45
"""Share of a lens's height, from its top, at which hinges and bridges sit."""
BRIDGE = np.arange(-0.015, 0.006, 0.0008)
"""Heights, downwards, at which a bridge is sought beside the lenses' innermost points, metres."""
HINGE = 0.008
"""How far the frame may reach outwards beyond the lens, metres."""


@dataclass(frozen=True)
class Glasses:
    """A frame in the portrait."""

    mask: Bool[np.ndarray, "S S"]
    """Pixels that show some of the frame; the lenses are not among them."""
    coverage: Float[np.ndarray, "S S"]
    """How much of each of those pixels the frame hides, 0..1; the rest is skin or lens."""
    rims: tuple[Float[np.ndarray, "A 2"], Float[np.ndarray, "A 2"]]
    """Round the subject's right and left eye, pixels; angle 0 outwards, then down, inwards, up."""
    color: Float[np.ndarray, "3"]
    """Of most of the frame, sRGB 0..1."""
    width: float
    """Of its rims, metres."""


def find_glasses(scene: Scene) -> Glasses | None:
    """Return the frame, or None for a bare face."""
    lab = cv2.cvtColor(np.asarray(scene.portrait.rgb, np.float32), cv2.COLOR_RGB2LAB)
    strength = ridges(lab, scene.metres_per_pixel)
    rims = _trace(scene, np.minimum(strength, STRONGEST), LOWER)
    weakest = min(_weaker_fifth(strength, points[LOWER]) for points in rims)
    if weakest < max(LEAST_RIDGE, LEAST_RATIO * float(np.median(strength[_face_box(scene)]))):
        return None
    # Brows and lids draw the upper path away from a frame; the lower path knows the frame's colour.
    frame_color = _core_color(rims, lab, strength)
    share = _share_of_frame(scene, lab, frame_color)
    tuned = np.minimum(strength, STRONGEST) * (PLAIN + (1 - PLAIN) * share) * np.where(_lids(scene), 0.4, 1.0)
    rims = _trace(scene, tuned, slice(None))
    half_width = _half_width(scene, rims, share)
    core, surely = _frame_pixels(scene, rims, _bridge(scene, rims, tuned), share, half_width)
    mask = ndimage.binary_dilation(core, iterations=EDGE) & (scene.portrait.alpha > 0.5)
    coverage = np.where(surely, 1.0, np.clip(share / SOLID, 0, 1)) * mask
    color = np.median(scene.portrait.rgb[core], 0).astype(np.float64)
    return Glasses(mask, coverage, rims, color, 2 * half_width)


def _trace(
    scene: Scene, strength: Float[np.ndarray, "S S"], part: slice
) -> tuple[Float[np.ndarray, "A 2"], Float[np.ndarray, "A 2"]]:
    """Follow the strongest ridge round each eye, from the point under it that makes the given part strongest."""
    down, aside = _face_axes(scene)
    angle = np.arange(ANGLES) / ANGLES * 2 * np.pi
    rims = []
    for corners, outwards in zip(CORNERS, (-aside, aside), strict=True):
        rays = np.cos(angle)[:, None] * outwards + np.sin(angle)[:, None] * down
        centers = scene.portrait.landmarks[list(corners)].mean(0) + DROPS[:, None] * down / scene.metres_per_pixel
        grids = centers[:, None, None] + rays[:, None] * (RADII / scene.metres_per_pixel)[:, None]
        paths = closed_paths(sample(strength, grids))
        tried = np.take_along_axis(grids, paths[:, :, None, None], 2)[:, :, 0]
        rims.append(max(tried, key=lambda points: _weaker_fifth(strength, points[part]) * _convexity(points) ** 2))
    return rims[0], rims[1]


def _convexity(points: Float[np.ndarray, "A 2"]) -> float:
    """Share of its convex hull that a closed path encloses: lenses have no dents."""
    points = points.astype(np.float32)
    return cv2.contourArea(points) / max(cv2.contourArea(cv2.convexHull(points)), 1e-6)


def _weaker_fifth(strength: Float[np.ndarray, "S S"], points: Float[np.ndarray, "N 2"]) -> float:
    return float(np.percentile(sample(strength, points), 20))


def _face_axes(scene: Scene) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Unit vectors down the face and, at right angles to it, to the picture's right."""
    landmarks = scene.portrait.landmarks.astype(np.float64)
    down = landmarks[CHIN] - landmarks[FOREHEAD]
    down /= np.linalg.norm(down)
    return down, np.array([down[1], -down[0]])


def _face_box(scene: Scene) -> tuple[slice, slice]:
    landmarks = scene.portrait.landmarks.astype(int).clip(0)
    return slice(landmarks[FOREHEAD, 1], landmarks[NOSE, 1]), slice(landmarks[:, 0].min(), landmarks[:, 0].max())


def _lids(scene: Scene) -> Bool[np.ndarray, "S S"]:
    eyes = inside_hulls(scene, *EYE_POLYGONS.values())
    return ndimage.distance_transform_edt(~eyes) * scene.metres_per_pixel < NEAR_LIDS


def _core_color(
    rims: tuple[Float[np.ndarray, "A 2"], ...], lab: Float[np.ndarray, "S S 3"], strength: Float[np.ndarray, "S S"]
) -> Float[np.ndarray, "3"]:
    """Return the lower path's colour where its ridge is strongest: elsewhere it runs beside the frame's middle."""
    points = np.concatenate([points[LOWER] for points in rims])
    along = sample(strength, points)
    return np.median(sample(lab, points)[along >= np.median(along)], 0)


def _share_of_frame(
    scene: Scene, lab: Float[np.ndarray, "S S 3"], frame_color: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "S S"]:
    """How far each pixel's colour has gone from the skin's nearby to the frame's, 0..1."""
    side = 2 * round(SKIN_REACH / scene.metres_per_pixel) + 1
    to_bytes = np.array([0.0, 128, 128])
    skin = cv2.medianBlur(np.clip(lab + to_bytes, 0, 255).astype(np.uint8), side) - to_bytes
    way = frame_color - skin
    along = ((lab - skin) * way).sum(-1) / np.maximum((way**2).sum(-1), 1.0)
    off = np.linalg.norm(lab - skin - along[..., None] * way, axis=-1) / np.maximum(np.linalg.norm(way, axis=-1), 1.0)
    return np.clip(np.minimum(along, 1.0) - 0.5 * off, 0, 1)


def _frame_pixels(
    scene: Scene,
    rims: tuple[Float[np.ndarray, "A 2"], ...],
    bridge: Float[np.ndarray, "C 2"],
    share: Float[np.ndarray, "S S"],
    half_width: float,
) -> tuple[Bool[np.ndarray, "S S"], Bool[np.ndarray, "S S"]]:
    """Mark the pixels near the paths, over the nose and at the hinges that have the frame's colour.

    Returns them, and those so near to the middle of a path that they are the frame whatever their colour.
    """
    path = np.zeros(share.shape, np.uint8)
    for points, closed in ((rims[0], True), (rims[1], True), (bridge, False)):
        cv2.polylines(path, [np.round((points - 0.5) * 16).astype(np.int32)], closed, 1, shift=4)
    away = ndimage.distance_transform_edt(path == 0) * scene.metres_per_pixel
    surely = away < CORE * half_width
    zone = (away < half_width + SLACK) | _bridge_and_hinges(scene, rims)
    pieces, _ = ndimage.label(surely | zone & (share > HALF), np.ones((3, 3)))
    own = np.unique(pieces[path > 0])
    return np.isin(pieces, own[own > 0]), surely


def _bridge(
    scene: Scene, rims: tuple[Float[np.ndarray, "A 2"], ...], strength: Float[np.ndarray, "S S"]
) -> Float[np.ndarray, "C 2"]:
    """Follow the strongest ridge over the nose, from within one lens to within the other."""
    down, aside = _face_axes(scene)
    metre = 1 / scene.metres_per_pixel
    start, end = (points[(sign * (points @ aside)).argmax()] for points, sign in zip(rims, (1, -1), strict=True))
    start, end = start - aside * BAND * metre, end + aside * BAND * metre
    across = start + (end - start) * np.linspace(0, 1, max(round(np.linalg.norm(end - start)), 2))[:, None]
    grid = across[:, None] + down * (BRIDGE * metre)[:, None]
    path = closed_paths(sample(strength, grid)[None])[0]
    return grid[np.arange(len(grid)), path]


def _half_width(scene: Scene, rims: tuple[Float[np.ndarray, "A 2"], ...], share: Float[np.ndarray, "S S"]) -> float:
    """Half the frame's usual width on the lower path, metres."""
    steps = np.arange(-BAND, BAND, 0.0003)
    across = []
    for points in rims:
        outwards = points - points.mean(0)
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
        across.append(points[:, None] + outwards[:, None] * (steps / scene.metres_per_pixel)[:, None])
    inside = sample(share, np.stack(across)[:, LOWER]) > HALF
    return float(np.median(inside.sum(-1)) * 0.0003 / 2)


def _bridge_and_hinges(scene: Scene, rims: tuple[Float[np.ndarray, "A 2"], ...]) -> Bool[np.ndarray, "S S"]:
    """Mark where a frame goes on beside its lenses: over the nose between them, and outwards at their upper part."""
    down, aside = _face_axes(scene)
    row, column = np.mgrid[: len(scene.portrait.alpha), : len(scene.portrait.alpha)] + 0.5
    height, across = column * down[0] + row * down[1], column * aside[0] + row * aside[1]
    margin, reach = BAND / scene.metres_per_pixel, HINGE / scene.metres_per_pixel
    zone = np.zeros(height.shape, bool)
    inner = []
    for points, sign in zip(rims, (-1, 1), strict=True):
        top, bottom = (points @ down).min(), (points @ down).max()
        upper = (height > top) & (height < top + UPPER * (bottom - top))
        edge = (sign * (points @ aside)).max()
        zone |= upper & (sign * across > edge - margin) & (sign * across < edge + reach)
        inner.append(((points @ aside)[len(points) // 2], upper))
    (right, upper_right), (left, upper_left) = inner
    return zone | (across > right - margin) & (across < left + margin) & (upper_right | upper_left)
