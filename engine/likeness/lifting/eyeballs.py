"""Where the eyeballs are: spheres fitted to the eyes' vertices, aimed through the detected irises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from likeness.lifting.types import Scene


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


def locate_eyeball(scene: Scene, triangles: Bool[np.ndarray, "F"], landmark: int) -> Eyeball:
    """Fit a sphere to the eye's vertices and aim it through the detected iris."""
    center, radius = fit_sphere(scene.vertices[np.unique(scene.rig.faces[triangles])])
    rim = scene.portrait.landmarks[landmark + 1 : landmark + 5]
    iris = scene.portrait.landmarks[landmark]
    iris_radius = np.linalg.norm(rim - iris, axis=1).mean() * scene.metres_per_pixel
    axis = _hit_sphere(scene, iris.astype(np.float64), center, radius) - center
    angle = float(np.arcsin(np.clip(iris_radius / radius, 0.2, 0.8)))
    return Eyeball(center, radius, axis / np.linalg.norm(axis), angle)


def fit_sphere(points: Float[np.ndarray, "N 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Return centre and radius of the sphere nearest to the points."""
    points = points.astype(np.float64)
    # Least squares for |v|^2 = 2 v.c + (r^2 - |c|^2), linear in the centre c.
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
    center = solution[:3]
    return center, float(np.sqrt(solution[3] + center @ center))


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
