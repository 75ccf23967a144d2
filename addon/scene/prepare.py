"""An avatar made ready for Blender: axes turned, attributes laid out. NumPy alone, so that a thread can do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import JOINT_NAMES, Avatar, AvatarInfo, BoundGaussians, PortraitView, Rig
from likeness.contract.levels import in_order, rest_means
from likeness.contract.lighting import LitColors, lit_colors

from ..conventions import BONE_NAMES, head_to_blender, srgb_to_linear
from .correctives import correctives

Array = Annotated
OVERSHOOT = 1.5
"""How far ARKit's controls may be pushed beyond their full value."""
COEFFICIENT_RANGE = 3.0
"""Standard deviations of a head model's own coefficients."""
TWO_SIDED_PREFIXES = ("eyeLook", "jawLeft", "jawRight", "jawForward")
"""Controls whose opposite makes sense too."""
SMOOTHING_PASSES = 30


@dataclass(frozen=True)
class PreparedKey:
    """A shape key, and the driver of one that follows a bone."""

    name: str
    positions: Array[np.ndarray, "V 3"]
    range: tuple[float, float]
    bone: str = ""
    expression: str = ""


@dataclass(frozen=True)
class PreparedBone:
    """A bone at rest: Blender's axes, metres."""

    name: str
    parent: str
    head: tuple[float, float, float]
    tail: tuple[float, float, float]
    z_axis: tuple[float, float, float]
    weights: Array[np.ndarray, "V"]


@dataclass(frozen=True)
class PreparedAvatar:
    """All that `build.add_avatar` hands over to Blender; Blender's axes, metres."""

    vertices: Array[np.ndarray, "V 3"]
    faces: Array[np.ndarray, "F 3"]
    uv: Array[np.ndarray, "3F 2"]
    """Of every corner of every face."""
    vertex_colors: Array[np.ndarray, "V 3"]
    """Linear; the Gaussians' mean."""
    keys: tuple[PreparedKey, ...]
    bones: tuple[PreparedBone, ...]
    points: dict[str, Array[np.ndarray, "N ..."]]
    """The points' attributes by name; `position` among them."""
    light: LitColors
    view: PortraitView
    portrait_expression: dict[str, float]
    portrait_png: bytes
    info: AvatarInfo


def prepare(avatar: Avatar) -> PreparedAvatar:
    """Turn an avatar into what Blender takes."""
    avatar = in_order(avatar)
    rig, light = avatar.rig, lit_colors(avatar)
    faces = rig.faces[: rig.head_triangles]
    controls = zip(rig.control_names, avatar.view.controls, strict=True)
    return PreparedAvatar(
        vertices=head_to_blender(rig.v_neutral),
        faces=faces,
        uv=rig.uv[rig.faces_uv.ravel()],
        vertex_colors=srgb_to_linear(_vertex_colors(rig, avatar.gaussians)).astype(np.float32),
        keys=(*_control_keys(rig), *_corrective_keys(rig)),
        bones=_bones(rig),
        points=_points(rig, avatar.gaussians, light),
        light=light,
        view=avatar.view,
        portrait_expression={name: float(value) for name, value in controls},
        portrait_png=avatar.portrait_png,
        info=avatar.info,
    )


def _control_keys(rig: Rig) -> list[PreparedKey]:
    shapes = np.moveaxis(rig.shapedirs, 2, 0)
    named = zip(rig.control_names, shapes, strict=True)
    return [PreparedKey(name, head_to_blender(rig.v_neutral + shape), _range(name)) for name, shape in named]


def _corrective_keys(rig: Rig) -> list[PreparedKey]:
    return [
        PreparedKey(each.name, head_to_blender(rig.v_neutral + each.offsets), (-2.0, 2.0), each.bone, each.expression)
        for each in correctives(rig)
    ]


def _range(name: str) -> tuple[float, float]:
    if name not in ARKIT_NAMES:
        return -COEFFICIENT_RANGE, COEFFICIENT_RANGE
    return (-1.0 if name.startswith(TWO_SIDED_PREFIXES) else 0.0), OVERSHOOT


