"""The unseen side of hair and hats: a closed ground, and strands with the seen hair's colours and texture on it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.contract.avatar import Part
from likeness.lifting.appearance import SkinColors, blur_inside
from likeness.lifting.hair_paint import SOLID, HairPaint
from likeness.lifting.parsing import Material
from likeness.lifting.places import Places
from likeness.lifting.sampling import (
    REACH,
    SURFACE_SIGMA,
    THICKNESS,
    disc_basis,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.scaffold import scaffold_triangle
from likeness.lifting.types import Layer, Scene, keep
from likeness.lifting.visibility import Visibility, pixel_of, pull_inside
from likeness.lifting.volume import Volume

GROUND_SPACING, STRAND_SPACING = 0.0052, 0.0024
"""Of the closed ground's and the strands' samples at least, metres."""
BACK_INSET = 0.003
"""How far the ground lies under the back's strands, metres."""
HIDING = 2.0
"""Standard deviations of a disc that the front's pixels hide."""
GROUND_BUDGET, STRAND_BUDGET = 5_000, 11_000
"""About how many of each there may be; on much hair they stand further apart and are larger."""
GROUND_DARKNESS = 0.8
"""Brightness between the strands as a share of theirs."""
STRAND = (0.0011, 0.0044)
"""Standard deviations across and along a strand of straight hair, metres."""
ROUND = 0.0016
"""Standard deviation of what shows no direction: curls, fur, knitwear; metres."""
STRAIGHT = (0.25, 0.6)
"""The texture's strandedness from which samples begin to be strands, and at which they are straight."""
STRAND_REACH = 2.5
"""How far strands stay inside the outline, in their standard deviations across."""
REFLECTED = 1.4
"""Length of a strand that reflects the seen hair, in its widths: the picture's own strands shall show."""
WAVE = 0.2
"""Standard deviation of a strand's direction, radians."""
SHADE = 0.06
"""Standard deviation of a strand's brightness."""
RIM_FACING = 0.6
"""Cosine with the view under which the front has strands of its own beside its pixels."""
RIM_MARGIN = 0.15
"""How much more than that a triangle may face the camera whose smooth normals face it less."""
FEATHER = 0.0035
"""Standard deviation of the strands' ends along the hairline, metres."""
GAP_MARGIN = 2
"""Pixels around gaps between strands that the front's ground leaves open too."""
SCALP_SPACING, SCALP_INSET, HAIRLINE_INSET = 0.005, 0.003, 0.0005
"""Of the skull under the hair: spacing, depth under the scalp, and depth at the hairline, metres."""
SPARSE = 0.012
"""Distance from the hairline over which the scalp's skin shows less and less, metres."""
WHORL = np.array([0.0, 0.85, -0.45])
"""From the skull's middle to where hair grows away from, in the skull's radii."""
SKULL_RADIUS = 0.1


def lift_back(
    scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, paint: HairPaint, rng: np.random.Generator
) -> list[Layer]:
    """Return the layers of the head's unseen hair."""
    layers = [_ground(scene, view, volume, colors, paint, rng), _scalp(scene, view, volume, paint, rng)]
    return layers if paint.bald else [*layers, _strands(scene, view, volume, paint, rng)]


def _ground(
    scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, paint: HairPaint, rng: np.random.Generator
) -> Layer:
    """Close the volume under the front's pixels, which stand apart seen from the side, and under the back's strands."""
    places = Places.of(scene, volume, GROUND_SPACING, GROUND_BUDGET, rng)
    places = places.where((places.within > 0.5 * FEATHER) & ~(places.front & _gaps(paint)[places.row, places.column]))
    inset = places.points - places.normals * BACK_INSET
    points = np.where(
        places.front[:, None], places.hidden(scene, HIDING * SURFACE_SIGMA * places.spacing.max(initial=0)), inset
    )
    points, kept = pull_inside(scene, view, points, REACH * places.spacing)
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    color, _ = paint.textured(scene, volume, places, row, column)
    color *= 1.0 if paint.bald else GROUND_DARKNESS
    solid = (scene.portrait.alpha > 0.9) & ~paint.foreign
    shown = blur_inside(colors.foreground, solid, 1.5)
    own = places.front & (solid & paint.reflection.shown)[row, column]
    color[own] = shown[row, column][own]
    basis = disc_basis(places.normals, places.spacing * SURFACE_SIGMA)
    return _on_head(scene, points[kept], basis[kept], color[kept], np.full(int(kept.sum()), 0.95))


