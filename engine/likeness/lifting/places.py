"""Where the unseen hair's samples lie on the volume's surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.lifting.sampling import posed_samples, sample_triangles, surface_points
from likeness.lifting.types import Scene
from likeness.lifting.visibility import pixel_of
from likeness.lifting.volume import Volume

INSET = 0.003
"""How far a sample lies at least behind the lifted front along the line of sight, metres."""
LEAST_FACING = 0.3
"""Cosine with the view from which on a disc need not be hidden better."""
ON_SKULL = 0.01
"""Distance from the skull with its hair up to which the hairline says where hair ends, metres."""
OFF_SKIN = 0.015
"""Distance from bare skin up to which no loose hair hangs, metres."""


@dataclass(frozen=True)
class Places:
    """Samples of the volume's surface that belong to the head."""

    points: Float[np.ndarray, "N 3"]
    normals: Float[np.ndarray, "N 3"]
    chart: Float[np.ndarray, "N 2"]
    spacing: Float[np.ndarray, "N"]
    front: Bool[np.ndarray, "N"]
    facing: Float[np.ndarray, "N"]
    row: Int[np.ndarray, "N"]
    column: Int[np.ndarray, "N"]
    within: Float[np.ndarray, "N"]
    """Distance inside the hairline, metres; large where no skin is near."""

    @classmethod
    def of(
        cls, scene: Scene, volume: Volume, spacing: float, budget: int, rng: np.random.Generator, rim: float = 1.0
    ) -> Places:
        """Spread about `budget` samples over the head, `spacing` apart at least (metres).

        Of the front that the photograph shows only what faces the camera with a cosine under `rim` gets any.
        """
        spacings = _spacings(scene, volume, spacing, budget, rim)
        samples = sample_triangles(volume.vertices, volume.faces, spacings, rng)
        points, normals = posed_samples(samples, volume.vertices, volume.faces)
        row, column = pixel_of(scene.camera.project(points)[0], len(volume.torso))
        away = points - scene.camera.center
        facing = -(normals * away).sum(1) / np.linalg.norm(away, axis=1)
        front = volume.is_front[samples.triangle]
        # Over the skull hair ends at the hairline, off the skull at its hem.
        on_skull = volume.shell.query(points)[0] < ON_SKULL
        near_skin = volume.hairline.skin.query(points)[0] < OFF_SKIN
        over_hem = volume.hanging[row, column]
        within = np.where(on_skull, volume.hairline.inside(points), np.where(near_skin, -1.0, over_hem))
        places = cls(
            points,
            normals,
            surface_points(samples, volume.chart, volume.faces),
            samples.spacing,
            front,
            facing,
            row,
            column,
            np.where(front, 1.0, within),
        )
        return places.where(~volume.torso[row, column] | ~front & (volume.hanging[row, column] > 0))

    def where(self, mask: Bool[np.ndarray, "N"]) -> Places:
        """Return the marked ones."""
        return Places(**{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})

    def behind(self, scene: Scene, volume: Volume) -> Float[np.ndarray, "N"]:
        """Metres behind the outline's plane."""
        return scene.camera.project(self.points)[1] - volume.middle[self.row, self.column]

    def hidden(self, scene: Scene, reach: Float[np.ndarray, "N"] | float) -> Float[np.ndarray, "N 3"]:
        """Move discs of some reach back along the lines of sight, until nothing of them is before the front's pixels.

        In the portrait's view nothing changes its place. Where the front falls off steeply, a disc of its own depth
        would hide deeper pixels beside it, for Gaussians are drawn in the order of their middles.
        """
        facing = np.clip(self.facing, LEAST_FACING, 1)
        distance = INSET + reach * np.sqrt(1 - facing**2) / facing
        away = self.points - scene.camera.center
        return self.points + away * (distance / np.linalg.norm(away, axis=1))[:, None]


def _spacings(scene: Scene, volume: Volume, least: float, budget: int, rim: float) -> Float[np.ndarray, "T"]:
    """Return each triangle's spacing, metres, infinite where none are wanted."""
    corners = volume.vertices[volume.faces]
    middle = corners.mean(1)
    doubled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * np.linalg.norm(doubled, axis=1)
    away = middle - scene.camera.center
    facing = -(doubled * away).sum(1) / np.maximum(2 * area * np.linalg.norm(away, axis=1), 1e-12)
    row, column = pixel_of(scene.camera.project(middle)[0], len(volume.torso))
    unwanted = volume.is_front & (facing > rim) & scene.portrait.valid[row, column]
    on_head = area[~unwanted & ~volume.torso[row, column]].sum()
    return np.where(unwanted, np.inf, max(least, float(np.sqrt(on_head / budget))))
