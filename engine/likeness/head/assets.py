"""The parametric head's arrays, in FLAME's layout whatever the model is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class HeadAssets:
    """A head model as arrays; float32 / int32. Head space: metres, x to the subject's left, y up, z out of the face.

    V vertices, F triangles, S identity directions, E expression directions, J = 5 joints (`JOINT_NAMES`),
    P = 9 (J - 1) pose features, T texture coordinates.

    Forward pass (FLAME; Li et al. 2017, equations 1 to 3):
    shaped = v_template + shapedirs @ betas + exprdirs @ expression; joints = J_regressor @ (v_template + shapedirs @
    betas); vertices = LBS(shaped + posedirs @ vec(R_j - I), joints, pose, lbs_weights).
    """

    name: str
    """`open` or, for a user's own file, such as `flame2020`, `flame2023`, `flame2023-open`."""
    licence: str
    content_hash: str
    """sha256 over the model's arrays: avatars remember it, for coefficients of other models do not fit."""
    v_template: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    uv: Float[np.ndarray, "T 2"]
    faces_uv: Int[np.ndarray, "F 3"]
    shapedirs: Float[np.ndarray, "V 3 S"]
    """Each direction is one standard deviation of the population, largest first."""
    exprdirs: Float[np.ndarray, "V 3 E"]
    expr_names: tuple[str, ...]
    """ARKit's names on Open Head, `expr000`... on FLAME."""
    posedirs: Float[np.ndarray, "V 3 P"]
    J_regressor: Float[np.ndarray, "J V"]
    lbs_weights: Float[np.ndarray, "V J"]
    parents: tuple[int, ...]
    face_region: Int[np.ndarray, "F"]
    """Index into `REGION_NAMES` for every triangle; a partition of the surface."""
    hidden: Bool[np.ndarray, "V"]
    """Vertices no outside view sees on the mean head at rest: the mouth's inner walls, the eye sockets."""
    mirror: Int[np.ndarray, "V"]
    """The vertex at the mirrored place (exact on Open Head, nearest on FLAME)."""
    landmark_faces: Int[np.ndarray, "478"]
    """Triangle under each of MediaPipe's 478 landmarks (468 to 477 are the irises)."""
    landmark_bary: Float[np.ndarray, "478 3"]
    landmark_spread: Float[np.ndarray, "478"]
    """How far (metres, rms) the detector's landmark slides over the surface between views; weights the fit."""
    ibug_faces: Int[np.ndarray, "68"]
    ibug_bary: Float[np.ndarray, "68 3"]
    lid_loops: Int[np.ndarray, "2 11 28"] | None = None
    """Loops of vertices around the left and the right eye, laid out as likeness.head.lids says; Open Head only."""


REGION_NAMES: tuple[str, ...] = (
    "face",
    "scalp",
    "ears",
    "neck",
    "torso",
    "lids_left",
    "lids_right",
    "lips",
    "mouth_inside",
    "teeth_upper",
    "teeth_lower",
    "tongue",
    "eye_left",
    "eye_right",
    "lashes_left",
    "lashes_right",
)
"""Named regions; `face` is the skin of the face that belongs to no finer region. Left is the subject's."""


def hash_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of the arrays' names, types, shapes and values, in the names' order: a model's identity."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
