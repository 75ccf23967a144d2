"""Gaussians from pixels and from points on triangles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.binding.affine import bind
from likeness.contract.avatar import BoundGaussians, Part
from likeness.geometry.cameras import Camera
from likeness.geometry.frames import vertex_normals
from likeness.lifting.types import Layer, SurfaceSamples

THICKNESS = 0.0006
"""Standard deviation along the normal, metres: a splat is a thin disc."""
DRAWN_SIGMA, LEAST_SIGMA = 0.65, 0.48
"""Standard deviation of a lifted pixel in its sides, as drawn and at least: neighbours then overlap without holes."""
LOW_PASS = 0.3
"""Variance that the rasterizer adds, square pixels."""
SURFACE_SIGMA = 0.72
"""Standard deviation of a surface sample in spacings: four neighbours cover the point between them to 95 %."""
REACH = 1.8
"""How far a surface sample stays inside the outline, in spacings: two and a half standard deviations."""
# Roberts' R2 sequence: the two-dimensional generalisation of the golden ratio (The unreasonable effectiveness of
# quasirandom sequences, 2018).
_R2 = np.array([0.7548776662466927, 0.5698402909980532])


def sample_triangles(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    spacing: Float[np.ndarray, "F"],
    rng: np.random.Generator,
) -> SurfaceSamples:
    """Spread points over triangles, one for every square of side `spacing` (metres; infinite for no points).

    The fractional parts of the counts are carried from triangle to triangle, so that small triangles get their share.
    """
    corners = vertices[faces]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    wanted = np.concatenate([[rng.random()], area / spacing**2])
    count = np.diff(np.floor(np.cumsum(wanted))).astype(np.int64)
    triangle = np.repeat(np.arange(len(faces)), count)
    index = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    start = rng.random((len(faces), 2))
    point = (start[triangle] + index[:, None] * _R2) % 1.0
    fold = point.sum(1) > 1
    point[fold] = 1 - point[fold]
    bary = np.stack([1 - point.sum(1), point[:, 0], point[:, 1]], 1)
    return SurfaceSamples(triangle.astype(np.int32), bary, spacing[triangle])


def surface_points(
    samples: SurfaceSamples, values: Float[np.ndarray, "V C"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N C"]:
    """Interpolate per-vertex values at the samples."""
    return np.einsum("nk,nkc->nc", samples.bary, values[faces[samples.triangle]])


def posed_samples(
    samples: SurfaceSamples, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Return the samples' places and smooth unit normals on a posed mesh."""
    vertices = np.asarray(vertices, np.float64)
    normals = surface_points(samples, vertex_normals(vertices, faces), faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return surface_points(samples, vertices, faces), normals


def disc_basis(
    normal: Float[np.ndarray, "N 3"], radius: Float[np.ndarray, "N"], thickness: float = THICKNESS
) -> Float[np.ndarray, "N 3 3"]:
    """Return bases of round discs: two tangents of length `radius` and the normal of length `thickness`, metres."""
    helper = np.where(np.abs(normal[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normal, first)
    return np.stack([first * radius[:, None], second * radius[:, None], normal * thickness], 2)


def lift_pixels(
    camera: Camera,
    pixels: Float[np.ndarray, "N 2"],
    size: Float[np.ndarray, "N"],
    depth: Float[np.ndarray, "N"],
    slope: Float[np.ndarray, "N 2"],
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3 3"]]:
    """Place square pixels of `size` pixels at a depth (metres) on a surface of the given slope.

    `slope` is the change of depth per metre to the right and per metre downwards in the picture. Returns means and
    bases in head space: seen from the camera each Gaussian covers just its pixel, however steep the surface.
    """
    means = camera.unproject(pixels, depth)
    sigma = np.sqrt(np.maximum((DRAWN_SIGMA * size) ** 2 - LOW_PASS, (LEAST_SIGMA * size) ** 2))
    sigma = sigma * depth / camera.K[0, 0]
    zero, one = np.zeros_like(depth), np.ones_like(depth)
    right = np.stack([one, zero, slope[:, 0]], 1)
    down = np.stack([zero, one, slope[:, 1]], 1)
    normal = np.cross(right, down)
    normal *= THICKNESS / np.linalg.norm(normal, axis=1, keepdims=True)
    in_camera = np.stack([right * sigma[:, None], down * sigma[:, None], normal], 2)
    return means, camera.rotation.T @ in_camera


def make_layer(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    triangle: Int[np.ndarray, "N"],
    means: Float[np.ndarray, "N 3"],
    basis: Float[np.ndarray, "N 3 3"],
    *,
    colors: Float[np.ndarray, "N 3"],
    opacities: Float[np.ndarray, "N"],
    part: Part,
    seen: Bool[np.ndarray, "N"],
    tint: Float[np.ndarray, "N"] | float = 1.0,
) -> Layer:
    """Bind Gaussians to triangles of the given pose."""
    local_mean, local_basis = bind(means, basis, triangle, vertices, faces)
    bound = BoundGaussians(
        triangle=triangle.astype(np.int32),
        local_mean=local_mean,
        local_basis=local_basis,
        opacities=opacities.astype(np.float32),
        colors=np.clip(colors, 0, 1).astype(np.float32),
        part=np.full(len(triangle), int(part), np.int32),
    )
    return Layer(bound, seen, np.broadcast_to(np.float32(tint), len(triangle)))
