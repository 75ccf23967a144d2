"""The eyeballs: seen pixels ride on them, and under the lids they are completed around the iris's axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.sampling import (
    SURFACE_SIGMA,
    disc_basis,
    lift_pixels,
    make_layer,
    sample_triangles,
    surface_points,
)
from likeness.lifting.types import Layer, Scene
from likeness.lifting.visibility import Label, Visibility

IRIS_CENTER = {"eye_right": 468, "eye_left": 473}
"""MediaPipe's iris centres; the four landmarks after each are its rim."""
SPACING = 0.0008
PIXEL_INSET, FILL_INSET = 0.0005, 0.0009
"""How far seen pixels and the completed eyeball under them lie inside the sphere, metres: a shut lid hides both."""
RINGS = 24
"""Bins of angle from the iris's axis in which the seen colours are gathered."""
LIMBUS = 1.25
"""Angle, in iris radii, from which the white of the eye begins."""
WHITE, DARK_IRIS = np.array([0.86, 0.83, 0.81]), np.array([0.16, 0.11, 0.09])


@dataclass(frozen=True)
class Eyeball:
    """A sphere with an iris, in the portrait's pose."""

    center: Float[np.ndarray, "3"]
    radius: float
    axis: Float[np.ndarray, "3"]
    """Unit direction through the middle of the iris."""
    iris_angle: float
    """Between the axis and the iris's rim, radians."""

    def angle(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
        """Angle between the axis and the points as seen from the centre, radians."""
        away = points - self.center
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        return np.arccos(np.clip(away @ self.axis, -1, 1))


def lift_eyes(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return both eyes' layers: seen pixels and the completed eyeball under them."""
    layers = []
    for region, landmark in IRIS_CENTER.items():
        triangles = scene.triangles_in(region)
        mask = (view.label == Label.EYE) & triangles[view.triangle]
        eyeball = locate_eyeball(scene, triangles, landmark)
        rings = _ring_colors(scene, eyeball, mask, view, colors)
        layers += [_pixel_layer(scene, view, mask), _eyeball_layer(scene, eyeball, triangles, rings, rng)]
    return layers


def locate_eyeball(scene: Scene, triangles: Bool[np.ndarray, "F"], landmark: int) -> Eyeball:
    """Fit a sphere to the eye's vertices and aim it through the detected iris."""
    vertices = scene.vertices[np.unique(scene.rig.faces[triangles])].astype(np.float64)
    # Least squares for |v|^2 = 2 v.c + (r^2 - |c|^2), linear in the centre c.
    solution = np.linalg.lstsq(np.c_[2 * vertices, np.ones(len(vertices))], (vertices**2).sum(1), rcond=None)[0]
    center = solution[:3]
    radius = float(np.sqrt(solution[3] + center @ center))
    rim = scene.portrait.landmarks[landmark + 1 : landmark + 5]
    iris = scene.portrait.landmarks[landmark]
    iris_radius = np.linalg.norm(rim - iris, axis=1).mean() * scene.metres_per_pixel
    axis = _hit_sphere(scene, iris.astype(np.float64), center, radius) - center
    angle = float(np.arcsin(np.clip(iris_radius / radius, 0.2, 0.8)))
    return Eyeball(center, radius, axis / np.linalg.norm(axis), angle)


def _hit_sphere(
    scene: Scene, pixel: Float[np.ndarray, "2"], center: Float[np.ndarray, "3"], radius: float
) -> Float[np.ndarray, "3"]:
    """Where the ray through a pixel meets the sphere first, or comes nearest to it."""
    origin = scene.camera.center
    direction = scene.camera.unproject(pixel[None], np.ones(1))[0] - origin
    direction /= np.linalg.norm(direction)
    along = (center - origin) @ direction
    miss = (center - origin) @ (center - origin) - along**2
    return origin + direction * (along - np.sqrt(max(radius**2 - miss, 0.0)))


def _ring_colors(
    scene: Scene, eyeball: Eyeball, mask: Bool[np.ndarray, "S S"], view: Visibility, colors: SkinColors
) -> Float[np.ndarray, "R 3"]:
    """Colour by angle from the axis: the brighter half of what is seen there, for lids throw shadows and lashes."""
    row, column = np.nonzero(mask)
    seen = colors.foreground[row, column]
    pixels = np.stack([column + 0.5, row + 0.5], 1)
    angle = eyeball.angle(scene.camera.unproject(pixels, view.depth[row, column].astype(np.float64)))
    light = np.clip(seen.max() if len(seen) else colors.vertex.mean() * 1.5, 0.2, 1.0)
    edges = np.linspace(0, np.pi, RINGS * 4 + 1)[: RINGS + 1]
    rings = np.where((edges[1:] < eyeball.iris_angle)[:, None], DARK_IRIS, WHITE * light)
    white = seen[angle > LIMBUS * eyeball.iris_angle]
    if len(white) > 8:
        rings[edges[1:] >= eyeball.iris_angle] = _bright_half(white)
    for ring in range(RINGS):
        inside = (angle >= edges[ring]) & (angle < edges[ring + 1])
        if inside.sum() > 5 and edges[ring] < LIMBUS * eyeball.iris_angle:
            rings[ring] = _bright_half(seen[inside])
    return rings


def _bright_half(colors: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "3"]:
    brightness = colors.sum(1)
    return np.median(colors[brightness >= np.median(brightness)], axis=0)


def _pixel_layer(scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"]) -> Layer:
    cells = adaptive_cells(scene.portrait, mask, coarsest=1)
    depth = view.depth[cells.row, cells.column].astype(np.float64) + PIXEL_INSET
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, np.zeros((len(depth), 2)))
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        view.triangle[cells.row, cells.column],
        means,
        basis,
        colors=cells.color,
        opacities=cells.opacity,
        part=Part.EYE,
        seen=np.ones(len(depth), bool),
    )


def _eyeball_layer(
    scene: Scene,
    eyeball: Eyeball,
    triangles: Bool[np.ndarray, "F"],
    rings: Float[np.ndarray, "R 3"],
    rng: np.random.Generator,
) -> Layer:
    front = triangles & (scene.vertices[scene.rig.faces].mean(1)[:, 2] > eyeball.center[2])
    samples = sample_triangles(scene.vertices, scene.rig.faces, np.where(front, SPACING, np.inf), rng)
    points = surface_points(samples, scene.vertices.astype(np.float64), scene.rig.faces)
    outwards = points - eyeball.center
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    ring: Int[np.ndarray, "N"] = np.minimum(eyeball.angle(points) / (np.pi / (RINGS * 4)), RINGS - 1).astype(np.int64)
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        samples.triangle,
        points - outwards * FILL_INSET,
        disc_basis(outwards, samples.spacing * SURFACE_SIGMA),
        colors=rings[ring],
        opacities=np.full(len(points), 0.95),
        part=Part.EYE,
        seen=np.zeros(len(points), bool),
    )
