"""What an avatar is: a rig in FLAME's layout and Gaussians bound to its triangles.

Convention: metres, radians; head space is FLAME's (x to the subject's left, y up, z out of the face); colours are
sRGB in 0..1. Arrays are float32 or int32, C-contiguous. V vertices, F triangles, E controls, P pose features,
J joints, N Gaussians.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import numpy as np

Array = Annotated  # Array[np.ndarray, "V 3"] reads as in jaxtyping; NumPy alone is imported here.

JOINT_NAMES: tuple[str, ...] = ("root", "neck", "jaw", "left_eye", "right_eye")
"""FLAME's five joints, in FLAME's order; their parents are (-1, 0, 1, 1, 1)."""


class Part(IntEnum):
    """What a Gaussian depicts; the order is part of the file format."""

    SKIN = 0
    HAIR = 1
    TORSO = 2
    EYE = 3
    MOUTH = 4
    LASH = 5


@dataclass(frozen=True)
class Rig:
    """A head with its identity baked in: vertices = LBS(v_neutral + shapedirs @ controls + posedirs @ feature, pose).

    `posedirs` multiplies FLAME's pose feature, the row-major entries of (R_j - I) for every joint but the root
    (P = 9 (J - 1)). The last triangles may belong to a scaffold: coarse carrier triangles for hair and torso that
    have no shapes and follow neck and root only. `head_triangles` counts those before it.
    """

    v_neutral: Array[np.ndarray, "V 3"]
    faces: Array[np.ndarray, "F 3"]
    head_vertices: int
    head_triangles: int
    uv: Array[np.ndarray, "T 2"]
    faces_uv: Array[np.ndarray, "head_triangles 3"]
    control_names: tuple[str, ...]
    shapedirs: Array[np.ndarray, "V 3 E"]
    posedirs: Array[np.ndarray, "V 3 P"]
    joints: Array[np.ndarray, "J 3"]
    parents: tuple[int, ...]
    lbs_weights: Array[np.ndarray, "V J"]
    face_part: Array[np.ndarray, "F"]
    """`Part` of each triangle."""


@dataclass(frozen=True)
class BoundGaussians:
    """Gaussians that ride on triangles, as affine images of a unit Gaussian in the triangle's frame.

    With the frame F = [e1, e2, n / sqrt(|n|)] of a triangle (edges e1 = b - a, e2 = c - a, n = e1 x e2):
    mean = a + F @ local_mean, covariance = (F @ local_basis) (F @ local_basis)^T. A deformation of the triangle thus
    acts on its Gaussians as deformation transfer does (Sumner and Popovic 2004), without cracks between neighbours.
    """

    triangle: Array[np.ndarray, "N"]
    local_mean: Array[np.ndarray, "N 3"]
    local_basis: Array[np.ndarray, "N 3 3"]
    opacities: Array[np.ndarray, "N"]
    colors: Array[np.ndarray, "N 3"]
    part: Array[np.ndarray, "N"]


@dataclass(frozen=True)
class Lighting:
    """The light that the portrait was taken in, and how each Gaussian faced it; `contract.lighting` says what for."""

    harmonics: Array[np.ndarray, "9 3"]
    """Irradiance in head space by spherical harmonics of the normal (`contract.lighting.basis`), linear RGB; 1 for the
    first of each channel."""
    normals: Array[np.ndarray, "N 3"]
    """Of each Gaussian's surface in the portrait's expression, unit, head space; zero for one that stays as it is."""


@dataclass(frozen=True)
class PortraitView:
    """The photograph's own camera (OpenCV: x right, y down, z forward) and what the face did in it."""

    K: Array[np.ndarray, "3 3"]
    T_camera_head: Array[np.ndarray, "4 4"]
    width: int
    height: int
    controls: Array[np.ndarray, "E"]
    pose: Array[np.ndarray, "J 3"]
    """Rotation vectors of the joints."""
    face_square: tuple[float, float, float]
    """The square around the face, three face widths wide: left, top, side, in pixels of the photograph."""


@dataclass(frozen=True)
class AvatarInfo:
    """Where an avatar comes from; plain values that end up in avatar.json."""

    head_model: str
    head_model_hash: str
    head_model_licence: str
    portrait_sha256: str
    settings: dict[str, object]
    software_version: str
    schema_version: int = 1


@dataclass(frozen=True)
class Avatar:
    """Everything a .likeness file holds."""

    info: AvatarInfo
    rig: Rig
    gaussians: BoundGaussians
    lighting: Lighting
    view: PortraitView
    portrait_png: bytes
    """The photograph, upright: a PNG of 8-bit sRGB, as large as the view says."""
    thumbnail_png: bytes
    """A render of the head: a PNG of 8-bit sRGB with straight alpha."""
