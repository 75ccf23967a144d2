"""What holds in every avatar: types, shapes, ranges. Checked before writing and after reading."""

from __future__ import annotations

import struct
from dataclasses import fields
from typing import get_type_hints

import numpy as np

from likeness.contract.avatar import JOINT_NAMES, Avatar, BoundGaussians, Lighting, Part, PortraitView, Rig

INTEGER_ARRAYS = {"faces", "faces_uv", "face_part", "triangle", "part"}
MAX_PICTURE_SIDE = 1 << 16
MAX_METRES = 100.0
"""Far beyond any head; keeps wild numbers of a damaged file out of the arithmetic."""
MAX_LOCAL = 1e4
"""In the edge lengths of a triangle, which are millimetres; what sticks out farthest lies a few dozen away."""
MAX_COLOR = 100.0


def check_avatar(avatar: Avatar) -> None:
    """Raise ValueError, saying what is wrong, unless every part of the avatar fits the others."""
    _check_info(avatar)
    _check_counts(avatar.rig, avatar.view)
    sizes = {"J": len(JOINT_NAMES), "P": 9 * (len(JOINT_NAMES) - 1), "E": len(avatar.rig.control_names)}
    sizes["head_triangles"] = avatar.rig.head_triangles
    for owner in (avatar.rig, avatar.gaussians, avatar.lighting, avatar.view):
        _check_arrays(owner, sizes)
    _check_rig(avatar.rig)
    _check_gaussians(avatar.gaussians, len(avatar.rig.faces))
    _check_lighting(avatar.lighting)
    _check_view(avatar.view)
    _check_png("portrait.png", avatar.portrait_png, channels=3, size=(avatar.view.width, avatar.view.height))
    _check_png("thumbnail.png", avatar.thumbnail_png, channels=4, size=None)


def _check_arrays(owner: Rig | BoundGaussians | Lighting | PortraitView, sizes: dict[str, int]) -> None:
    """Check types, finite values and the shapes that stand in the dataclass; named sizes must agree throughout."""
    hints = get_type_hints(type(owner), include_extras=True)
    for field in fields(owner):
        shape = getattr(hints[field.name], "__metadata__", None)
        if shape:
            _check_array(field.name, getattr(owner, field.name), shape[0].split(), sizes)


def _check_array(name: str, array: np.ndarray, shape: list[str], sizes: dict[str, int]) -> None:
    expected = np.dtype(np.int32 if name in INTEGER_ARRAYS else np.float32)
    _require(isinstance(array, np.ndarray), f"{name} is not an array")
    _require(array.dtype == expected, f"{name} is {array.dtype}, not {expected}")
    wanted = [int(size) if size.isdigit() else sizes.get(size) for size in shape]
    fits = array.ndim == len(shape) and all(w in (None, n) for w, n in zip(wanted, array.shape, strict=True))
    _require(fits, f"{name} has the shape {array.shape}, which does not fit ({', '.join(shape)})")
    sizes.update({size: n for size, n in zip(shape, array.shape, strict=True) if not size.isdigit()})
    _require(bool(np.isfinite(array).all()), f"{name} holds a number that is not finite")


def _check_info(avatar: Avatar) -> None:
    info = avatar.info
    for name in ("head_model", "head_model_hash", "head_model_licence", "portrait_sha256", "software_version"):
        _require(isinstance(getattr(info, name), str), f"{name} is not a text")
    _require(isinstance(info.settings, dict), "settings is not an object")
    _require(_is_count(info.schema_version), "schema_version is not a number")


def _check_counts(rig: Rig, view: PortraitView) -> None:
    for owner, names in ((rig, ("head_vertices", "head_triangles")), (view, ("width", "height"))):
        for name in names:
            _require(_is_count(getattr(owner, name)), f"{name} is not a count")
    _require(max(view.width, view.height) <= MAX_PICTURE_SIDE, "the portrait's size is beyond any picture")
    names = rig.control_names
    _require(isinstance(names, tuple) and all(isinstance(name, str) for name in names), "control_names are not texts")
    _require(len(set(names)) == len(names), "a control's name appears twice")


