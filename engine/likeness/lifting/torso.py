"""The torso's rim, and the ground under its lifted front; `yoke.py` closes its back."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors, blur_inside
from likeness.lifting.parsing import Material
from likeness.lifting.sampling import REACH, SURFACE_SIGMA, disc_basis, make_layer, posed_samples, sample_triangles
from likeness.lifting.scaffold import scaffold_triangle
from likeness.lifting.spread import spread
from likeness.lifting.types import CHIN, Layer, Scene
from likeness.lifting.visibility import Label, Visibility, pixel_of, pull_inside
from likeness.lifting.volume import Volume

RIM_FACING = 0.45
"""Cosine with the view under which the volume's front is sampled as well: its rim."""
SPACING, RIM_SPACING = 0.0045, 0.0028
"""Of the volume's samples under its front and round its outline, metres."""
UNDER_INSET = 0.004
"""Depth of the solid ground under the lifted front, metres."""
OUTLINE = (0.003, 0.05)
"""Band along the torso's outline whose colours continue on its back, metres."""
END = 2.2
"""How far the torso's samples stay from the end of the picture, in spacings: three standard deviations."""
COLLAR = 0.07
"""Half width of the middle of the torso that a back does not share: collar, tie, neckline; metres."""
GRAIN = 0.06
"""Strongest departure from the smooth colour that counts as grain and not as a pattern."""


def lift_torso_sides(
    scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, rng: np.random.Generator
) -> list[Layer]:
    """Sample the torso's rim, and the ground under its lifted front."""
    facing = _facing(scene, volume)
    spacing = np.where(np.abs(facing) < RIM_FACING, RIM_SPACING, SPACING)
    spacing = np.where(volume.is_front, spacing, np.inf)
    samples = sample_triangles(volume.vertices, volume.faces, spacing, rng)
    points, normals = posed_samples(samples, volume.vertices, volume.faces)
    rim = np.abs(facing[samples.triangle]) < RIM_FACING
    under = ~rim
    points -= normals * np.where(under, UNDER_INSET, samples.spacing * SURFACE_SIGMA)[:, None]
    points, wanted = pull_inside(scene, view, points, REACH * samples.spacing)
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    # Where square or picture cut the torso, its front alone goes to the end: nothing else shows over the photograph.
    to_end = ndimage.distance_transform_edt(np.pad(scene.portrait.valid, 1))[1:-1, 1:-1] - 1
    wanted &= volume.torso[row, column] & (to_end[row, column] > END * samples.spacing / scene.metres_per_pixel)
    solid = (view.label == Label.VOLUME) & (scene.portrait.alpha > 0.9) & volume.torso
    cloth = solid & (view.material == Material.CLOTH)
    solid = cloth if cloth.any() else solid
    color = _continued(colors.foreground, _back_mask(scene, view, solid), rng)[row, column]
    # Carriers stretch: what then shows between the front's pixels has to be like them.
    shown = scene.portrait.alpha > 0.9
    ground = under & shown[row, column]
    color[ground] = blur_inside(colors.foreground, shown, 1.5)[row[ground], column[ground]]
    points, normals, radius = points[wanted], normals[wanted], samples.spacing[wanted] * SURFACE_SIGMA
    return [
        make_layer(
            scene.vertices,
            scene.rig.faces,
            scaffold_triangle(points, np.ones(len(points), bool), scene.rig.head_triangles),
            points,
            disc_basis(normals, radius),
            colors=color[wanted],
            opacities=np.full(len(points), 0.95),
            part=Part.TORSO,
            seen=rim[wanted],
        )
    ]


def _back_mask(scene: Scene, view: Visibility, solid: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Mark what shows near the outline under the chin: a back has the shoulders' cloth or long hair, not the tie."""
    near = view.to_outline * scene.metres_per_pixel
    from_chin = np.abs(np.arange(len(near)) - scene.portrait.landmarks[CHIN, 0])[None] * scene.metres_per_pixel
    edge = solid & (from_chin > COLLAR) & (near > OUTLINE[0]) & (near < OUTLINE[1])
    return edge if edge.any() else solid


def _continued(
    image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"], rng: np.random.Generator
) -> Float[np.ndarray, "S S 3"]:
    """Continue the masked part of an image over all of it: its smooth colour there, and its grain in random order."""
    if not mask.any():
        return np.full_like(image, 0.5)
    inner = blur_inside(image, mask, 1.5)
    grain = (inner - blur_inside(image, mask, len(mask) / 80))[mask]
    fine = grain[np.abs(grain).max(1) < GRAIN]
    drawn = fine[rng.integers(0, len(fine), mask.shape)] if len(fine) else 0.0
    return np.clip(np.where(mask[..., None], inner, spread(image, mask) + drawn), 0, 1)


def _facing(scene: Scene, volume: Volume) -> Float[np.ndarray, "T"]:
    """Cosine of every triangle's normal with the direction to the camera."""
    corners = volume.vertices[volume.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    to_camera = scene.camera.center - corners.mean(1)
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(to_camera, axis=1)
    return (normal * to_camera).sum(1) / np.maximum(length, 1e-12)
