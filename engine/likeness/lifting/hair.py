"""Hair, hat and torso: the front as the portrait shows it, sides and back on the inflated volume."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors, blur_inside
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.sampling import (
    REACH,
    SURFACE_SIGMA,
    disc_basis,
    lift_pixels,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.scaffold import scaffold_triangle
from likeness.lifting.types import CHIN, UNDER_NOSE, Layer, Scene
from likeness.lifting.visibility import Label, Visibility, pixel_of, pull_inside
from likeness.lifting.volume import Volume

HEAD_BUDGET, TORSO_BUDGET = 32_000, 12_000
"""Most Gaussians that the front may take in the head's rows and in the torso's."""
STEEPEST = 2.0
"""Slope (metres of depth per metre across) of a lifted pixel at the outline; the volume's side takes over there."""
RIM_FACING = 0.45
"""Cosine with the view under which the volume's front is sampled as well: its rim."""
SPACING, RIM_SPACING = 0.0045, 0.0028
"""Of the volume's samples on its back and round its outline, metres."""
UNDER_INSET = 0.004
"""Depth of the solid ground under the lifted front, metres."""
OUTLINE = (0.003, 0.05)
"""Band along the torso's outline whose colours continue on its back, metres."""
SCALP_SPACING, SCALP_INSET = 0.004, 0.003
END = 2.2
"""How far the torso's samples stay from the end of the picture, in spacings: three standard deviations."""
COLLAR = 0.07
"""Half width of the middle of the torso that a back does not share: collar, tie, neckline; metres."""
COARSE = 128
"""Side of the picture on which colours are spread."""
SPREAD_SIGMAS, SPREAD_WEIGHT = (21.0, 8.0, 3.2), 0.05
"""Reaches of the spreading, widest first, in pixels of that picture; weight from which a nearer one decides."""
STRAY = 0.005
"""Standard deviation of the place from which unseen hair takes its colour, metres."""
GRAIN = 0.06
"""Strongest departure from the smooth colour that counts as grain and not as a pattern."""
OVER_CHIN = 0.02
"""Torso's share under which a row belongs to the head."""
LEAST_HAIR = 0.02
"""Share of the head's pixels that must be hair or hat for the back of the head to have any."""


def lift_volume(
    scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, rng: np.random.Generator
) -> list[Layer]:
    """Return the layers of everything in the matte beside the skin."""
    front = _front_layers(scene, view, volume, view.label == Label.VOLUME)
    return [*front, *_side_layers(scene, view, volume, colors, rng)]


def _front_layers(scene: Scene, view: Visibility, volume: Volume, mask: Bool[np.ndarray, "S S"]) -> list[Layer]:
    """Lift the volume's pixels onto its near surface."""
    in_torso_rows = volume.torso_share > 0.5
    down, right = np.gradient(volume.front)
    layers = []
    for budget, own in ((HEAD_BUDGET, mask & ~in_torso_rows), (TORSO_BUDGET, mask & in_torso_rows)):
        cells = adaptive_cells(scene.portrait, own, coarsest=4, budget=budget)
        depth = volume.front[cells.row, cells.column]
        per_metre = scene.camera.K[0, 0] / depth
        slope = np.stack([right[cells.row, cells.column], down[cells.row, cells.column]], 1) * per_metre[:, None]
        slope = np.clip(slope, -STEEPEST, STEEPEST)
        means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, slope)
        torso, seen = volume.torso[cells.row, cells.column], np.ones(len(means), bool)
        layers += _on_scaffold(scene, torso, means, basis, cells.color, cells.opacity, seen)
    return layers


