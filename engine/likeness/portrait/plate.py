"""The plate: the photograph without its person, for a head that moves in its own picture.

What the avatar covers is filled from the surroundings: a membrane (Perez et al., Poisson Image Editing, 2003) carries
their smooth colours in, and over it lie their structure and grain, mirrored at the border of what is seen. The fill is
thus continuous at that border, and as sharp and grainy as its neighbourhood; structure fades with depth.

Error codes: plate.no_face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from likeness.contract.errors import InputError
from likeness.contract.progress import Progress, SilentProgress
from likeness.portrait.build import make_portrait
from likeness.portrait.crop import Square, resample_square, valid_square
from likeness.portrait.detectors import segment_selfie
from likeness.portrait.faces import find_faces
from likeness.portrait.membrane import blur_known, membrane
from likeness.portrait.person_mask import NETWORK_SIZE
from likeness.portrait.types import DetectedFace, Photograph

STAGE = "plate"
SIZE = 384
"""Side of the face square at which the fill is planned, pixels; lengths below are pixels of it. A face has 128."""
MARGIN = 128
"""How much of the surroundings is looked at beyond the face square."""
PERSON_ALPHA = 0.02
HALO = 6
"""What lies this near the matte holds mixed pixels, wisps and the person's glow."""
KEPT = 10
"""Where the face square cuts through the person, the photograph stays, this wide: behind the avatar's own end."""
FEATHER = 4.0
PEOPLE = 0.5
"""Where the person mask is surer than this there may be more of the person, or others: nothing to fill from."""
RIM = 8
"""Half the width of what that mask may have around the matte's person because it is coarser."""
LEAST_SOURCE = 0.01
"""Share of the picture that must be free of people to be filled from."""
STRUCTURE, GRAIN = 5.0, 2.0
"""Blurs that part the membrane's colours from structure, and structure from grain."""
FADE = 12.0
REACH = 24.0
"""How far from the border grain is taken; deeper inside it goes back and forth in that band."""
MAX_JUMP = 5.0
"""Neighbours' grain comes from places less than this apart; else they get none."""
STRIP = 256
"""Rows of the photograph that are filled at a time."""
OTHER_FACE = 0.25
"""Of the face square's side: a face further than this from the square's middle is another."""


@dataclass(frozen=True)
class _Plan:
    """The fill at planning size, N x N: how much each pixel is replaced, by which colours, with which detail."""

    square: Square
    """Of the photograph; what the N x N pixels show."""
    weight: Float[np.ndarray, "N N"]
    colors: Float[np.ndarray, "N N 3"]
    """Membrane and structure inside, blurred photograph outside; 0..255."""
    grain_from: Float[np.ndarray, "N N 2"]
    """Column and row of the place whose grain is laid over, relative to each pixel."""
    grain: Float[np.ndarray, "N N"]
    """How much of it."""


