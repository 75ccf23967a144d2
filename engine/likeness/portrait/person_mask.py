"""The coarse person mask: several opinions of two small networks, averaged."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage
from scipy.spatial import Delaunay

from likeness.portrait.detectors import segment_pose, segment_selfie

NETWORK_SIZE = 256
POSE_WEIGHT = 1.0
"""Pose's mask rarely swells into a dark or patterned background, as the selfie mask does; it is heard where sure."""
HEAD_WEIGHT = 0.7
HEAD_SIDE = 2.2
"""Of the tighter crop, in face widths."""

MAX_FACE_EDGE = 0.14
"""In face widths: longer triangles between landmarks bridge hollows of the silhouette."""
CORE_MARGIN = 0.3
"""Landmarks drawn in this far lie on the face even where it is turned away."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""
Segmenter = Callable[[UInt8[np.ndarray, "S S 3"]], Float[np.ndarray, "S S"] | None]


def person_mask(
    rgb: Float[np.ndarray, "S S 3"], valid: Bool[np.ndarray, "S S"], landmarks: Float[np.ndarray, "478 2"]
) -> Float[np.ndarray, "S S"]:
    """Estimate how likely each pixel belongs to this face's person; 0 outside `valid`."""
    picture = np.round(rgb * 255).astype(np.uint8)
    whole = _valid_box(valid)
    opinions = [
        _opinion(picture, whole, segment_selfie, weight=1.0),
        _opinion(picture, whole, _mirrored_selfie, weight=1.0),
        _where_sure(*_opinion(picture, whole, segment_pose, weight=POSE_WEIGHT)),
        _opinion(picture, _head_box(whole, landmarks), segment_selfie, weight=HEAD_WEIGHT),
    ]
    total = sum(mask * weight for mask, weight in opinions)
    mean = total / np.maximum(sum(weight for _, weight in opinions), 1e-6)
    return _without_holes(_connected_to_face(np.where(valid, mean, 0.0), landmarks))


def face_region(
    landmarks: Float[np.ndarray, "478 2"], size: int, *, margin: float = 0.06
) -> Bool[np.ndarray, "size size"]:
    """Fill what the landmarks, drawn in by the margin, cover.

    It follows hollows such as the one beside the nose of a turned face.
    """
    longest = MAX_FACE_EDGE * np.ptp(landmarks[:, 0])
    center = landmarks.mean(0)
    points = center + (landmarks - center) * (1 - margin)
    triangles = points[Delaunay(points).simplices]
    edges = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=-1)
    mask = np.zeros((size, size), np.uint8)
    for triangle in np.round(triangles[edges.max(1) < longest] * 16).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    return ndimage.binary_fill_holes(mask)


def _mirrored_selfie(picture: UInt8[np.ndarray, "S S 3"]) -> Float[np.ndarray, "S S"]:
    return segment_selfie(picture[:, ::-1])[:, ::-1]


def _valid_box(valid: Bool[np.ndarray, "S S"]) -> Box:
    rows, columns = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _head_box(whole: Box, landmarks: Float[np.ndarray, "478 2"]) -> Box:
    """The square around the head, a little above the face's centre, clipped to the picture."""
    width = np.ptp(landmarks[:, 0])
    x, y = (landmarks.min(0) + landmarks.max(0)) / 2 - (0, 0.2 * width)
    half = HEAD_SIDE / 2 * width
    left, top, right, bottom = whole
    return max(left, int(x - half)), max(top, int(y - half)), min(right, int(x + half)), min(bottom, int(y + half))


def _opinion(
    picture: UInt8[np.ndarray, "S S 3"], box: Box, segment: Segmenter, *, weight: float
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, "S S"]]:
    """Segment one box, stretched to the network's square; the mask, and its weight, fading at inner borders."""
    left, top, right, bottom = box
    mask = np.zeros(picture.shape[:2], np.float32)
    weights = np.zeros_like(mask)
    piece = cv2.resize(picture[top:bottom, left:right], (NETWORK_SIZE, NETWORK_SIZE), interpolation=cv2.INTER_AREA)
    found = segment(piece)
    if found is None:
        return mask, weights
    size = (right - left, bottom - top)
    mask[top:bottom, left:right] = cv2.resize(np.ascontiguousarray(found), size, interpolation=cv2.INTER_LINEAR)
    weights[top:bottom, left:right] = weight * _fade(size)
    return mask, weights


def _where_sure(
    mask: Float[np.ndarray, "S S"], weights: Float[np.ndarray, "S S"]
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, "S S"]]:
    return mask, weights * np.clip(np.abs(mask - 0.5) * 8 - 3, 0, 1)


def _without_holes(mask: Float[np.ndarray, "S S"]) -> Float[np.ndarray, "S S"]:
    """Raise what is surrounded by the person: patterned clothes and hats make the networks waver."""
    return np.where(ndimage.binary_fill_holes(mask > 0.8), np.maximum(mask, 0.95), mask)


def _fade(size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Ramp from 0.1 at the box's border to 1: the networks are least sure there."""
    ramps = [np.clip(np.minimum(np.arange(n) + 1, n - np.arange(n)) / (0.15 * n), 0.1, 1.0) for n in size]
    return np.minimum(ramps[1][:, None], ramps[0][None, :])


def _connected_to_face(
    mask: Float[np.ndarray, "S S"], landmarks: Float[np.ndarray, "478 2"]
) -> Float[np.ndarray, "S S"]:
    """Drop other people: keep the component of mask > 1/2 under the face, and what lies within reach of it."""
    face = face_region(landmarks, mask.shape[0], margin=CORE_MARGIN)
    labels, _ = ndimage.label((mask > 0.5) | face)
    own = labels == np.bincount(labels[face]).argmax()
    others = (labels > 0) & ~own
    if not others.any():
        return np.maximum(mask, face)
    nearer_to_own = ndimage.distance_transform_edt(~own) <= ndimage.distance_transform_edt(~others)
    return np.where(nearer_to_own, np.maximum(mask, face), 0.0)