def _side_layers(
    scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, rng: np.random.Generator
) -> list[Layer]:
    """Sample the volume's rim and back, the ground under its lifted front, and the scalp under the hair."""
    surface = _UnseenColors.of(scene, view, volume, colors, rng)
    facing = _facing(scene, volume)
    spacing = np.where(np.abs(facing) < RIM_FACING, RIM_SPACING, SPACING)
    samples = sample_triangles(volume.vertices, volume.faces, spacing, rng)
    points, normals = posed_samples(samples, volume.vertices, volume.faces)
    rim = np.abs(facing[samples.triangle]) < RIM_FACING
    under = volume.is_front[samples.triangle] & ~rim
    points -= normals * np.where(under, UNDER_INSET, samples.spacing * SURFACE_SIGMA)[:, None]
    points, wanted = pull_inside(scene, view, points, REACH * samples.spacing)
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    basis = disc_basis(normals, samples.spacing * SURFACE_SIGMA)
    torso = volume.torso[row, column]
    # Where square or picture cut the torso, its front alone goes to the end: nothing else shows over the photograph.
    to_end = ndimage.distance_transform_edt(np.pad(scene.portrait.valid, 1))[1:-1, 1:-1] - 1
    wanted &= ~torso | (to_end[row, column] > END * samples.spacing / scene.metres_per_pixel)
    wanted &= ~volume.gap[row, column] & (volume.is_front[samples.triangle] | ~volume.bare[row, column])
    seen = volume.is_front[samples.triangle] & rim
    # Pixel by pixel carried back along the line of sight, the colours would draw streaks on the side of the head.
    stray = rng.normal(0, STRAY / scene.metres_per_pixel, points[:, :2].shape) * ~(torso | seen | under)[:, None]
    color = surface.at(points, *pixel_of(np.stack([column, row], 1) + 0.5 + stray, len(view.label)))
    # Under the chin carriers stretch: what then shows between the front's pixels has to be like them.
    shown = scene.portrait.alpha > 0.9
    ground = under & (shown & ~surface.over_chin)[row, column]
    color[ground] = blur_inside(colors.foreground, shown, 1.5)[row[ground], column[ground]]
    arrays = points, basis, color, np.full(len(points), 0.95), seen
    layers = _on_scaffold(scene, torso[wanted], *(array[wanted] for array in arrays))
    return [*layers, _scalp_layer(scene, surface, rng)]


def _scalp_layer(scene: Scene, surface: _UnseenColors, rng: np.random.Generator) -> Layer:
    """Cover the skull under the hair, so that no gap shows through to the other side."""
    faces = scene.rig.faces
    spacing = np.where(scene.triangles_in("scalp"), SCALP_SPACING, np.inf)
    samples = sample_triangles(scene.vertices, faces, spacing, rng)
    points, normals = posed_samples(samples, scene.vertices, faces)
    points -= normals * SCALP_INSET
    row, column = pixel_of(scene.camera.project(points)[0], len(surface.head))
    return make_layer(
        scene.vertices,
        faces,
        samples.triangle,
        points,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=surface.at(points, row, column),
        opacities=np.full(len(points), 0.95),
        part=Part.HAIR,
        seen=np.zeros(len(points), bool),
    )


@dataclass(frozen=True)
class _UnseenColors:
    """Colours for the far side: what the near side shows there, and behind the face a continuation of it."""

    head: Float[np.ndarray, "S S 3"]
    back: Float[np.ndarray, "S S 3"]
    over_chin: Bool[np.ndarray, "S S"]
    """Where `head` holds; `back` elsewhere."""
    scalp: cKDTree | None
    """For a bald head: finds the scalp vertex whose filled-in skin colour to take."""
    scalp_color: Float[np.ndarray, "M 3"]

    @classmethod
    def of(
        cls, scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, rng: np.random.Generator
    ) -> _UnseenColors:
        over_chin = (volume.torso_share < OVER_CHIN) & ~volume.torso
        hair = _hair_mask(scene, view, colors, over_chin)
        back = _back_mask(scene, view, ~over_chin)
        lips = np.arange(len(hair))[:, None] > scene.portrait.landmarks[UNDER_NOSE, 1]
        shoulders = _aside(scene, len(hair)) & lips & (view.label == Label.VOLUME) & (scene.portrait.alpha > 0.9)
        bald = hair.sum() < LEAST_HAIR * (over_chin & (view.label != Label.BACKGROUND)).sum()
        scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
        return cls(
            head=_continued(colors.foreground, hair, shoulders, rng),
            back=_continued(colors.foreground, back, back, rng),
            over_chin=over_chin,
            scalp=cKDTree(scene.vertices[scalp]) if bald else None,
            scalp_color=colors.vertex[scalp],
        )

    def at(
        self, points: Float[np.ndarray, "N 3"], row: Int[np.ndarray, "N"], column: Int[np.ndarray, "N"]
    ) -> Float[np.ndarray, "N 3"]:
        """Colour the points that project to these pixels."""
        head = self.head[row, column] if self.scalp is None else self.scalp_color[self.scalp.query(points)[1]]
        return np.where(self.over_chin[row, column][:, None], head, self.back[row, column])