def _strands(scene: Scene, view: Visibility, volume: Volume, paint: HairPaint, rng: np.random.Generator) -> Layer:
    """Lay strands over the back, over the front's rim and over what the photograph's border cuts off."""
    places = Places.of(scene, volume, STRAND_SPACING, STRAND_BUDGET, rng, RIM_FACING + RIM_MARGIN)
    unseen = ~places.front | (places.facing < RIM_FACING) | ~scene.portrait.valid[places.row, places.column]
    ends = places.within + rng.normal(0, FEATHER, len(unseen))
    hair = (view.material == Material.HAIR) | ~scene.portrait.valid
    grows = ~places.front | (hair & (volume.hanging > 0) & ~_gaps(paint))[places.row, places.column]
    places = places.where(unseen & grows & (ends > 0))
    straight = float(np.clip((paint.strands - STRAIGHT[0]) / (STRAIGHT[1] - STRAIGHT[0]), 0, 1))
    across, along = (ROUND + straight * (np.array(STRAND)[:, None] - ROUND)) * places.spacing / STRAND_SPACING
    points = np.where(places.front[:, None], places.hidden(scene, HIDING * across), places.points)
    points, kept = pull_inside(scene, view, points, STRAND_REACH * across)
    # Where the matte is soft the photograph shows what is behind: strands would close it.
    solid = (scene.portrait.alpha > SOLID) | ~scene.portrait.valid
    to_soft = ndimage.distance_transform_edt(solid) * scene.metres_per_pixel
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    kept &= to_soft[row, column] > 2 * across
    color, reflected = paint.textured(scene, volume, places, row, column)
    color *= 1 + rng.normal(0, SHADE, (len(points), 1))
    direction = _directions(scene, places, rng)
    # What would stick out of the outline with its ends is kept short.
    short = ~_inside(scene, points + 2 * along[:, None] * direction)
    short |= ~_inside(scene, points - 2 * along[:, None] * direction)
    along = (1 - reflected) * along + reflected * np.minimum(REFLECTED * across, along)
    length = np.where(short, across, along)
    basis = np.stack(
        [
            direction * length[:, None],
            np.cross(places.normals, direction) * across[:, None],
            places.normals * THICKNESS,
        ],
        2,
    )
    opacity = 0.92 * np.clip((places.within + FEATHER) / (3 * FEATHER), 0.35, 1)
    return _on_head(scene, points[kept], basis[kept], color[kept], opacity[kept])


def _gaps(paint: HairPaint) -> Bool[np.ndarray, "S S"]:
    """Mark the pixels before which nothing may hang that is not in the photograph."""
    return ndimage.binary_dilation(paint.foreign, iterations=GAP_MARGIN)


def _inside(scene: Scene, points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, "N"]:
    """Tell which points project into the person, or beyond the photograph."""
    row, column = pixel_of(scene.camera.project(points)[0], len(scene.portrait.alpha))
    return (scene.portrait.alpha[row, column] > SOLID) | ~scene.portrait.valid[row, column]


def _directions(scene: Scene, places: Places, rng: np.random.Generator) -> Float[np.ndarray, "N 3"]:
    """Unit tangents along the hair, which falls from the whorl on the back of the crown to all sides."""
    scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
    whorl = scene.vertices[scalp].mean(0) + WHORL * SKULL_RADIUS
    away = places.points - whorl
    away -= (away * places.normals).sum(1, keepdims=True) * places.normals
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    turn = rng.normal(0, WAVE, (len(away), 1))
    return np.cos(turn) * away + np.sin(turn) * np.cross(places.normals, away)


def _scalp(scene: Scene, view: Visibility, volume: Volume, paint: HairPaint, rng: np.random.Generator) -> Layer:
    """Cover the skull under the hair, so that no gap shows through; at the hairline its skin shows."""
    faces = scene.rig.faces
    spacing = np.where(scene.triangles_in("scalp"), SCALP_SPACING, np.inf)
    samples = sample_triangles(scene.vertices, faces, spacing, rng)
    points, normals = posed_samples(samples, scene.vertices, faces)
    row, column = pixel_of(scene.camera.project(points)[0], len(volume.torso))
    behind = scene.camera.project(points)[1] - volume.middle[row, column]
    covered = np.clip(volume.hairline.inside(points) / SPARSE, 0, 1)[:, None]
    covered = np.where(behind[:, None] > 0, covered, 1.0)
    hair = paint.smooth(points, row, column, behind) * (1.0 if paint.bald else GROUND_DARKNESS)
    points -= normals * (HAIRLINE_INSET + covered * (SCALP_INSET - HAIRLINE_INSET))
    skin = paint.scalp_color[paint.scalp.query(points)[1]]
    points, kept = pull_inside(scene, view, points, REACH * samples.spacing)
    layer = make_layer(
        scene.vertices,
        faces,
        samples.triangle,
        points,
        disc_basis(normals, samples.spacing * SURFACE_SIGMA),
        colors=covered * hair + (1 - covered) * skin,
        opacities=np.full(len(points), 0.95),
        part=Part.HAIR,
        seen=np.zeros(len(points), bool),
    )
    return keep(layer, kept)


def _on_head(
    scene: Scene,
    points: Float[np.ndarray, "N 3"],
    basis: Float[np.ndarray, "N 3 3"],
    color: Float[np.ndarray, "N 3"],
    opacity: Float[np.ndarray, "N"],
) -> Layer:
    """Bind unseen Gaussians to the head's carriers."""
    head = np.zeros(len(points), bool)
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        scaffold_triangle(points, head, scene.rig.head_triangles),
        points,
        basis,
        colors=color,
        opacities=opacity,
        part=Part.HAIR,
        seen=head,
    )
