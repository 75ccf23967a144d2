"""The light that falls on a head, of low frequency, told from the skin that the portrait shows.

Every place of the head receives  E = sum over k of l_k T_k,  where T_k is what reaches it of the k-th real spherical
harmonic of a far light: the harmonic's integral against the clamped cosine and the visibility of the sky (Sloan, Kautz
and Snyder, Precomputed Radiance Transfer, 2002, diffuse and unglossy). Nine harmonics tell nearly all of a diffuse
light (Ramamoorthi and Hanrahan, 2001); visibility adds the shade under the chin and in the ears.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.contract.lighting import GAMMA, basis
from likeness.geometry.cameras import Camera, look_at_face
from likeness.geometry.frames import vertex_normals
from likeness.rendering.mesh import rasterize_mesh

DIRECTIONS = 72
"""Directions of the sky that are tried for visibility."""
VIEW_SIZE, VIEW_DISTANCE, VIEW_REACH = 128, 12.0, 0.24
"""The shadow pictures: side in pixels; distance of their camera and half width of what they show, metres."""
SHADOW_BIAS = 0.004
"""How far over the surface visibility is asked for, metres: a coarse mesh must not shade itself."""
BOUNCE = 0.4
"""Share of the even light that comes back from skin where it hides the sky."""
EVEN = np.array([0, 1, 1, 1, 3, 3, 3, 3, 3.0])
"""How much the harmonics are damped beside each other: the finer the more."""
DAMPING, TINT = 0.01, 0.03
"""Penalties on the harmonics' shares, by order, and on their departures from grey: what the seen skin does not tell of
the light stays even and of one colour."""
TOLERANCES = (1.6, 0.8, 0.5, 0.35, 0.25, 0.25, 0.25)
"""Relative errors at which a place counts for a quarter (Geman and McClure), one for each round of reweighting: wide at
first, or a few lips could pass for the skin."""
BRIGHTER = 2.0
"""How much larger they may be upwards: beards, brows, strands and wrinkles are darker than skin, little is brighter."""
FAINT = 0.05
"""Share of the usual light under which its errors count no more."""
DARKEST, DIMMEST = 0.02, 0.2
"""Least colour that tells of light; least light, as a share of the even part of it."""


def light_transfer(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], pivot: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "V 9"]:
    """Return what each vertex receives of each harmonic of the sky; unshaded and faced by it, 1 of the first.

    `faces` cast the shadows; `pivot` (head space, metres) is the middle of the pictures that find them.
    """
    normals = vertex_normals(np.asarray(vertices, np.float64), faces)
    points = vertices + SHADOW_BIAS * normals
    transfer = np.zeros((len(vertices), 9))
    for direction in _sky(DIRECTIONS):
        cosine = np.clip(normals @ direction, 0, None)
        transfer += (cosine * _sees_sky(vertices, faces, points, direction, pivot))[:, None] * basis(direction)
    transfer *= 4 / DIRECTIONS
    transfer[:, 0] += BOUNCE * np.clip(1 - transfer[:, 0], 0, None)
    return transfer


def fit_light(
    transfer: Float[np.ndarray, "N 9"], color: Float[np.ndarray, "N 3"], weight: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "9 3"]:
    """Find the light in which skin of one albedo comes nearest to the colours (0..1, sRGB); robust and damped.

    The light's scale carries that albedo. First a grey light is found, then each channel's departure from it.
    """
    target = np.maximum(color, DARKEST) ** GAMMA
    grey = _robust_fit(transfer, target.mean(1), weight, np.zeros(9), DAMPING * EVEN)
    share = np.median(target, 0) / np.median(target.mean(1))
    return np.stack([_robust_fit(transfer, target[:, c], weight, share[c] * grey, TINT * EVEN) for c in range(3)], 1)


def _robust_fit(
    transfer: Float[np.ndarray, "N 9"],
    target: Float[np.ndarray, "N"],
    weight: Float[np.ndarray, "N"],
    prior: Float[np.ndarray, "9"],
    damping: Float[np.ndarray, "9"],
) -> Float[np.ndarray, "9"]:
    """Minimise the weighted squares of the relative errors, places of large errors counting less and less."""
    usual = np.median(target)
    scale, trust = np.full(len(target), usual), weight
    for tolerance in TOLERANCES:
        rows, share = transfer / scale[:, None], trust / trust.sum()
        system = rows.T @ (rows * share[:, None]) + np.diag(damping) / usual**2
        light = np.linalg.solve(system, rows.T @ (target / scale * share) + damping * prior / usual**2)
        # Relative to the geometric mean of colour and fit: relative to either alone, the fit would lean that way.
        found = np.maximum(transfer @ light, FAINT * usual)
        scale = np.sqrt(np.maximum(target, FAINT * usual) * found)
        error = (target - found) / scale
        error[error > 0] /= BRIGHTER
        trust = weight / (1 + (error / tolerance) ** 2) ** 2
    return light


def shading(transfer: Float[np.ndarray, "V 9"], light: Float[np.ndarray, "9 3"]) -> Float[np.ndarray, "V 3"]:
    """Colour of skin of the fit's albedo at the vertices, sRGB; never darker than the dimmest."""
    linear = transfer @ light
    usual = np.maximum(light[0], DARKEST**GAMMA)
    return np.maximum(linear, DIMMEST * usual) ** (1 / GAMMA)


def _sky(count: int) -> Float[np.ndarray, "D 3"]:
    """Directions spread evenly over the sphere: Fibonacci's spiral."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    turn = index * np.pi * (1 + np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)


def _sees_sky(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    points: Float[np.ndarray, "P 3"],
    direction: Float[np.ndarray, "3"],
    pivot: Float[np.ndarray, "3"],
) -> Bool[np.ndarray, "P"]:
    """Tell which points nothing hides from a far light in this direction."""
    camera = _camera_from(direction, pivot)
    raster = rasterize_mesh(camera, vertices, faces)
    projected, depth = camera.project(points)
    column, row = np.clip(np.floor(projected).astype(np.int64), 0, VIEW_SIZE - 1).T
    return depth < raster.depth[row, column]


def _camera_from(direction: Float[np.ndarray, "3"], pivot: Float[np.ndarray, "3"]) -> Camera:
    """Look from this direction at the pivot from far away."""
    focal = VIEW_DISTANCE * VIEW_SIZE / (2 * VIEW_REACH)
    camera = look_at_face(VIEW_DISTANCE, focal, VIEW_SIZE, VIEW_SIZE)
    helper = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, direction)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, -np.cross(direction, right), -direction])
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = np.array([0, 0, VIEW_DISTANCE]) - rotation @ pivot
    return Camera(K=camera.K, T_camera_head=pose, width=VIEW_SIZE, height=VIEW_SIZE)
