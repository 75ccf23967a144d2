"""Where a head is by its colours: an avatar's own, compared with the frames of a clip that shows the same person.

Landmarks leave a head's pitch, its distance and a talking mouth to explain each other; hair and the head's outline do
not. Points that the avatar's photograph shows are projected into every frame; the pose moves until the frame is as
bright as they are there (Lucas and Kanade 1981, over six numbers, with the light's gain and offset). What a frame says
of its pose is kept as a quadratic, so that landmarks, controls and smoothness are weighed against it together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numba import njit

from likeness.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from likeness.tracking.clip_head import ClipHead, Frames

UNIT = 96.0
"""Width of the face in the pictures that are compared, pixels."""
FACE_WIDTH = 0.15
"""Metres; for choosing the pictures' size alone."""
BLURS = (3.0, 1.2)
"""Pixels; coarse to fine."""
MARGIN = 12
ITERATIONS, SETTLED = 5, 0.02
"""Steps at each blur; less than so many leashes is no step."""
NOISE = 0.06
"""Of a point's brightness, sRGB 0..1; beyond twice as much a point counts ever less."""
EVIDENCE = 40.0
"""A frame's points weigh as much as so many: neighbouring ones err together, as hair and light do."""
LEAST_FACING, LEAST_POINTS = 0.15, 100
LEASH = np.array([0.02, 0.02, 0.02, 0.003, 0.003, 0.02])
"""Radians and metres: how far the landmarks' pose is usually wrong."""
LIGHT = np.array([0.2, 0.1])
"""How far gain and offset usually are from 1 and 0."""
SAME_PERSON = 0.7
"""Correlation of brightness, usual over a clip, under which the avatar shows somebody else."""


@dataclass(frozen=True)
class HeadPatch:
    """Points of a head with their brightness; N of them, metres, head space at rest."""

    base: Float[np.ndarray, "N 3"]
    directions: Float[np.ndarray, "N 3 52"]
    normals: Float[np.ndarray, "N 3"]
    grey: Float[np.ndarray, "B N"]
    """As in every blurred picture, sRGB 0..1."""


@dataclass(frozen=True)
class PoseEvidence:
    """What pictures say of T poses: 1/2 d^T information d + gradient^T d, d the step (camera axes) from these."""

    rotations: Float[np.ndarray, "T 3 3"]
    translations: Float[np.ndarray, "T 3"]
    information: Float[np.ndarray, "T 6 6"]
    gradient: Float[np.ndarray, "T 6"]
    alike: Float[np.ndarray, "T"]
    """Correlation with the patch; NaN where nothing was compared."""

    def __getitem__(self, chosen: slice) -> PoseEvidence:
        """Return a stretch of the frames."""
        return PoseEvidence(*(getattr(self, name)[chosen] for name in PoseEvidence.__dataclass_fields__))

    @property
    def same_person(self) -> bool:
        """Whether the patch looks like what the clip shows."""
        compared = self.alike[np.isfinite(self.alike)]
        return len(compared) > 0 and bool(np.median(compared) > SAME_PERSON)

    def pull(self, frames: Frames) -> Float[np.ndarray, "T 6"]:
        """Return the quadratics' gradients where `frames` are."""
        return self.gradient + np.einsum("tab,tb->ta", self.information, self._away(frames))

    def cost(self, frames: Frames) -> float:
        """Return the quadratics' sum where `frames` are."""
        away = self._away(frames)
        return float((self.gradient * away).sum() + 0.5 * np.einsum("ta,tab,tb->", away, self.information, away))

    def _away(self, frames: Frames) -> Float[np.ndarray, "T 6"]:
        turns = rotmat_to_rotvec(frames.rotations @ self.rotations.transpose(0, 2, 1))
        return np.concatenate([turns, frames.translations - self.translations], 1)


def no_evidence(frames: Frames) -> PoseEvidence:
    """Return evidence to be filled by `compare`: so far nothing is known."""
    count = len(frames)
    nothing = np.zeros((count, 6, 6)), np.zeros((count, 6)), np.full(count, np.nan)
    return PoseEvidence(frames.rotations.copy(), frames.translations.copy(), *nothing)


def compare(
    rgb: UInt8[np.ndarray, "H W 3"], patch: HeadPatch, frames: Frames, t: int, head: ClipHead, found: PoseEvidence
) -> None:
    """Align the patch to frame `t`, from its pose in `frames`, and fill in what is `found`; out of sight nothing is."""
    points = patch.base + patch.directions @ frames.controls[t]
    pose = frames.rotations[t], frames.translations[t]
    pictures = _pictures(rgb, points, pose, head)
    if pictures is None:
        return
    levels, lens = pictures
    for picture, grey in zip(levels, patch.grey, strict=True):
        seen = picture, grey, points, patch.normals
        light = np.array([1.0, 0.0])
        for _ in range(ITERATIONS):
            normal, right, count, _ = weighed(*seen, *pose, lens, light)
            if count < LEAST_POINTS:
                return
            step = _held_step(normal, right, pose, frames, t, light)
            pose = rotvec_to_rotmat(step[:3]) @ pose[0], pose[1] + step[3:6]
            light = light + step[6:]
            if np.abs(step[:6] / LEASH).max() < SETTLED:
                break
    normal, right, count, alike = weighed(*seen, *pose, lens, light)
    if count < LEAST_POINTS:
        return
    # Whatever the light is: gain and offset are eliminated.
    cross = np.linalg.solve(normal[6:, 6:] + np.diag(LIGHT**-2), normal[6:, :6])
    found.rotations[t], found.translations[t], found.alike[t] = *pose, alike
    found.information[t] = normal[:6, :6] - normal[:6, 6:] @ cross
    found.gradient[t] = right[:6] - cross.T @ right[6:]


