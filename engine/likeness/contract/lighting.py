"""The light of the portrait, in which an avatar's skin turns. NumPy alone, for engine and Blender.

A photograph's colours are albedo times the light that fell on them there. Diffuse light is nine spherical harmonics of
the surface's normal (Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps, 2001), and
so what a place receives after the head has turned is known. The light goes with the body: the neck turns the skin in
it, while the root, a turned object or a camera that goes round the avatar take it along. Expressions do not count:
what a coarse mesh's normals do in a fold or a shut lid is not what skin does there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.avatar import JOINT_NAMES, Avatar, Lighting, Rig

Array = Annotated
GAMMA = 2.2
"""Colours to the power of this are proportional to light."""
DIMMEST = 0.35
"""Least irradiance, of the mean from all sides, that is told apart: in deep shade colours say little of the skin."""

LEAST_SHARE = 1e-3
"""Of the neck's turn that a Gaussian has to follow for its colour to change."""
STEADY = 1e-4
"""Joint's weight, and metres of other shapes, up to which a vertex is as steady as the steadiest."""


@dataclass(frozen=True)
class LitColors:
    """Gaussians' colours taken out of the portrait's light.

    colour = albedo * ((1 - share) * shade(still, n) + share * shade(light, n)), at most 1, where n is the direction of
    `facing` and share its length, `light` what `light_on` says of a pose. Normals and lights are in the axes of the
    head's triangle, in which a head that turns stands still while the light goes round it.
    """

    albedo: Array[np.ndarray, "N 3"]
    """sRGB in a light of 1."""
    facing: Array[np.ndarray, "N 3"]
    """The surface's normal, as long as the Gaussian goes with the head and not with the body: 0 to 1."""
    still: Array[np.ndarray, "9 3"]
    """The light with all joints at rest."""
    harmonics: Array[np.ndarray, "9 3"]
    """The same in the axes of the body's triangle."""
    body: Array[np.ndarray, "3"]
    head: Array[np.ndarray, "3"]
    """Vertices that move with the body alone, and with the head, int32."""


def unlit(count: int) -> Lighting:
    """Return a light in which nothing ever changes, for `count` Gaussians."""
    harmonics = np.zeros((9, 3), np.float32)
    harmonics[0] = 1
    return Lighting(harmonics, np.zeros((count, 3), np.float32))


def lit_colors(avatar: Avatar) -> LitColors:
    """Take an avatar's colours out of its light; float32."""
    rig, gaussians, lighting = avatar.rig, avatar.gaussians, avatar.lighting
    body, head = (_steady_triangle(rig, JOINT_NAMES.index(name)) for name in ("root", "neck"))
    body_rest, head_rest = (triangle_axes(rig.v_neutral[corners]) for corners in (body, head))
    share = 1 - rig.lbs_weights[rig.faces[gaussians.triangle]].mean(1)[:, JOINT_NAMES.index("root")]
    normals = np.where(share[:, None] > LEAST_SHARE, lighting.normals, 0.0)
    return LitColors(
        albedo=(gaussians.colors / shade(lighting.harmonics, normals)).astype(np.float32),
        facing=(normals * np.clip(share, 0, 1)[:, None] @ head_rest).astype(np.float32),
        still=turned(lighting.harmonics, head_rest.T),
        harmonics=turned(lighting.harmonics, body_rest.T),
        body=body,
        head=head,
    )


def light_on(
    harmonics: Array[np.ndarray, "9 3"], body: Array[np.ndarray, "3 3"], head: Array[np.ndarray, "3 3"]
) -> Array[np.ndarray, "9 3"]:
    """Return the light in the axes of the head's triangle.

    `harmonics` are `LitColors`'; `body` and `head` the posed corners of its triangles, in any one space.
    """
    return turned(harmonics, triangle_axes(head).T @ triangle_axes(body))


def triangle_axes(corners: Array[np.ndarray, "3 3"]) -> Array[np.ndarray, "3 3"]:
    """Return a triangle's axes as columns: along its first side, across it in the plane, and the normal."""
    a, b, c = np.asarray(corners, np.float64)
    normal = np.cross(b - a, c - a)
    axes = np.stack([b - a, np.cross(normal, b - a), normal], 1)
    return axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-30)


def _steady_triangle(rig: Rig, joint: int) -> Array[np.ndarray, "3"]:
    """Choose three vertices far apart of those that go with a joint most and that nothing else moves."""
    moved = sum(np.abs(shapes).max(axis=(1, 2), initial=0.0) for shapes in (rig.shapedirs, rig.posedirs))
    weight = rig.lbs_weights[:, joint] - moved
    steady = np.flatnonzero(weight >= weight.max() - STEADY)
    points = rig.v_neutral[steady].astype(np.float64)
    first = np.argmax(np.linalg.norm(points - points.mean(0), axis=1))
    second = np.argmax(np.linalg.norm(points - points[first], axis=1))
    along = points[second] - points[first]
    third = np.argmax(np.linalg.norm(np.cross(points - points[first], along), axis=1))
    return steady[[first, second, third]].astype(np.int32)


def shade(harmonics: Array[np.ndarray, "9 3"], normals: Array[np.ndarray, "N 3"]) -> Array[np.ndarray, "N 3"]:
    """Return what the light makes of an albedo of 1 that faces these ways, sRGB; 1 for a normal of zero."""
    irradiance = np.maximum(basis(normals) @ np.asarray(harmonics, np.float64), DIMMEST)
    return np.where(np.any(normals, axis=1, keepdims=True), irradiance ** (1 / GAMMA), 1.0)


def basis(directions: Array[np.ndarray, "N 3"]) -> Array[np.ndarray, "N 9"]:
    """Real spherical harmonics up to order two of unit directions, scaled so that the first is 1."""
    x, y, z = np.moveaxis(np.asarray(directions, np.float64), -1, 0)
    second = np.sqrt(15) * np.stack([x * y, y * z, x * z, (x * x - y * y) / 2], -1)
    zonal = np.sqrt(5) / 2 * (3 * z * z - 1)[..., None]
    first = np.sqrt(3) * np.stack([x, y, z], -1)
    return np.concatenate([np.ones_like(zonal), first, second, zonal], -1)


def turned(harmonics: Array[np.ndarray, "9 3"], rotation: Array[np.ndarray, "3 3"]) -> Array[np.ndarray, "9 3"]:
    """Return the same light in axes to which `rotation` takes a direction; float32.

    Harmonics of one order turn among themselves, so nine directions in general position tell all.
    """
    shining = basis(_SKY @ np.asarray(rotation, np.float64)) @ np.asarray(harmonics, np.float64)
    return (_FROM_SKY @ shining).astype(np.float32)


_SKY = np.random.default_rng(0).normal(size=(32, 3))
_SKY /= np.linalg.norm(_SKY, axis=1, keepdims=True)
_FROM_SKY = np.linalg.pinv(basis(_SKY))
"""Harmonics of a light by how it shines from these directions."""
