"""Shape from shading: the skin's brightness against a smooth function of its normal, solved along with the fit.

In logarithms, brightness = g(normal) + a(place) + noise: g is light (spherical harmonics of the normal up to the third
order, in camera axes), a is albedo (a smooth field, alike on left and right). Both are linear and are eliminated from
every step by variable projection (Golub and Pereyra 1973, in Kaufman's 1975 approximation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import solve_triangular
from scipy.ndimage import gaussian_filter, map_coordinates

from likeness.geometry.cameras import Camera
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.portrait.types import Portrait
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.landmarks import BROWS
from likeness.tracking.parameters import POSE_COLUMNS, FitState, LinearPoints, project, project_with_jacobian

MIN_COSINE = 0.35
"""Skin that turns further away is left out: its brightness is hair's, the background's or the rim's."""
LEAST_BRIGHTNESS = 0.01
ALBEDO_DEVIATION = 0.3
BROW_CLEARANCE = 0.012
"""Metres around the brows' landmarks that are left out."""
SHARED_ERROR = 1.8
"""A sample's standard deviation relative to the residuals' own (median) one: more than 1, for samples err together."""
MAX_SAMPLES = 800
TUKEY = 4.0
"""Deviations at which a sample stops counting."""


@dataclass(frozen=True)
class LogImage:
    """The portrait's log brightness (linear light, smoothed) and its gradient along x and y, per pixel."""

    value: Float[np.ndarray, "S S"]
    gradient_x: Float[np.ndarray, "S S"]
    gradient_y: Float[np.ndarray, "S S"]


@dataclass(frozen=True)
class ShadingTerm:
    """Samples of skin, one per triangle."""

    image: LogImage
    corners: tuple[LinearPoints, LinearPoints, LinearPoints]
    centers: LinearPoints
    albedo: Float[np.ndarray, "N A"]
    """The albedo field's basis at the samples."""
    weights: Float[np.ndarray, "N"]
    """Of each sample; together with the overall deviation, one over its standard deviation."""

    def residuals(self, state: FitState) -> Float[np.ndarray, "R"]:
        """Return what light and albedo cannot explain."""
        brightness = _sample(self.image.value, project(self.centers, state))
        q = np.linalg.qr(self._basis(_normals(self.corners, state)[0]))[0]
        target = self._weighted(brightness)
        return target - q @ (q.T @ target)

    def linearized(self, state: FitState) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R P"]]:
        """Return residuals and derivative, light and albedo eliminated from both."""
        pixels, by_step = project_with_jacobian(self.centers, state)
        slope = np.stack([_sample(self.image.gradient_x, pixels), _sample(self.image.gradient_y, pixels)], 1)
        normals, normals_by_step = _normals_with_jacobian(self.corners, state)
        basis = self._basis(normals)
        q, r = np.linalg.qr(basis)
        target = self._weighted(_sample(self.image.value, pixels))
        explained = solve_triangular(r, q.T @ target)
        light_slope = np.einsum("nbc,b->nc", harmonics_gradient(normals), explained[:HARMONICS])
        jacobian = np.einsum("nc,ncp->np", slope, by_step) - np.einsum("nc,ncp->np", light_slope, normals_by_step)
        jacobian = self._weighted(jacobian)
        return target - q @ (q.T @ target), jacobian - q @ (q.T @ jacobian)

    def _basis(self, normals: np.ndarray) -> np.ndarray:
        """Return the weighted light and albedo basis, with the albedo's prior as last rows."""
        columns = np.concatenate([harmonics(normals), self.albedo], 1) * self.weights[:, None]
        count = self.albedo.shape[1]
        prior = np.concatenate([np.zeros((count, HARMONICS)), np.eye(count) / ALBEDO_DEVIATION], 1)
        return np.concatenate([columns, prior])

    def _weighted(self, values: np.ndarray) -> np.ndarray:
        """Weight values of the samples and append the prior's zeros."""
        weighted = (values.T * self.weights).T
        return np.concatenate([weighted, np.zeros((self.albedo.shape[1], *values.shape[1:]))])


HARMONICS = 16