def make_plate(
    photograph: Photograph, square: tuple[float, float, float], progress: Progress | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """Fill the person whose face square (left, top, side in pixels) is given from the surroundings.

    Outside of the person's surroundings the photograph stays bit for bit. Where it shows nobody but people, it is
    filled from the colours along its edge. Errors: InputError `plate.no_face`.
    """
    progress = progress or SilentProgress()
    progress.update(STAGE, 0.0)
    face = _face_in(photograph, square)
    progress.update(STAGE, 0.3)
    portrait = make_portrait(photograph, face, SIZE)
    progress.update(STAGE, 0.6)
    plan = _plan(photograph.rgb, portrait.square, portrait.alpha > PERSON_ALPHA)
    progress.update(STAGE, 0.9)
    return _filled(photograph.rgb, plan)


def _face_in(photograph: Photograph, square: tuple[float, float, float]) -> DetectedFace:
    left, top, side = square
    center = np.array([left + side / 2, top + side / 2])

    def distance(face: DetectedFace) -> float:
        own_left, own_top, own_side = face.square
        return float(np.hypot(*(center - (own_left + own_side / 2, own_top + own_side / 2))))

    faces = find_faces(photograph)
    nearest = min(faces, key=distance, default=None)
    if nearest is None or distance(nearest) > OTHER_FACE * side:
        raise InputError(
            "plate.no_face", "The face is not found in its photograph.", "Create the avatar again from the photograph."
        )
    return nearest


# Planning, at a size that does not depend on the photograph's


def _plan(rgb: UInt8[np.ndarray, "H W 3"], face_square: Square, person: Bool[np.ndarray, "S S"]) -> _Plan:
    margin = round(MARGIN * face_square[2] / SIZE)
    square = (face_square[0] - margin, face_square[1] - margin, face_square[2] + 2 * margin)
    size = SIZE + 2 * MARGIN
    picture = resample_square(rgb, square, size)
    valid = valid_square(rgb.shape[:2], square, size)
    region = _region(np.pad(person, MARGIN), _inner_borders(rgb.shape[:2], face_square)) & valid
    source = _source(picture, valid, _grown(np.pad(person, MARGIN), HALO))
    image = picture.astype(np.float32)
    smooth = membrane(blur_known(image, source, STRUCTURE), source, valid)
    inward = cv2.distanceTransform((~source).astype(np.uint8), cv2.DIST_L2, 5)
    mirrored, seen = _mirror(inward, source)
    soft = np.where(source[..., None], blur_known(image, source, GRAIN), 0)
    structure = _sample(soft - smooth * source[..., None], mirrored)
    fade = seen * np.exp(-((inward / FADE) ** 2))
    colors = smooth + structure * fade[..., None]
    colors = np.where(source[..., None], soft, colors)
    depth = cv2.distanceTransform((region | ~valid).astype(np.uint8), cv2.DIST_L2, 5)
    weight = np.clip((depth - 1) / FEATHER, 0, 1)
    return _Plan(square, weight, colors, mirrored - _grid(size), seen)


def _inner_borders(shape: tuple[int, int], square: Square) -> tuple[bool, bool, bool, bool]:
    """Tell on which sides (top, bottom, left, right) the face square ends inside the photograph."""
    left, top, side = square
    return top > 0, top + side < shape[0], left > 0, left + side < shape[1]


def _region(person: Bool[np.ndarray, "N N"], inner: tuple[bool, bool, bool, bool]) -> Bool[np.ndarray, "N N"]:
    """Return what is filled: the person and what is near, short of the face square's ends within the photograph."""
    region = _grown(person, HALO)
    first, last = MARGIN + KEPT, MARGIN + SIZE - KEPT
    ends = (slice(None, first), slice(last, None))
    for cuts, part in zip(inner, ((ends[0],), (ends[1],), (slice(None), ends[0]), (slice(None), ends[1])), strict=True):
        if cuts:
            region[part] = False
    return region


def _source(
    picture: UInt8[np.ndarray, "N N 3"], valid: Bool[np.ndarray, "N N"], person: Bool[np.ndarray, "N N"]
) -> Bool[np.ndarray, "N N"]:
    """Return the pixels to fill from: no people, or at worst the picture's edge."""
    more = ((_people(picture, valid) > PEOPLE) & ~person).astype(np.uint8)
    people = _grown(cv2.morphologyEx(more, cv2.MORPH_OPEN, _disc(RIM)) > 0, HALO)
    for source in (valid & ~person & ~people, valid & ~person):
        if source.sum() > LEAST_SOURCE * valid.sum():
            return source
    return valid & ~ndimage.binary_erosion(valid)


def _people(picture: UInt8[np.ndarray, "N N 3"], valid: Bool[np.ndarray, "N N"]) -> Float[np.ndarray, "N N"]:
    rows, columns = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    mask = np.zeros(valid.shape, np.float32)
    found = segment_selfie(cv2.resize(picture[box], (NETWORK_SIZE, NETWORK_SIZE), interpolation=cv2.INTER_AREA))
    mask[box] = cv2.resize(np.ascontiguousarray(found), (len(columns), len(rows)))
    return mask


def _mirror(
    inward: Float[np.ndarray, "N N"], source: Bool[np.ndarray, "N N"]
) -> tuple[Float[np.ndarray, "N N 2"], Float[np.ndarray, "N N"]]:
    """Return for each pixel a place in the source, mirrored at its border, and 0..1 for how well that is one.

    `inward` is the distance to the source.
    """
    smooth = cv2.GaussianBlur(inward, (0, 0), 3.0)
    slope = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], -1)
    outward = -slope / np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-6)
    grid = _grid(len(inward))
    best = grid.copy()
    seen = source.astype(np.float32)
    for reach in (REACH, REACH / 3):
        back = reach - np.abs(np.mod(inward, 2 * reach) - reach)
        place = np.where(source[..., None], grid, grid + outward * (inward + back)[..., None])
        hits = _sample(source.astype(np.float32), place) > 0.99
        take = hits & (seen == 0)
        best[take] = place[take]
        seen[take] = 1.0
    seen[_jumps(best - grid)] = 0  # between two such places lies something else
    return best.astype(np.float32), cv2.GaussianBlur(seen, (0, 0), 1.5) * seen


