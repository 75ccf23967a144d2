"""Where the body stands while the head moves: a patch of chest and clothes followed through a clip.

The head's pose says where the neck joint is; the body turns about it. One frame, in which the body's direction is
known, gives the patch: pixels of the person below the chin on a usual chest's front. Every other frame is aligned to
it (Lucas and Kanade 1981, over three angles, with the light's gain and offset), never to its neighbour: nothing drifts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.portrait.crop import resample_square, valid_square
from likeness.portrait.person_mask import person_mask
from likeness.portrait.types import DetectedFace
from likeness.tracking.clip_head import ClipHead, Frames
from likeness.tracking.staging import usual_rotation

NEAR = 0.1
"""Radians. A head within this of the wanted direction is turned like it."""
UNIT = 64.0
"""Width of the reference's face in the pictures that are aligned, pixels."""
SQUARE = 256
"""Side of the face square in which the person is told from the background."""
BELOW_CHIN = 0.18
"""Of the face's width: nearer to the chin the neck's skin goes with the head."""
BESIDE_CHIN = 0.6
"""The same to its sides, where shoulders reach higher."""
CHIN = 152
CHEST_FRONT, CHEST_ROUND = 0.08, 2.5
"""A chest's front: z = CHEST_FRONT - CHEST_ROUND x^2, metres from the neck joint, in the body's axes."""
SURE = 0.8
SPACING = 2
LEAST_POINTS = 60
BLURS = (4.0, 1.5)
"""Pixels; coarse to fine."""
ITERATIONS, SETTLED = 6, 3e-4
ENOUGH_ALIKE = 0.4
"""Share of the patch's points that must look as in the reference."""
NOISE = 0.04
"""Of a pixel's colour, sRGB 0..1; beyond twice as much a pixel counts ever less."""
STEADY, STANDING = 0.05, 0.15
"""Radians: how far the body usually turns from a frame to the next, and from the reference."""
PRIOR_PIXELS = 15.0
"""The priors weigh as much as if only so many pixels were seen: neighbouring ones err together."""


@dataclass(frozen=True)
class BodyPatch:
    """The patch as the reference shows it."""

    points: Float[np.ndarray, "N 3"]
    """From the neck joint, in the body's axes, metres."""
    colors: tuple[Float[np.ndarray, "N 3"], ...]
    """In every blurred picture."""
    rotation: Float[np.ndarray, "3 3"]
    """R_camera_body in the reference."""
    scale: float
    """Of the pictures that are aligned, against the clip's."""


def reference_frame(
    heads: Float[np.ndarray, "T 3 3"], seen: Bool[np.ndarray, "T"], wanted: Float[np.ndarray, "3 3"] | None
) -> int:
    """Return the seen frame whose head (R_camera_head) is nearest to `wanted`, else to the clip's usual head."""
    if wanted is not None:
        turned = _turned(heads, seen, wanted)
        if turned.min() < NEAR:
            return int(turned.argmin())
    return int(_turned(heads, seen, usual_rotation(heads)).argmin())


def body_patch(
    rgb: UInt8[np.ndarray, "H W 3"],
    landmarks: Float[np.ndarray, "478 2"],
    rotation: Float[np.ndarray, "3 3"],
    neck: Float[np.ndarray, "3"],
    head: ClipHead,
) -> BodyPatch | None:
    """Take the patch from the frame in which the body is turned by `rotation` (R_camera_body); None if none is seen.

    `neck` is the joint in the camera's space, metres.
    """
    face = DetectedFace(np.asarray(landmarks, np.float64))
    scale = min(UNIT / face.width, 1.0)
    pixels = _torso_pixels(rgb, face, scale)
    if len(pixels) < LEAST_POINTS:
        return None
    points = _on_chest((pixels / scale - head.center) / head.focal, rotation, neck)
    colors = tuple(_sample(picture, pixels) for picture in _pyramid(rgb, scale))
    return BodyPatch(points, colors, rotation, scale)


