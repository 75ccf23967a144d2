"""A z-buffer rasterizer for triangle meshes: which triangle does a pixel see, where on it, how far away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from likeness.geometry.cameras import Camera
from likeness.geometry.frames import vertex_normals
from likeness.geometry.threads import parallel_for

NEAR = 0.01
"""Triangles with a corner nearer than this (metres, along the view axis) are left out whole."""
ROWS_PER_PIECE = 32


@dataclass(frozen=True)
class MeshRaster:
    """What the camera sees of a mesh, sampled at pixel centres; the nearest triangle wins, from either side."""

    triangle: Int[np.ndarray, "H W"]
    """int32, -1 where nothing is seen."""
    bary: Float[np.ndarray, "H W 3"]
    """float32, perspective-correct barycentric coordinates; zero where nothing is seen."""
    depth: Float[np.ndarray, "H W"]
    """float32, metres along the view axis; inf where nothing is seen."""

    @property
    def covered(self) -> np.ndarray:
        """The (H,W) bool mask of pixels that see the mesh."""
        return self.triangle >= 0

    def interpolate(self, faces: Int[np.ndarray, "F 3"], values: Float[np.ndarray, "V C"]) -> np.ndarray:
        """Spread values at the vertices over the picture, (H,W,C); zero where nothing is seen."""
        values = np.asarray(values, np.float32)
        spread = np.zeros((*self.triangle.shape, values.shape[1]), np.float32)
        seen = self.covered
        spread[seen] = np.einsum("pk,pkc->pc", self.bary[seen], values[faces[self.triangle[seen]]])
        return spread


def rasterize_mesh(camera: Camera, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> MeshRaster:
    """Rasterize a mesh in head space (metres). Between equally near triangles the lower index wins."""
    in_camera = camera.transform(np.asarray(vertices, np.float64))
    depth = np.where(in_camera[:, 2] > NEAR, in_camera[:, 2], np.nan)
    pixels = (in_camera @ camera.K.T)[:, :2] / depth[:, None]
    raster = MeshRaster(
        triangle=np.full((camera.height, camera.width), -1, np.int32),
        bary=np.zeros((camera.height, camera.width, 3), np.float32),
        depth=np.full((camera.height, camera.width), np.inf, np.float32),
    )
    corners, inverse_depth = pixels[faces], (1 / depth)[faces]
    out = raster.triangle, raster.bary, raster.depth
    parallel_for(_rasterize, camera.height, ROWS_PER_PIECE, corners, inverse_depth, *out)
    return raster


def shade(
    raster: MeshRaster,
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    colors: Float[np.ndarray, "V 3"],
    *,
    light: tuple[float, float, float] = (0.2, 0.4, 1.0),
    background: tuple[float, float, float] = (0.5, 0.5, 0.5),
) -> Float[np.ndarray, "H W 3"]:
    """Shade vertex colours (0..1) with a far light and smooth normals, Lambert plus 35 % ambient.

    `light` points from the head to the light, in head space. Returns float32 in 0..1.
    """
    normal = raster.interpolate(faces, vertex_normals(np.asarray(vertices, np.float64), faces))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    lambert = np.clip(normal @ (np.asarray(light) / np.linalg.norm(light)), 0, 1)
    lit = raster.interpolate(faces, colors) * (0.35 + 0.65 * lambert[..., None])
    return np.where(raster.covered[..., None], np.clip(lit, 0, 1), background).astype(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _rasterize(top, bottom, corners, inverse_depth, triangle, bary, depth):
    """Fill the rows from `top` to `bottom`.

    `corners` (F,3,2) are in pixels, `inverse_depth` is (F,3); NaN marks a corner behind the camera.
    """
    for face in range(len(corners)):
        _fill(corners, inverse_depth, face, top, bottom, triangle, bary, depth)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(corners, inverse_depth, face, top, bottom, triangle, bary, depth):
    """Draw one triangle's part between the rows `top` and `bottom`."""
    ax, ay, bx, by = corners[face, 0, 0], corners[face, 0, 1], corners[face, 1, 0], corners[face, 1, 1]
    cx, cy = corners[face, 2, 0], corners[face, 2, 1]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if not abs(area) > 1e-12:  # true of NaN too
        return
    top = max(top, int(np.ceil(max(min(ay, by, cy), -1.0) - 0.5)))
    bottom = min(bottom, int(np.floor(min(max(ay, by, cy), bottom + 1.0) - 0.5)) + 1)
    left = max(0, int(np.ceil(max(min(ax, bx, cx), -1.0) - 0.5)))
    right = min(triangle.shape[1], int(np.floor(min(max(ax, bx, cx), triangle.shape[1] + 1.0) - 0.5)) + 1)
    for y in range(top, bottom):
        for x in range(left, right):
            px, py = x + 0.5, y + 0.5
            u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
            v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
            w = 1.0 - u - v
            if u < -1e-9 or v < -1e-9 or w < -1e-9:  # a hair's breadth of overlap, so that shared edges leave no hole
                continue
            u, v, w = u * inverse_depth[face, 0], v * inverse_depth[face, 1], w * inverse_depth[face, 2]
            z = 1.0 / (u + v + w)
            if np.float32(z) < depth[y, x]:
                depth[y, x] = z
                triangle[y, x] = face
                bary[y, x, 0], bary[y, x, 1], bary[y, x, 2] = u * z, v * z, w * z
