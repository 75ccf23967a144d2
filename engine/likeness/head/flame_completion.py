"""A FLAME head with all that Open Head has: regions, landmarks, the 52 ARKit shapes, teeth, tongue and inner mouth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import JOINT_NAMES
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.head.flame import mirror_vertices
from likeness.head.flame_arkit import eye_rotations
from likeness.head.flame_lids import close_blinks
from likeness.head.flame_map import IBUG_FROM_MEDIAPIPE, Embedding, HeadMap, transfer_regions
from likeness.head.flame_mouth import MouthParts, mouth_parts

EYE_REGIONS = {"left_eye": "eye_left", "right_eye": "eye_right"}
"""The region that turns about each joint."""
UV_STRIP = 0.2
"""Part of the texture's height, at the bottom, that eyeballs and mouth take."""


def complete(flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap, embedding: Embedding) -> HeadAssets:
    """Return the completed head, whose expression directions are ARKit's 52 and then FLAME's own.

    Vertices and triangles of FLAME come first, as they are in the file; the mouth's follow. An ARKit shape does on
    FLAME's skin what it does on Open Head's: FLAME's expressions alone neither close an eye nor roll a lip.
    """
    points = embedding.points
    regional = replace(
        flame,
        face_region=transfer_regions(head_map, open_head, flame),
        landmark_faces=points.faces.astype(np.int32),
        landmark_bary=points.bary.astype(np.float32),
        landmark_spread=embedding.spread.astype(np.float32),
        ibug_faces=points.faces[list(IBUG_FROM_MEDIAPIPE)].astype(np.int32),
        ibug_bary=points.bary[list(IBUG_FROM_MEDIAPIPE)].astype(np.float32),
        mirror=_mirror(flame, head_map),
        hidden=_unseen(flame, head_map),
    )
    shapes = head_map.transfer(open_head.exprdirs, open_head, regional)
    _turn_eyes(shapes, regional, open_head, head_map)
    shaped = replace(regional, exprdirs=_single(shapes), expr_names=ARKIT_NAMES)
    shapes = close_blinks(shaped, flame.v_template)
    return _joined(regional, head_map, shapes, mouth_parts(regional, open_head, head_map))


def _turn_eyes(
    shapes: Float[np.ndarray, "V 3 52"], flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap
) -> None:
    """Write into the shapes how the eyeballs turn about FLAME's own eye joints."""
    joints = flame.J_regressor @ flame.v_template
    for number, name in ((1, "left_eye"), (2, "right_eye")):
        members = head_map.eyeball == number
        offset = flame.v_template[members] - joints[JOINT_NAMES.index(name)]
        turns = rotvec_to_rotmat(eye_rotations(open_head, EYE_REGIONS[name])) - np.eye(3)
        shapes[members] = np.einsum("kab,vb->vak", turns, offset)


def _unseen(flame: HeadAssets, head_map: HeadMap) -> Bool[np.ndarray, "V"]:
    hidden = np.ones(len(flame.v_template), bool)
    hidden[flame.faces[head_map.seen]] = False
    return hidden


def _mirror(flame: HeadAssets, head_map: HeadMap) -> Int[np.ndarray, "V"]:
    """Return the nearest vertex at each one's mirrored place, skin on skin and eyeball on eyeball."""
    mirror = np.empty(len(flame.v_template), np.int32)
    skin, eyes = np.flatnonzero(head_map.eyeball == 0), np.flatnonzero(head_map.eyeball > 0)
    for members in (skin, eyes):
        mirror[members] = members[mirror_vertices(flame.v_template[members])]
    return mirror


def _joined(
    flame: HeadAssets, head_map: HeadMap, shapes: Float[np.ndarray, "V 3 52"], parts: MouthParts
) -> HeadAssets:
    count, added = len(flame.v_template), len(parts.vertices)
    uv, faces_uv = _joined_uv(flame, head_map, parts)
    arkit = np.concatenate([shapes, parts.arkit])
    own = np.concatenate([flame.exprdirs, parts.exprdirs])
    return replace(
        flame,
        v_template=_single(np.concatenate([flame.v_template, parts.vertices])),
        faces=np.concatenate([flame.faces, parts.faces + count]).astype(np.int32),
        uv=_single(uv),
        faces_uv=faces_uv.astype(np.int32),
        shapedirs=_single(np.concatenate([flame.shapedirs, parts.shapedirs])),
        exprdirs=_single(np.concatenate([arkit, own], -1)),
        expr_names=ARKIT_NAMES + flame.expr_names,
        posedirs=_single(np.concatenate([flame.posedirs, np.zeros((added, *flame.posedirs.shape[1:]))])),
        J_regressor=_single(np.concatenate([flame.J_regressor, np.zeros((len(flame.J_regressor), added))], 1)),
        lbs_weights=_single(np.concatenate([flame.lbs_weights, parts.lbs_weights])),
        face_region=np.concatenate([flame.face_region, parts.face_region]).astype(np.int32),
        hidden=np.concatenate([flame.hidden, np.ones(added, bool)]),
        mirror=np.concatenate([flame.mirror, parts.mirror + count]).astype(np.int32),
    )


def _joined_uv(flame: HeadAssets, head_map: HeadMap, parts: MouthParts) -> tuple[np.ndarray, np.ndarray]:
    """Lay the skin's cylinder above, eyeballs and mouth side by side in a strip at the bottom."""
    uv = flame.uv * [1, 1 - UV_STRIP] + [0, UV_STRIP]
    for number in (1, 2):
        ball = np.flatnonzero(head_map.eyeball == number)
        uv[ball] = _into_cell(flame.v_template[ball, :2], number - 1)
    return np.concatenate([uv, _into_cell(parts.uv, 2)]), np.concatenate([flame.faces_uv, parts.faces_uv + len(uv)])


def _into_cell(points: Float[np.ndarray, "N 2"], cell: int) -> Float[np.ndarray, "N 2"]:
    """Scale points into one of the strip's cells, each as wide as the strip is high."""
    low, high = points.min(0), points.max(0)
    return ((points - low) / (high - low).max() * 0.95 + [cell, 0.02]) * UV_STRIP


def _single(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)