def follow_body(
    pictures: Iterable[UInt8[np.ndarray, "H W 3"]],
    patch: BodyPatch,
    heads: Frames,
    seen: Bool[np.ndarray, "T"],
    neck: Float[np.ndarray, "3"],
    head: ClipHead,
) -> Float[np.ndarray, "T 3 3"]:
    """Return R_camera_body of every frame; `neck` is the joint in head space. One picture is in memory at a time.

    Where the face is not `seen`, or what is seen is not the patch (another shot, a hand), the body holds still.
    """
    places = heads.rotations @ neck + heads.translations
    found = np.tile(patch.rotation, (len(heads), 1, 1))
    before = patch.rotation
    for t, rgb in zip(range(len(heads)), pictures, strict=False):
        if seen[t]:
            blurred = _pyramid(rgb, patch.scale)
            aligned = _align(blurred, patch, before, places[t], head)
            if _is_patch(blurred[-1], patch, aligned, places[t], head):
                before = aligned
        found[t] = before
    return found


def _turned(heads: np.ndarray, seen: np.ndarray, goal: np.ndarray) -> Float[np.ndarray, "T"]:
    """Return each head's angle from `goal`, radians; endless where it is not seen."""
    cosine = (np.einsum("tab,ab->t", heads, goal) - 1) / 2
    return np.where(seen, np.arccos(np.clip(cosine, -1, 1)), np.inf)


def _align(
    pictures: list[Float[np.ndarray, "h w 3"]],
    patch: BodyPatch,
    before: Float[np.ndarray, "3 3"],
    place: Float[np.ndarray, "3"],
    head: ClipHead,
) -> Float[np.ndarray, "3 3"]:
    """Turn the patch about the neck joint until it looks as in the reference."""
    rotation = before
    for picture, colors in zip(pictures, patch.colors, strict=True):
        slopes = [cv2.Sobel(picture, cv2.CV_32F, *axis, ksize=3, scale=0.125) for axis in ((1, 0), (0, 1))]
        for _ in range(ITERATIONS):
            step = _step(picture, slopes, patch, colors, rotation, before, place, head)
            rotation = rotvec_to_rotmat(step) @ rotation
            if np.abs(step).max() < SETTLED:
                break
    return rotation


def _step(
    picture: np.ndarray,
    slopes: list[np.ndarray],
    patch: BodyPatch,
    colors: np.ndarray,
    rotation: np.ndarray,
    before: np.ndarray,
    place: np.ndarray,
    head: ClipHead,
) -> Float[np.ndarray, "3"]:
    """One robust Gauss-Newton step: a rotation from the left, camera axes; gain and offset are solved along with it."""
    turned = patch.points @ rotation.T
    points = turned + place
    focal = head.focal * patch.scale
    pixels = focal * points[:, :2] / points[:, 2:] + head.center * patch.scale
    inside = _inside(pixels, picture.shape)
    if inside.sum() < LEAST_POINTS:
        return np.zeros(3)
    turned, points, pixels, wanted = turned[inside], points[inside], pixels[inside], colors[inside]
    seen = _sample(picture, pixels)
    gradient = np.stack([_sample(slope, pixels) for slope in slopes], -1)
    by_point = np.zeros((len(points), 2, 3))
    by_point[:, 0, 0] = by_point[:, 1, 1] = focal / points[:, 2]
    by_point[:, :, 2] = -focal * points[:, :2] / points[:, 2:] ** 2
    by_angle = gradient @ np.cross(turned[:, None], by_point)
    jacobian = np.concatenate([by_angle, -wanted[..., None], -np.ones((*wanted.shape, 1))], -1).reshape(-1, 5)
    away = (seen - wanted).reshape(-1)
    away -= np.median(away)
    weights = 1 / (1 + (away / (2 * NOISE)) ** 2) ** 2
    # Gain and offset start at 1 and 0 in every step, so they are solved for afresh.
    residual = (seen - wanted).reshape(-1)
    share = PRIOR_PIXELS / max(weights.sum(), 1.0) / NOISE**2
    weights = weights * min(share, 1 / NOISE**2)
    normal = (jacobian * weights[:, None]).T @ jacobian
    right = -(jacobian * weights[:, None]).T @ residual
    for other, deviation in ((before, STEADY), (patch.rotation, STANDING)):
        off = cv2.Rodrigues(rotation @ other.T)[0].ravel()
        normal[:3, :3] += np.eye(3) / deviation**2
        right[:3] -= off / deviation**2
    normal[3:, 3:] += np.diag([1 / 0.2**2, 1 / 0.1**2])
    return np.clip(np.linalg.solve(normal, right)[:3], -0.1, 0.1)


