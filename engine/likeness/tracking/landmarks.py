"""Which of MediaPipe's 478 landmarks say what, and how far each is to be believed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.tracking.parameters import FitState, LinearPoints, project

EYE_CORNERS = (33, 263)
"""The outer corners; their distance is the interocular distance, the unit of every landmark error."""
IRISES, RIGHT_IRIS, LEFT_IRIS = slice(468, 478), slice(468, 473), slice(473, 478)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
BESIDE_OVAL = (447, 227, 401, 177, 264, 34, 366, 137, 372, 143, 139, 368)
EYES = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
    263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466,
)  # fmt: skip
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
NOSE = (1, 2, 4, 5, 6, 19, 94, 98, 97, 326, 327, 168, 195, 197, 48, 278, 64, 294, 129, 358, 102, 331)
CHIN = (152, 148, 377, 176, 400)
FEATURES = EYES + LIPS + BROWS + NOSE + CHIN
"""Where the picture shows something to detect; elsewhere, on cheeks and forehead, the detector guesses."""
IRIS_BIAS = (0.005, 0.0105)
"""How far outwards and up (face sizes) the irises are detected, relative to the embedded ones, on people who look into
the camera; the mean over six photographs."""
SPREAD_SCALE = 0.003
"""A landmark that slides this far over the surface (metres) counts half."""
GRAZING = 0.25
"""A point whose normal makes a smaller cosine than this with the line of sight may be on the face's edge."""


def interocular(landmarks: Float[np.ndarray, "478 2"]) -> float:
    """Return the distance of the outer eye corners, pixels."""
    return float(np.linalg.norm(landmarks[EYE_CORNERS[0]] - landmarks[EYE_CORNERS[1]]))


def face_size(landmarks: Float[np.ndarray, "478 2"]) -> float:
    """Return a length like the interocular distance that turning the head does not shrink, pixels."""
    upright = float(np.linalg.norm(landmarks[10] - landmarks[152]))
    return max(interocular(landmarks), 0.68 * upright)


def unbiased(landmarks: Float[np.ndarray, "478 2"]) -> Float[np.ndarray, "478 2"]:
    """Return the landmarks with the irises' bias taken off."""
    leftwards = landmarks[EYE_CORNERS[1]] - landmarks[EYE_CORNERS[0]]
    leftwards = leftwards / np.linalg.norm(leftwards)
    up = np.array([leftwards[1], -leftwards[0]])
    outward, upward = np.array(IRIS_BIAS) * face_size(landmarks)
    corrected = landmarks.astype(np.float64)
    corrected[RIGHT_IRIS] -= upward * up - outward * leftwards
    corrected[LEFT_IRIS] -= upward * up + outward * leftwards
    return corrected


def landmark_weights(assets: HeadAssets) -> Float[np.ndarray, "478"]:
    """Return how much each landmark counts, 1 for one that stays in place on the skin."""
    weights = 1 / (1 + (assets.landmark_spread.astype(np.float64) / SPREAD_SCALE) ** 2)
    weights[list(OVAL)] *= 0.25
    weights[list(BESIDE_OVAL)] *= 0.3
    weights[list(EYES + LIPS)] *= 2.0
    weights[IRISES] = 1.5
    return weights


def embedded_landmarks(vertices: LinearPoints, assets: HeadAssets) -> LinearPoints:
    """Return the landmarks as points on the surface."""
    return vertices.at(assets.faces[assets.landmark_faces], assets.landmark_bary.astype(np.float64))


class FaceEdges:
    """The edges between the skin's triangles, among which the outline of a turned face is found."""

    def __init__(self, assets: HeadAssets) -> None:
        skin = np.isin(assets.face_region, [REGION_NAMES.index("face"), REGION_NAMES.index("neck")])
        faces = assets.faces[skin]
        sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        order = np.lexsort(sides.T)
        same = np.flatnonzero((sides[order][1:] == sides[order][:-1]).all(1))
        self.faces: Int[np.ndarray, "F 3"] = faces
        self.ends: Int[np.ndarray, "E 2"] = sides[order][same]
        self.triangles: Int[np.ndarray, "E 2"] = np.stack([order[same], order[same + 1]], 1) // 3

    def outline(self, positions: Float[np.ndarray, "V 3"], eye: Float[np.ndarray, "3"]) -> Int[np.ndarray, "N 2"]:
        """Return the ends of the edges between triangles that face the `eye` and such that do not."""
        corners = positions[self.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        facing = (normals * (eye - corners[:, 0])).sum(1) > 0
        return self.ends[facing[self.triangles[:, 0]] != facing[self.triangles[:, 1]]]


def grazing_oval(
    assets: HeadAssets, positions: Float[np.ndarray, "V 3"], eye: Float[np.ndarray, "3"]
) -> Int[np.ndarray, "N"]:
    """Return the landmarks of the face's oval whose skin turns away from the `eye`; the detector puts them on the edge.

    `positions` are the head's vertices and `eye` the camera, both in head space.
    """
    oval = np.array(OVAL)
    corners = positions[assets.faces[assets.landmark_faces[oval]]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sight = eye - corners.mean(1)
    cosine = (normals * sight).sum(1) / (np.linalg.norm(normals, axis=1) * np.linalg.norm(sight, axis=1))
    return oval[cosine < GRAZING]


def nearest_outline(
    vertices: LinearPoints,
    state: FitState,
    ends: Int[np.ndarray, "N 2"],
    observed: Float[np.ndarray, "M 2"],
    *,
    reach: float,
) -> tuple[Int[np.ndarray, "K"], Int[np.ndarray, "K 2"], Float[np.ndarray, "K 2"]]:
    """Match detected pixels to the outline's edges within `reach` pixels.

    Return which of `observed` have a partner, the partner's ends, and the unit normal of its edge in the picture.
    """
    if not len(ends) or not len(observed):
        return np.zeros(0, int), np.zeros((0, 2), int), np.zeros((0, 2))
    used, index = np.unique(ends, return_inverse=True)
    pixels = project(LinearPoints(vertices.base[used], vertices.directions[used]), state)[index.reshape(ends.shape)]
    distance = np.linalg.norm(pixels.mean(1)[None] - observed[:, None], axis=2)
    nearest = distance.argmin(1)
    matched = np.flatnonzero(distance.min(1) < reach)
    edge = pixels[nearest[matched], 1] - pixels[nearest[matched], 0]
    normal = np.stack([-edge[:, 1], edge[:, 0]], 1)
    return matched, ends[nearest[matched]], normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