def _check_rig(rig: Rig) -> None:
    _require(rig.head_vertices <= len(rig.v_neutral), "head_vertices is more than there are")
    _require(rig.head_triangles <= len(rig.faces), "head_triangles is more than there are")
    _check_range("faces", rig.faces, len(rig.v_neutral))
    _check_range("faces_uv", rig.faces_uv, len(rig.uv))
    _check_range("face_part", rig.face_part, len(Part))
    for name in ("v_neutral", "shapedirs", "posedirs", "joints"):
        _require(_within(getattr(rig, name), MAX_METRES), f"{name} reaches beyond {MAX_METRES:g} m")
    _require(_within(rig.lbs_weights, 1.5), "lbs_weights are not weights")
    parents = rig.parents
    are_indices = isinstance(parents, tuple) and all(type(parent) is int for parent in parents)
    _require(are_indices and len(parents) == len(JOINT_NAMES), "parents does not name every joint's parent")
    ordered = all(0 <= parent < joint for joint, parent in enumerate(parents) if joint)
    _require(parents[0] == -1 and ordered, "parents is not a tree")


def _check_gaussians(gaussians: BoundGaussians, triangles: int) -> None:
    _check_range("triangle", gaussians.triangle, triangles)
    _check_range("part", gaussians.part, len(Part))
    inside = not gaussians.opacities.size or (gaussians.opacities.min() >= 0 and gaussians.opacities.max() <= 1)
    _require(bool(inside), "opacities are outside 0..1")
    _require(_within(gaussians.colors, MAX_COLOR), "colors are beyond any light")
    for name in ("local_mean", "local_basis"):
        _require(_within(getattr(gaussians, name), MAX_LOCAL), f"{name} lies too far from its triangle")


def _check_lighting(lighting: Lighting) -> None:
    _require(_within(lighting.harmonics, MAX_COLOR), "harmonics are beyond any light")
    length = np.linalg.norm(lighting.normals, axis=1)
    _require(bool(np.all((length < 1e-6) | (np.abs(length - 1) < 1e-3))), "normals are not unit vectors")


def _check_view(view: PortraitView) -> None:
    _require(view.K[0, 0] > 0 and view.K[1, 1] > 0, "the camera's focal length is not positive")
    _require(np.array_equal(view.K[2], [0, 0, 1]), "K is not a pinhole camera's")
    rotation = view.T_camera_head[:3, :3].astype(np.float64)
    is_rotation = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0
    _require(bool(is_rotation), "T_camera_head does not turn rigidly")
    _require(np.array_equal(view.T_camera_head[3], [0, 0, 0, 1]), "T_camera_head is not a rigid transform")
    _require(_within(view.T_camera_head, MAX_METRES), "T_camera_head is too far away")
    square = view.face_square
    are_numbers = isinstance(square, tuple) and all(isinstance(x, int | float) and abs(x) < 1e6 for x in square)
    _require(are_numbers and len(square) == 3 and square[2] > 0, "face_square is not a square")


def _check_png(name: str, data: bytes, *, channels: int, size: tuple[int, int] | None) -> None:
    """Check the header, 8 bits of RGB or RGBA (PNG specification, section 11.2.2); the pixels stay packed."""
    sound = len(data) > 33 and data[:16] == b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
    _require(sound, f"{name} is not a PNG")
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    _require((depth, colour_type) == (8, {3: 2, 4: 6}[channels]), f"{name} does not have {channels} channels of 8 bits")
    _require(0 < width <= MAX_PICTURE_SIDE and 0 < height <= MAX_PICTURE_SIDE, f"{name} has an impossible size")
    _require(size in (None, (width, height)), f"{name} is not as large as the view says")


def _check_range(name: str, indices: np.ndarray, count: int) -> None:
    _require(not indices.size or (indices.min() >= 0 and indices.max() < count), f"{name} points outside 0..{count}")


def _within(array: np.ndarray, limit: float) -> bool:
    return not array.size or float(np.abs(array).max()) <= limit


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise ValueError(complaint)
