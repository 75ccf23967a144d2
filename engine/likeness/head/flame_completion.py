"""A FLAME head with all that Open Head has: regions, landmarks, the 52 ARKit shapes, teeth, tongue, lashes."""

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
from likeness.head.flame_lashes import lash_parts
from likeness.head.flame_lids import close_blinks
from likeness.head.flame_map import IBUG_FROM_MEDIAPIPE, Embedding, HeadMap, transfer_regions
from likeness.head.flame_mouth import mouth_parts
from likeness.head.flame_parts import Parts

EYE_REGIONS = {"left_eye": "eye_left", "right_eye": "eye_right"}
"""The region that turns about each joint."""
UV_STRIP = 0.2
"""Part of the texture's height, at the bottom, that eyeballs, mouth and lashes take."""


def complete(flame: HeadAssets, open_head: HeadAssets, head_map: HeadMap, embedding: Embedding) -> HeadAssets:
    """Return the completed head, whose expression directions are ARKit's 52 and then FLAME's own.

    Vertices and triangles of FLAME come first, as they are in the file; mouth and lashes follow. An ARKit shape does on
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
    mouth = mouth_parts(regional, open_head, head_map)
    lashes = lash_parts(regional, open_head, head_map, shapes)
    return _appended(_appended(_with_shapes(regional, head_map, shapes), mouth, 2), lashes, 3)


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


def _with_shapes(flame: HeadAssets, head_map: HeadMap, shapes: Float[np.ndarray, "V 3 52"]) -> HeadAssets:
    """Put ARKit's shapes before FLAME's; lay the skin's cylinder above a strip that holds eyeballs and parts."""
    uv = flame.uv * [1, 1 - UV_STRIP] + [0, UV_STRIP]
    for number in (1, 2):
        ball = np.flatnonzero(head_map.eyeball == number)
        uv[ball] = _into_cell(flame.v_template[ball, :2], number - 1)
    exprdirs = _single(np.concatenate([shapes, flame.exprdirs], -1))
    return replace(flame, uv=_single(uv), exprdirs=exprdirs, expr_names=ARKIT_NAMES + flame.expr_names)


def _appended(head: HeadAssets, parts: Parts, cell: int) -> HeadAssets:
    """Append parts to a head; their texture goes into a cell of the strip."""
    count, added, cut = len(head.v_template), len(parts.vertices), parts.cut
    directions = np.concatenate([parts.arkit, parts.exprdirs], -1)
    return replace(
        head,
        v_template=_single(np.concatenate([head.v_template, parts.vertices])),
        faces=np.concatenate([head.faces, cut.faces + count]).astype(np.int32),
        uv=_single(np.concatenate([head.uv, _into_cell(cut.uv, cell)])),
        faces_uv=np.concatenate([head.faces_uv, cut.faces_uv + len(head.uv)]).astype(np.int32),
        shapedirs=_single(np.concatenate([head.shapedirs, parts.shapedirs])),
        exprdirs=_single(np.concatenate([head.exprdirs, directions])),
        posedirs=_single(np.concatenate([head.posedirs, np.zeros((added, *head.posedirs.shape[1:]))])),
        J_regressor=_single(np.concatenate([head.J_regressor, np.zeros((len(head.J_regressor), added))], 1)),
        lbs_weights=_single(np.concatenate([head.lbs_weights, cut.lbs_weights])),
        face_region=np.concatenate([head.face_region, cut.face_region]).astype(np.int32),
        hidden=np.concatenate([head.hidden, cut.hidden]),
        mirror=np.concatenate([head.mirror, cut.mirror + count]).astype(np.int32),
    )


def _into_cell(points: Float[np.ndarray, "N 2"], cell: int) -> Float[np.ndarray, "N 2"]:
    """Scale points into one of the strip's cells, each as wide as the strip is high."""
    low, high = points.min(0), points.max(0)
    return ((points - low) / (high - low).max() * 0.95 + [cell, 0.02]) * UV_STRIP


def _single(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)