def _hair_mask(
    scene: Scene, view: Visibility, colors: SkinColors, over_chin: Bool[np.ndarray, "S S"]
) -> Bool[np.ndarray, "S S"]:
    """Mark pixels that surely show hair or hat: away from skin and background, and less like skin than like hair."""
    beside = ndimage.binary_erosion((view.label == Label.VOLUME) & (scene.portrait.alpha > 0.9), iterations=3)
    mask = beside & over_chin
    if not mask.any() or not colors.trusted.any():
        return mask
    hair, skin = np.median(colors.foreground[mask], 0), np.median(colors.foreground[colors.trusted], 0)
    like_hair = np.linalg.norm(colors.foreground - hair, axis=-1)
    like_skin = np.linalg.norm(colors.foreground - skin, axis=-1)
    return mask & (like_hair <= like_skin)


def _back_mask(scene: Scene, view: Visibility, under_chin: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Mark what shows near the outline under the chin: a back has the shoulders' cloth or long hair, not the tie."""
    solid = (view.label == Label.VOLUME) & (scene.portrait.alpha > 0.9) & under_chin
    near = view.to_outline * scene.metres_per_pixel
    edge = solid & _aside(scene, len(near)) & (near > OUTLINE[0]) & (near < OUTLINE[1])
    return edge if edge.any() else solid


def _aside(scene: Scene, size: int) -> Bool[np.ndarray, "1 S"]:
    """Mark the columns outside of the collar."""
    return np.abs(np.arange(size) - scene.portrait.landmarks[CHIN, 0])[None] * scene.metres_per_pixel > COLLAR


def _continued(
    image: Float[np.ndarray, "S S 3"],
    mask: Bool[np.ndarray, "S S"],
    own: Bool[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "S S 3"]:
    """Continue the masked part of an image over all of it: its smooth colour there, and its grain in random order.

    Pixels in `own` keep their colour, a little blurred.
    """
    if not mask.any():
        return np.full_like(image, 0.5)
    inner = blur_inside(image, own | mask, 1.5)
    grain = (inner - blur_inside(image, mask, len(mask) / 80))[mask]
    fine = grain[np.abs(grain).max(1) < GRAIN]
    drawn = fine[rng.integers(0, len(fine), mask.shape)] if len(fine) else 0.0
    return np.clip(np.where((own | mask)[..., None], inner, _spread(image, mask) + drawn), 0, 1)


def _spread(image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "S S 3"]:
    """Spread the masked colours over the whole picture, each place taking the nearest that amount to something."""

    def coarse(values: Float[np.ndarray, "S S *C"]) -> Float[np.ndarray, "G G *C"]:
        return cv2.resize(values, (COARSE, COARSE), interpolation=cv2.INTER_AREA)

    share = coarse(mask.astype(np.float64))[..., None]
    color = coarse(image * mask[..., None])
    smooth = np.broadcast_to(image[mask].mean(0), color.shape)
    for sigma in SPREAD_SIGMAS:
        weight = ndimage.gaussian_filter(share, (sigma, sigma, 0))
        total = ndimage.gaussian_filter(color, (sigma, sigma, 0))
        smooth = np.where(weight > SPREAD_WEIGHT, total / np.maximum(weight, 1e-9), smooth)
    return cv2.resize(smooth, mask.shape, interpolation=cv2.INTER_LINEAR)


def _facing(scene: Scene, volume: Volume) -> Float[np.ndarray, "T"]:
    corners = volume.vertices[volume.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    to_camera = scene.camera.center - corners.mean(1)
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(to_camera, axis=1)
    return (normal * to_camera).sum(1) / np.maximum(length, 1e-12)


def _on_scaffold(
    scene: Scene,
    torso: Bool[np.ndarray, "N"],
    means: Float[np.ndarray, "N 3"],
    basis: Float[np.ndarray, "N 3 3"],
    color: Float[np.ndarray, "N 3"],
    opacity: Float[np.ndarray, "N"],
    seen: Bool[np.ndarray, "N"],
) -> list[Layer]:
    """Bind the torso's Gaussians to its carriers and the others to the head's."""
    triangle = scaffold_triangle(means, torso, scene.rig.head_triangles)
    return [
        make_layer(
            scene.vertices,
            scene.rig.faces,
            triangle[own],
            means[own],
            basis[own],
            colors=color[own],
            opacities=opacity[own],
            part=part,
            seen=seen[own],
        )
        for part, own in ((Part.HAIR, ~torso), (Part.TORSO, torso))
    ]
