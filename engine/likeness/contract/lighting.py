"""The light of the portrait, in which an avatar's skin turns. NumPy alone, for engine and Blender.

A photograph's colours are albedo times the light that fell on them there. Diffuse light is nine spherical harmonics of
the surface's normal (Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps, 2001), and
so what a place receives after it has turned is known. The light stands still in head space: it belongs to the room, in
which bones turn the head; a camera that goes round the avatar, or an object that is turned, takes the light along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from likeness.contract.avatar import Avatar, Lighting

Array = Annotated
GAMMA = 2.2
"""Colours to the power of this are proportional to light."""
DIMMEST = 0.35
"""Least irradiance, of the mean from all sides, that is told apart: in deep shade colours say little of the skin."""


@dataclass(frozen=True)
class LitColors:
    """Gaussians' colours taken out of the portrait's light: colour = albedo * shade(n), n = F^-T conormal, normalised.

    F is the frame of a Gaussian's triangle (`contract.avatar.BoundGaussians`), so that normals follow deformations.
    """

    albedo: Array[np.ndarray, "N 3"]
    """sRGB in a light of 1."""
    conormals: Array[np.ndarray, "N 3"]
    """Unit; zero where light never changes, and shade is 1."""
    harmonics: Array[np.ndarray, "9 3"]
    """As `contract.avatar.Lighting` has them, in the space of the vertices."""


def unlit(count: int) -> Lighting:
    """Return a light in which nothing ever changes, for `count` Gaussians."""
    harmonics = np.zeros((9, 3), np.float32)
    harmonics[0] = 1
    return Lighting(harmonics, np.zeros((count, 3), np.float32))


def lit_colors(avatar: Avatar) -> LitColors:
    """Take an avatar's colours out of its light; float32."""
    rig, gaussians, lighting = avatar.rig, avatar.gaussians, avatar.lighting
    vertices = (rig.v_neutral + rig.shapedirs @ avatar.view.controls).astype(np.float64)
    a, b, c = (vertices[rig.faces[gaussians.triangle, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    upright = across / np.sqrt(np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-24))
    conormals = np.stack([(edge * lighting.normals).sum(1) for edge in (b - a, c - a, upright)], 1)
    length = np.linalg.norm(conormals, axis=1, keepdims=True)
    conormals = np.where(length > 0, conormals / np.maximum(length, 1e-30), 0.0)
    albedo = gaussians.colors / shade(lighting.harmonics, lighting.normals)
    return LitColors(albedo.astype(np.float32), conormals.astype(np.float32), lighting.harmonics)


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
    sky = np.random.default_rng(0).normal(size=(32, 3))
    sky /= np.linalg.norm(sky, axis=1, keepdims=True)
    radiance = basis(sky) @ np.asarray(harmonics, np.float64)
    return np.linalg.lstsq(basis(sky @ np.asarray(rotation, np.float64).T), radiance, rcond=None)[0].astype(np.float32)