def _bones(rig: Rig) -> tuple[PreparedBone, ...]:
    """Lay out the bones: root and neck up to the next joint, the jaw forward as far as its chin, eyes forward too."""
    up, forward = np.array([0, 1.0, 0]), np.array([0, 0, 1.0])
    root, neck, jaw, *_ = rig.joints.astype(float)
    chin = rig.v_neutral[rig.lbs_weights[:, 2] > 0.5, 2].max(initial=-np.inf)
    reach = {
        "root": up * max(neck[1] - root[1], 0.03),
        "neck": up * max(jaw[1] - neck[1], 0.03),
        "jaw": forward * max(chin - jaw[2], 0.03),
        "left_eye": forward * 0.04,
        "right_eye": forward * 0.04,
    }
    return tuple(_bone(rig, index, reach[joint]) for index, joint in enumerate(JOINT_NAMES))


def _bone(rig: Rig, index: int, reach: Array[np.ndarray, "3"]) -> PreparedBone:
    parent = rig.parents[index]
    z_axis = np.array([0, 0, 1.0]) if reach[1] > 0 else np.array([0, -1.0, 0])
    head = rig.joints[index].astype(float)
    return PreparedBone(
        name=BONE_NAMES[JOINT_NAMES[index]],
        parent="" if parent < 0 else BONE_NAMES[JOINT_NAMES[parent]],
        head=tuple(head_to_blender(head).tolist()),
        tail=tuple(head_to_blender(head + reach).tolist()),
        z_axis=tuple(head_to_blender(z_axis).tolist()),
        weights=rig.lbs_weights[:, index],
    )


def _points(rig: Rig, gaussians: BoundGaussians, lit: LitColors) -> dict[str, np.ndarray]:
    corners = rig.faces[gaussians.triangle].astype(np.int32)
    columns = {f"local_basis_{k}": gaussians.local_basis[:, :, k] for k in range(3)}
    return {
        "position": head_to_blender(rest_means(rig, gaussians)),
        **dict(zip(("vertex_a", "vertex_b", "vertex_c"), corners.T, strict=True)),
        "local_mean": gaussians.local_mean,
        **columns,
        "opacity": gaussians.opacities,
        "albedo": lit.albedo,
        "facing": lit.facing,
        "part": gaussians.part.astype(np.int32),
    }


def _vertex_colors(rig: Rig, gaussians: BoundGaussians) -> Array[np.ndarray, "V 3"]:
    """Return the mean sRGB colour of the Gaussians round each vertex; vertices without any take their neighbours'."""
    count = len(rig.v_neutral)
    sums, weights = np.zeros((count, 3)), np.zeros(count)
    for corner in rig.faces[gaussians.triangle].T:
        weights += np.bincount(corner, gaussians.opacities, count)
        for channel in range(3):
            sums[:, channel] += np.bincount(corner, gaussians.opacities * gaussians.colors[:, channel], count)
    return _filled(sums, weights, rig.faces)


def _filled(sums: np.ndarray, weights: np.ndarray, faces: np.ndarray) -> Array[np.ndarray, "V 3"]:
    """Spread sums and weights over the edges until every vertex that is reached has a colour."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends, others = np.concatenate([sides, sides[:, ::-1]]).T
    for _ in range(SMOOTHING_PASSES):
        bare = weights <= 0
        if not bare.any():
            break
        wanted = bare[ends] & ~bare[others]
        for channel in range(3):
            sums[:, channel] += np.bincount(ends[wanted], sums[others[wanted], channel], len(weights))
        weights = weights + np.bincount(ends[wanted], weights[others[wanted]], len(weights))
    mean = sums.sum(axis=0) / max(weights.sum(), 1e-9)
    return np.where(weights[:, None] > 0, sums / np.maximum(weights, 1e-9)[:, None], mean)