def weighed(
    picture: Float[np.ndarray, "h w"],
    grey: Float[np.ndarray, "N"],
    points: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    rotation: Float[np.ndarray, "3 3"],
    translation: Float[np.ndarray, "3"],
    lens: Float[np.ndarray, "4"],
    light: Float[np.ndarray, "2"],
) -> tuple[Float[np.ndarray, "8 8"], Float[np.ndarray, "8"], int, float]:
    """Return J^T W J, J^T W r over [rotation, translation, gain, offset], how many points count, and their correlation.

    `lens` is [focal x, focal y, center x, center y] in pixels of the picture.
    """
    normal, right, sums = _terms(picture, grey, points, normals, rotation, translation, lens, light)
    share = min(EVIDENCE / max(sums[1], 1e-9), 1.0) / NOISE**2
    a, b, aa, bb, ab = sums[2:] / max(sums[0], 1.0)
    spread = max((aa - a * a) * (bb - b * b), 1e-12)
    return normal * share, right * share, int(sums[0]), float((ab - a * b) / np.sqrt(spread))


def _held_step(
    normal: np.ndarray,
    right: np.ndarray,
    pose: tuple[np.ndarray, np.ndarray],
    frames: Frames,
    t: int,
    light: np.ndarray,
) -> Float[np.ndarray, "8"]:
    """Return a Gauss-Newton step on the leash: the landmarks' pose and usual light hold it back."""
    off = np.concatenate(
        [rotmat_to_rotvec(pose[0] @ frames.rotations[t].T), pose[1] - frames.translations[t], light - [1.0, 0.0]]
    )
    held = np.concatenate([LEASH, LIGHT]) ** -2
    step = -np.linalg.solve(normal + np.diag(held), right + held * off)
    step[:6] = np.clip(step[:6], -2 * LEASH, 2 * LEASH)
    return step


def _pictures(
    rgb: np.ndarray, points: np.ndarray, pose: tuple[np.ndarray, np.ndarray], head: ClipHead
) -> tuple[list[Float[np.ndarray, "h w"]], Float[np.ndarray, "4"]] | None:
    """Return the frame around the points, small, grey and blurred, and its lens; None where they are out of it."""
    placed = points @ pose[0].T + pose[1]
    pixels = head.focal * placed[:, :2] / placed[:, 2:] + head.center
    scale = min(UNIT * pose[1][2] / (head.focal * FACE_WIDTH), 1.0)
    low = np.maximum(np.floor(pixels.min(0) - MARGIN / scale).astype(int), 0)
    high = np.minimum(np.ceil(pixels.max(0) + MARGIN / scale).astype(int), [rgb.shape[1], rgb.shape[0]])
    size = np.round((high - low) * scale).astype(int)
    if (size < MARGIN).any():
        return None
    crop = cv2.cvtColor(rgb[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    small = cv2.resize(crop, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    fine = size / (high - low)
    lens = np.concatenate([head.focal * fine, (head.center - low) * fine])
    return [cv2.GaussianBlur(small, (0, 0), blur) for blur in BLURS], lens


@njit(cache=True, nogil=True)
@no_type_check
def _terms(picture, grey, points, normals, rotation, translation, lens, light):
    """Sum J^T w J and J^T w r over the points that face the camera within the picture.

    Also [points, weights, and the means' sums of a correlation: a, b, aa, bb, ab].
    """
    height, width = picture.shape
    normal, right, sums, row = np.zeros((8, 8)), np.zeros(8), np.zeros(7), np.zeros(8)
    for i in range(points.shape[0]):
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        tx = rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz
        ty = rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz
        tz = rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz
        x, y, z = tx + translation[0], ty + translation[1], tz + translation[2]
        facing = 0.0
        for a, along in ((0, x), (1, y), (2, z)):
            for b in range(3):
                facing -= along * rotation[a, b] * normals[i, b]
        u, v = lens[0] * x / z + lens[2] - 0.5, lens[1] * y / z + lens[3] - 0.5
        if facing < LEAST_FACING * np.sqrt(x * x + y * y + z * z):
            continue
        if not (1 <= u < width - 2 and 1 <= v < height - 2):
            continue
        left, top = int(u), int(v)
        s, t = u - left, v - top
        value = across = down = 0.0
        for dy in range(2):
            for dx in range(2):
                share, m, n = (t if dy else 1 - t) * (s if dx else 1 - s), top + dy, left + dx
                value += share * picture[m, n]
                across += share * 0.5 * (picture[m, n + 1] - picture[m, n - 1])
                down += share * 0.5 * (picture[m + 1, n] - picture[m - 1, n])
        own = grey[i]
        residual = value - (light[0] * own + light[1])
        away = residual / (2 * NOISE)
        weight = 1 / (1 + away * away) ** 2
        gx, gy = across * lens[0] / z, down * lens[1] / z
        gz = -(gx * x + gy * y) / z
        row[0], row[1], row[2] = ty * gz - tz * gy, tz * gx - tx * gz, tx * gy - ty * gx
        row[3], row[4], row[5], row[6], row[7] = gx, gy, gz, -own, -1.0
        for a in range(8):
            scaled = weight * row[a]
            right[a] += scaled * residual
            for b in range(a, 8):
                normal[a, b] += scaled * row[b]
        sums[0] += 1
        sums[1] += weight
        sums[2] += value
        sums[3] += own
        sums[4] += value * value
        sums[5] += own * own
        sums[6] += value * own
    for a in range(8):
        for b in range(a):
            normal[a, b] = normal[b, a]
    return normal, right, sums
