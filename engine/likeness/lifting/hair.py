"""Hair, hat and torso: the front as the portrait shows it, sides and back on the inflated volume."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.special import erf

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors
from likeness.lifting.back import lift_back
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.hair_paint import SOLID, HairPaint
from likeness.lifting.sampling import lift_pixels, make_layer
from likeness.lifting.scaffold import scaffold_triangle
from likeness.lifting.torso import lift_torso_sides
from likeness.lifting.types import Layer, Scene
from likeness.lifting.visibility import Label, Visibility
from likeness.lifting.volume import Volume

HEAD_BUDGET, TORSO_BUDGET = 23_000, 9_000
"""Most Gaussians that the front may take in the head's rows and in the torso's."""
TURNING, LOOSE = 2.5, 5.0
"""Slopes (metres of depth per metre across) from which a lifted pixel turns to the camera, and from which it faces it:
the volume's side takes over."""
BRIM, BRIM_SLOPE = 0.007, 0.7
"""Width of the hair's brim along the outline, metres, and its slope."""
FRAY, FRAY_LOCK, FRAY_DEPTH = 0.0045, 0.004, 0.02
"""Width of the edge whose locks lie at depths of their own, the locks' size (standard deviation), and how far behind
the front they lie at most; metres."""
GAP_DEPTH = 0.035
"""How far what shows through the hair lies behind its surface, metres."""
MIXED_TINT = 0.1
"""Most by which refinement may change the colour of hair that the portrait mixes with what is behind it, 0..1."""
BESIDE, BESIDE_TINT = 3, 0.15
"""Pixels around that hair, and most by which refinement may change a colour there."""


def lift_volume(
    scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, rng: np.random.Generator
) -> list[Layer]:
    """Return the layers of everything in the matte beside the skin."""
    paint = HairPaint.of(scene, view, volume, colors, rng)
    front = _front_layers(scene, view, volume, paint, rng)
    return [
        *front,
        *lift_torso_sides(scene, view, volume, colors, rng),
        *lift_back(scene, view, volume, colors, paint, rng),
    ]


def _front_layers(
    scene: Scene, view: Visibility, volume: Volume, paint: HairPaint, rng: np.random.Generator
) -> list[Layer]:
    """Lift the volume's pixels onto its near surface."""
    in_torso_rows = volume.torso_share > 0.5
    mask = view.label == Label.VOLUME
    front = np.where(volume.torso, volume.front, _with_brim(scene, view, volume))
    down, right = np.gradient(front)
    to_outline = view.to_outline * scene.metres_per_pixel
    depths = _frayed(scene, front, volume, to_outline, rng)
    # What shows between the strands lies behind them: from the side they hide it.
    depths = np.where(paint.foreign, np.minimum(depths + GAP_DEPTH, np.maximum(depths, volume.middle)), depths)
    near_mixed = ndimage.binary_dilation(paint.foreign | (mask & (scene.portrait.alpha < SOLID)), iterations=BESIDE)
    layers = []
    for budget, own in ((HEAD_BUDGET, mask & ~in_torso_rows), (TORSO_BUDGET, mask & in_torso_rows)):
        cells = adaptive_cells(scene.portrait, own, coarsest=4, budget=budget)
        depth = depths[cells.row, cells.column]
        per_metre = scene.camera.K[0, 0] / depth
        slope = np.stack([right[cells.row, cells.column], down[cells.row, cells.column]], 1) * per_metre[:, None]
        torso = volume.torso[cells.row, cells.column]
        # Where hair is mixed with what is behind it has its own colour. The background's would be flecks from the side.
        soft = paint.foreign[cells.row, cells.column] | (cells.opacity < SOLID)
        mixed = soft & ~torso & (not paint.bald)
        color = np.where(mixed[:, None], paint.local[cells.row, cells.column], cells.color)
        # What is seen from its side runs along the surface as far as it is surely hair, else it would be rows of dots.
        # Turned to the camera, the outline's mixture hardly shows from the side: along the surface it would be streaks.
        steepness = np.linalg.norm(slope, axis=1)
        turned = np.clip((LOOSE - steepness) / (LOOSE - TURNING), 0, 1)
        slope *= (turned * ~soft)[:, None]
        means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, slope)
        # Held back, those would have their neighbours take the background's colour for them.
        beside = near_mixed[cells.row, cells.column] & ~torso & (not paint.bald)
        tint = np.where(mixed, MIXED_TINT, np.where(beside, BESIDE_TINT, 1.0))
        layers += _on_scaffold(scene, torso, means, basis, color, cells.opacity, tint)
    return layers


def _with_brim(scene: Scene, view: Visibility, volume: Volume) -> Float[np.ndarray, "S S"]:
    """Let the front run on as a narrow brim along the outline instead of bending back with the volume.

    The matte's edge has the background's colours. Bent back it would paint them all over the side of the head.
    """
    to_outline = view.to_outline * scene.metres_per_pixel
    solid = to_outline >= BRIM
    distance, nearest = ndimage.distance_transform_edt(~solid, return_indices=True)
    distance *= scene.metres_per_pixel
    brim = volume.front[nearest[0], nearest[1]] + BRIM_SLOPE * distance
    brim = np.minimum(volume.front, ndimage.gaussian_filter(brim, 1.0))
    # Single strands beside the hair have nothing to be the brim of.
    return np.where(solid | (distance > 1.5 * BRIM), volume.front, brim)


def _frayed(
    scene: Scene,
    front: Float[np.ndarray, "S S"],
    volume: Volume,
    to_outline: Float[np.ndarray, "S S"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "S S"]:
    """Return the front's depths, the outline's locks lying here and there behind it.

    All at the front they would be a fin that stands off the side of the head, in the background's light.
    """
    field = ndimage.gaussian_filter(rng.normal(size=front.shape), FRAY_LOCK / scene.metres_per_pixel)
    share = 0.5 + 0.5 * erf(field / field.std() / np.sqrt(2))
    share *= np.clip((FRAY - to_outline) / (0.5 * FRAY), 0, 1) * ~volume.torso
    return front + share * np.clip(volume.middle - front, 0, FRAY_DEPTH)


def _on_scaffold(
    scene: Scene,
    torso: Bool[np.ndarray, "N"],
    means: Float[np.ndarray, "N 3"],
    basis: Float[np.ndarray, "N 3 3"],
    color: Float[np.ndarray, "N 3"],
    opacity: Float[np.ndarray, "N"],
    tint: Float[np.ndarray, "N"],
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
            seen=np.ones(int(own.sum()), bool),
            tint=tint[own],
        )
        for part, own in ((Part.HAIR, ~torso), (Part.TORSO, torso))
    ]