def _is_patch(picture: np.ndarray, patch: BodyPatch, rotation: np.ndarray, place: np.ndarray, head: ClipHead) -> bool:
    """Tell whether enough of the patch's points have their colours, the light's change apart."""
    points = patch.points @ rotation.T + place
    pixels = (head.focal * points[:, :2] / points[:, 2:] + head.center) * patch.scale
    inside = _inside(pixels, picture.shape)
    if inside.sum() < LEAST_POINTS:
        return False
    away = _sample(picture, pixels[inside]) - patch.colors[-1][inside]
    alike = np.abs(away - np.median(away, 0)).max(-1) < 3 * NOISE
    return bool(alike.mean() > ENOUGH_ALIKE)


def _torso_pixels(rgb: np.ndarray, face: DetectedFace, scale: float) -> Float[np.ndarray, "N 2"]:
    """Return pixels of the scaled picture that show the person below the chin."""
    square = tuple(round(value) for value in face.square)
    piece = resample_square(rgb, square, SQUARE).astype(np.float32) / 255
    in_square = (face.landmarks - square[:2]) * (SQUARE / square[2])
    mask = person_mask(piece, valid_square(rgb.shape[:2], square, SQUARE), in_square)
    height, width = (int(side * scale) for side in rgb.shape[:2])
    y, x = np.mgrid[1 : height - 1 : SPACING, 1 : width - 1 : SPACING] + 0.5
    pixels = np.stack([x.ravel(), y.ravel()], -1)
    within = (pixels / scale - square[:2]) * (SQUARE / square[2])
    index = np.clip(within.astype(int), 0, SQUARE - 1)
    inside = ((within >= 0) & (within < SQUARE)).all(1) & (mask[index[:, 1], index[:, 0]] > SURE)
    chin = face.landmarks[CHIN]
    aside = np.abs(pixels[:, 0] / scale - chin[0]) > BESIDE_CHIN * face.width
    below = pixels[:, 1] / scale > chin[1] + np.where(aside, -BELOW_CHIN, BELOW_CHIN) * face.width
    return pixels[inside & below]


def _on_chest(
    rays: Float[np.ndarray, "N 2"], rotation: Float[np.ndarray, "3 3"], neck: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "N 3"]:
    """Meet the pixels' rays with a usual chest; in the body's axes, from the neck joint."""
    rays = np.concatenate([rays, np.ones((len(rays), 1))], 1) @ rotation
    start = -neck @ rotation
    z = np.full(len(rays), CHEST_FRONT)
    for _ in range(4):
        points = start + rays * ((z - start[2]) / rays[:, 2])[:, None]
        z = np.maximum(CHEST_FRONT - CHEST_ROUND * points[:, 0] ** 2, -CHEST_FRONT)
    return points


def _pyramid(rgb: UInt8[np.ndarray, "H W 3"], scale: float) -> list[Float[np.ndarray, "h w 3"]]:
    height, width = (int(side * scale) for side in rgb.shape[:2])
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return [cv2.GaussianBlur(small, (0, 0), blur) for blur in BLURS]


def _sample(picture: Float[np.ndarray, "h w 3"], pixels: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 3"]:
    places = (pixels - 0.5).astype(np.float32)
    return cv2.remap(picture, places[:, :1], places[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]


def _inside(pixels: Float[np.ndarray, "N 2"], shape: tuple[int, ...]) -> Bool[np.ndarray, "N"]:
    return ((pixels > 1) & (pixels < [shape[1] - 1, shape[0] - 1])).all(1)
