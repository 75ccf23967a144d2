"""The skin: pixels of the portrait where it is seen well, samples of the surface everywhere else.

What unfolds in an expression is `lids.py`'s, the samples are `surface.py`'s.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.contract.avatar import Part
from likeness.lifting.appearance import DARKEST_SKIN, SkinColors
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.closed_lids import lift_creases, without_lashes
from likeness.lifting.eyes import with_eyeballs
from likeness.lifting.lashes import find_lid_edges, lash_line, lift_lid_edges
from likeness.lifting.lids import find_folds, lift_folds, torn
from likeness.lifting.lips import stretched
from likeness.lifting.sampling import lift_pixels, make_layer
from likeness.lifting.seen_teeth import clear_mouth
from likeness.lifting.surface import LEAST_SHOWN, lift_surface
from likeness.lifting.types import Layer, Scene
from likeness.lifting.upper_lids import find_upper_lids
from likeness.lifting.visibility import Label, Visibility, beside_mouth

MIN_FACING, MIN_FACING_SCALP = 0.5, 0.2
"""Cosine between skin and view under which a pixel is too stretched to be lifted: surface samples take over."""
STEEPEST, LOOSE_STEEPEST = 2.0, 0.4
"""Largest slope (metres of depth per metre across) of a lifted pixel, and of a loose one."""
LOOSE_OFFSET, MOST_OFFSET = 0.0008, 0.004
"""How far loose pixels stand before the surface where it faces the camera, and at most; metres."""
LOOSE_CONTRAST = 0.06
"""Most by which the colour of a loose pixel that looks like skin or shows background departs from the fill, as a share
of the fill's brightness."""
LIP_CONTRAST = 0.1
"""The same for a lip's pixel beside the open mouth, 0..1."""
LIP_TINT = 0.05
"""Most by which refinement changes such a lip's colour, 0..1."""
LOOSE_TINT, STRANGE_TINT = 0.03, 0.1
"""The same for loose pixels that look like skin, and for others."""
FRAME_TINT, FRAME_EDGE = 0.05, 3
"""The same for the skin beside a pair of glasses, and how far beside, pixels: it would take bright colours to make up
for the frame's soft edge, and show them as a ring where the head turns under it."""
DARK_REACH, BRIGHT_REACH = 0.003, 0.008
"""Distance from the outline up to which what is darker than skin, and what is not, counts as background, metres."""
FLATTER = 0.25
"""Share of the usual thickness that loose pixels have, for from the side they should show little of themselves."""
OUTLINE = 2.5
"""Width in pixels of the band along the outline whose colours are partly the background's."""


def lift_skin(scene: Scene, view: Visibility, colors: SkinColors, rng: np.random.Generator) -> list[Layer]:
    """Return the skin's layers: lifted pixels and surface samples.

    Pixels that no sample may take its colour from (outline, grazed skin, what lies over the skin) are lifted loose:
    turned to the camera they show little of themselves from the side, where the filled samples show behind them.
    """
    folds = find_folds(scene)
    view = with_eyeballs(scene, view, colors)
    upper = find_upper_lids(scene, view, colors)
    edges = find_lid_edges(scene, view, upper)
    lashes = edges.lashes | edges.rims
    under = without_lashes(colors, upper.bare, lashes)
    sliding = torn(scene, view, folds, upper)
    skin = view.label == Label.SKIN
    # No samples are laid on the scalp: where a forehead reaches up there, its pixels alone stand for it.
    enough = np.where(scene.triangles_in("scalp")[view.triangle], MIN_FACING_SCALP, MIN_FACING)
    grazed_lips = beside_mouth(view) & (view.facing < MIN_FACING)
    enough[grazed_lips] = 0.0
    enough[beside_mouth(view) & stretched(scene)[view.triangle]] = np.inf
    lifted = skin & (view.facing >= enough) & ~scene.triangles_in("ears")[view.triangle]
    loose = skin & ~lifted & (colors.shown <= LEAST_SHOWN)
    slope = _slope(view)
    steepest = np.where(grazed_lips, LOOSE_STEEPEST, STEEPEST)[..., None]
    layers = [
        _pixel_layer(scene, sliding, lifted & ~lashes, np.clip(slope, -steepest, steepest), colors),
        _loose_layer(scene, sliding, loose & ~lashes, np.clip(slope, -LOOSE_STEEPEST, LOOSE_STEEPEST), colors),
        *lift_surface(scene, view, under, folds, lifted & ~lashes, rng),
        *lift_creases(scene, view, colors, folds, upper, rng),
        *lash_line(scene, view, colors, folds, edges.lashes),
        lift_folds(scene, view, colors, folds, upper.bare, lifted & ~lashes, rng),
    ]
    return [*clear_mouth(scene, view, layers), *lift_lid_edges(scene, view, folds, edges)]