def harmonics(n: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 16"]:
    """Return real spherical harmonics up to the third order at unit normals, without their constant factors."""
    x, y, z = n.T
    return np.stack(
        [
            np.ones_like(x), x, y, z,
            x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1,
            y * (3 * x * x - y * y), x * y * z, y * (5 * z * z - 1), z * (5 * z * z - 3), x * (5 * z * z - 1),
            z * (x * x - y * y), x * (x * x - 3 * y * y),
        ],
        1,
    )  # fmt: skip


def harmonics_gradient(n: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 16 3"]:
    """Return the harmonics' derivative by the normal's coordinates."""
    x, y, z = n.T
    o, one = np.zeros_like(x), np.ones_like(x)
    rows = [
        (o, o, o), (one, o, o), (o, one, o), (o, o, one),
        (y, x, o), (o, z, y), (z, o, x), (2 * x, -2 * y, o), (o, o, 6 * z),
        (6 * x * y, 3 * x * x - 3 * y * y, o), (y * z, x * z, x * y), (o, 5 * z * z - 1, 10 * y * z),
        (o, o, 15 * z * z - 3), (5 * z * z - 1, o, 10 * x * z), (2 * x * z, -2 * y * z, x * x - y * y),
        (3 * x * x - 3 * y * y, -6 * x * y, o),
    ]  # fmt: skip
    return np.stack([np.stack(row, 1) for row in rows], 1)


def log_image(portrait: Portrait, smoothing: float) -> LogImage:
    """Prepare a portrait; `smoothing` is a Gaussian's standard deviation in pixels."""
    linear = (portrait.rgb.astype(np.float64) ** 2.2).mean(-1)
    value = np.log(np.maximum(gaussian_filter(linear, smoothing), LEAST_BRIGHTNESS))
    gradient_y, gradient_x = np.gradient(value)
    return LogImage(value, gradient_x, gradient_y)


def skin_samples(assets: HeadAssets, camera: Camera, vertices: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, "N"]:
    """Return the face's triangles that the camera sees well, the brows' left out."""
    raster = rasterize_mesh(camera, vertices, assets.faces)
    seen = np.zeros(len(assets.faces), bool)
    seen[raster.triangle[raster.covered]] = True
    corners = vertices[assets.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = corners.mean(1)
    sight = camera.center - middle
    cosine = (normal * sight).sum(1) / (np.linalg.norm(normal, axis=1) * np.linalg.norm(sight, axis=1) + 1e-12)
    keep = np.flatnonzero(seen & (cosine > MIN_COSINE) & (assets.face_region == REGION_NAMES.index("face")))
    places = list(BROWS)
    brows = np.einsum("nk,nkc->nc", assets.landmark_bary[places], vertices[assets.faces[assets.landmark_faces[places]]])
    from_brow = np.linalg.norm(middle[keep, None] - brows, axis=2).min(1)
    keep = keep[from_brow > BROW_CLEARANCE]
    return keep[:: max(1, -(-len(keep) // MAX_SAMPLES))]


def shading_term(image: LogImage, assets: HeadAssets, vertices: LinearPoints, state: FitState) -> ShadingTerm:
    """Return the term with robust weights at a state."""
    size = len(image.value)
    triangles = skin_samples(assets, state.camera(size), vertices.positions(state))
    faces = assets.faces[triangles]
    corners = tuple(LinearPoints(vertices.base[faces[:, k]], vertices.directions[faces[:, k]]) for k in range(3))
    centers = LinearPoints(sum(c.base for c in corners) / 3, sum(c.directions for c in corners) / 3)
    albedo = albedo_basis(assets.v_template[faces].mean(1))
    count = len(triangles)
    weights = np.ones(count)
    for _ in range(3):
        left = ShadingTerm(image, corners, centers, albedo, weights).residuals(state)[:count] / weights
        scale = 1.4826 * np.median(np.abs(left))
        weights = np.maximum(1 - (left / (TUKEY * scale)) ** 2, 1e-3)
    return ShadingTerm(image, corners, centers, albedo, weights / (SHARED_ERROR * scale))


def albedo_basis(places: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N A"]:
    """Return polynomials even in x of places on the mean head (metres)."""
    x, y = places[:, 0] / 0.06, (places[:, 1] + 0.03) / 0.08
    columns = [y, x**2, y**2, x**2 * y, y**3, x**4, x**2 * y**2, y**4]
    return np.stack(columns, 1).astype(np.float64)


def _sample(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return map_coordinates(picture, (pixels[:, ::-1] - 0.5).T, order=1, mode="nearest")


def _normals(corners: tuple[LinearPoints, ...], state: FitState) -> tuple[np.ndarray, ...]:
    """Return unit normals in camera axes, the two edges in head space, and the normals' lengths before scaling."""
    a, b, c = (corner.positions(state) for corner in corners)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    return (normal / length[:, None]) @ state.rotation.T, b - a, c - a, length


def _normals_with_jacobian(corners: tuple[LinearPoints, ...], state: FitState) -> tuple[np.ndarray, np.ndarray]:
    """Return unit normals in camera axes (N, 3) and their derivative by a step (N, 3, P)."""
    normals, edge1, edge2, length = _normals(corners, state)
    a, b, c = (corner.directions for corner in corners)
    change = np.cross(b - a, edge2[:, :, None], axis=1) + np.cross(edge1[:, :, None], c - a, axis=1)
    change = np.matmul(state.rotation, change) / length[:, None, None]
    change -= normals[:, :, None] * np.einsum("nc,ncd->nd", normals, change)[:, None]
    jacobian = np.zeros((len(normals), 3, state.size))
    # d(exp(w) n) / dw = -[n]x
    x, y, z = normals.T
    jacobian[:, 0, 1], jacobian[:, 0, 2] = z, -y
    jacobian[:, 1, 0], jacobian[:, 1, 2] = -z, x
    jacobian[:, 2, 0], jacobian[:, 2, 1] = y, -x
    jacobian[:, :, POSE_COLUMNS:] = change
    return normals, jacobian