def _jumps(shift: Float[np.ndarray, "N N 2"]) -> Bool[np.ndarray, "N N"]:
    spread = cv2.dilate(shift, np.ones((3, 3))) - cv2.erode(shift, np.ones((3, 3)))
    return (spread > MAX_JUMP).any(-1)


def _grid(size: int) -> Float[np.ndarray, "N N 2"]:
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).astype(np.float32)


def _sample(image: Float[np.ndarray, "N N *C"], place: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w *C"]:
    return cv2.remap(image, place.astype(np.float32), None, cv2.INTER_LINEAR)


def _grown(region: Bool[np.ndarray, "N N"], radius: int) -> Bool[np.ndarray, "N N"]:
    return cv2.dilate(region.astype(np.uint8), _disc(radius)).astype(bool)


def _disc(radius: int) -> UInt8[np.ndarray, "k k"]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


# Filling, at the photograph's own size


def _filled(rgb: UInt8[np.ndarray, "H W 3"], plan: _Plan) -> UInt8[np.ndarray, "H W 3"]:
    left, top, side = plan.square
    scale = len(plan.weight) / side
    result = rgb.copy()
    height, width = rgb.shape[:2]
    first, last = max(left, 0), min(left + side, width)
    columns = (np.arange(first, last, dtype=np.float32) + 0.5 - left) * scale - 0.5
    for start in range(max(top, 0), min(top + side, height), STRIP):
        stop = min(start + STRIP, top + side, height)
        rows = (np.arange(start, stop, dtype=np.float32) + 0.5 - top) * scale - 0.5
        place = np.stack(np.meshgrid(columns, rows), -1)
        weight = _sample(plan.weight.astype(np.float32), place)
        if weight.any():
            fill = _sample(plan.colors.astype(np.float32), place) + _grain(rgb, plan, place)
            piece = result[start:stop, first:last]
            mixed = piece + weight[..., None] * (fill - piece)
            piece[weight > 0] = np.round(np.clip(mixed, 0, 255)).astype(np.uint8)[weight > 0]
    return result


def _grain(
    rgb: UInt8[np.ndarray, "H W 3"], plan: _Plan, place: Float[np.ndarray, "h w 2"]
) -> Float[np.ndarray, "h w 3"]:
    """Return what is finer than the plan at the places that the plan mirrors."""
    left, top, side = plan.square
    scale = len(plan.weight) / side
    mirrored = place + _sample(plan.grain_from, place)
    in_photograph = (mirrored + 0.5) / scale + np.array([left, top], np.float32) - 0.5
    sharp = cv2.remap(rgb, in_photograph.astype(np.float32), None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    fine = sharp.astype(np.float32) - _sample(plan.colors.astype(np.float32), mirrored)
    return fine * _sample(plan.grain.astype(np.float32), place)[..., None]