def _slope(view: Visibility) -> Float[np.ndarray, "S S 2"]:
    """Change of the skin's depth per metre to the right and downwards at every pixel."""
    return -view.normal[..., :2] / np.minimum(view.normal[..., 2:], -0.1)


def _pixel_layer(
    scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"], slope: Float[np.ndarray, "S S 2"], colors: SkinColors
) -> Layer:
    """Lift the masked pixels onto the surface; beside the open mouth in a colour near the fill's, now and refined.

    There a pixel is partly tooth or gap, and would stand on the closed lips as a speck.
    """
    cells = adaptive_cells(scene.portrait, mask, coarsest=2)
    place = cells.row, cells.column
    depth = view.depth[place].astype(np.float64)
    lip = beside_mouth(view)[place]
    near_fill = _near(colors.vertex[scene.rig.faces[view.triangle[place]]].mean(1), cells.color, LIP_CONTRAST)
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, slope[place])
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        view.triangle[place],
        means,
        basis,
        colors=np.where(lip[:, None], near_fill, cells.color),
        opacities=cells.opacity,
        part=Part.SKIN,
        seen=np.ones(len(depth), bool),
        tint=np.where(lip, LIP_TINT, np.where(_beside_frame(view)[place], FRAME_TINT, 1.0)),
    )


def _loose_layer(
    scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"], slope: Float[np.ndarray, "S S 2"], colors: SkinColors
) -> Layer:
    """Lift pixels before the surface, nearly upright, in a colour near the fill's where they look like skin."""
    cells = adaptive_cells(scene.portrait, mask, coarsest=2)
    place = cells.row, cells.column
    before = np.clip(LOOSE_OFFSET / np.maximum(view.facing[place], 0.01), 0, MOST_OFFSET)
    depth = view.depth[place].astype(np.float64) - before
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, slope[place])
    basis[:, :, 2] *= FLATTER
    # The outline's own colours are half the background's.
    edge = view.to_outline < OUTLINE
    inner = ndimage.distance_transform_edt(edge, return_distances=False, return_indices=True)[:, *place]
    own = np.where(edge[place][:, None], scene.portrait.foreground[inner[0], inner[1]], cells.color)
    filled = colors.vertex[scene.rig.faces[view.triangle[place]]].mean(1)
    near_fill = _near(filled, own, LOOSE_CONTRAST * filled.mean(-1, keepdims=True))
    # What is unlike skin away from the outline is hair, shadow or cloth; along it, the background shining through.
    dark = own.mean(-1) < DARKEST_SKIN * filled.mean(-1)
    inside = view.to_outline[place] * scene.metres_per_pixel
    ears = scene.triangles_in("ears")[view.triangle[place]]
    strange = ~colors.like_skin[place] & (ears & dark | (inside > np.where(dark, DARK_REACH, BRIGHT_REACH)))
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        view.triangle[place],
        means,
        basis,
        colors=np.where(strange[:, None], own, near_fill),
        opacities=cells.opacity,
        part=Part.SKIN,
        seen=np.ones(len(own), bool),
        tint=np.where(strange, STRANGE_TINT, LOOSE_TINT),
    )


def _beside_frame(view: Visibility) -> Bool[np.ndarray, "S S"]:
    return ndimage.binary_dilation(view.label == Label.GLASSES, iterations=FRAME_EDGE)


def _near(
    filled: Float[np.ndarray, "N 3"], own: Float[np.ndarray, "N 3"], most: float | Float[np.ndarray, "N 1"]
) -> Float[np.ndarray, "N 3"]:
    """Return the own colour where it is near the fill's, else the nearest that is."""
    return filled + np.clip(own - filled, -most, most)
