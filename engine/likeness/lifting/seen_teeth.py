"""What shows between the lips of a portrait: told apart, and lifted onto the rows of teeth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.lifting.cells import adaptive_cells
from likeness.lifting.lips import near_corners, stretched
from likeness.lifting.sampling import lift_pixels, make_layer
from likeness.lifting.types import Layer, Scene, keep
from likeness.lifting.visibility import Label, Visibility, beside_mouth, pixel_of, raster_of
from likeness.rendering.mesh import MeshRaster, rasterize_mesh

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
TOOTH_BRIGHTNESS = 0.5
"""Luminance of teeth relative to the brightest between the lips."""
DARKEST_TOOTH = 0.6
"""Luminance beside the skin's that the brightest between the lips must have to be teeth."""
BETWEEN_TEETH = 2
"""Half the width of the shade between two teeth that is taken for theirs, pixels."""
DARK = 0.5
"""Luminance beside the skin's under which a place between the lips is a dark corner, and not gum or tongue."""
OPEN_ASPECT = 0.4
"""Height of the opening in its widths from which lower teeth may show."""
LIP_MIDDLES, CORNERS = (13, 14), (78, 308)
"""MediaPipe's landmarks on the lips' inner edges: upper and lower, the subject's right and left."""
PIXEL_LIFT, GAP_DEPTH = 0.0002, 0.004
"""How far seen teeth lie in front of the modelled ones, and the gap between lips and teeth behind them, metres."""
ARCH_BLUR = 0.002
"""Of the rows' depth: the person's teeth do not stand where the modelled ones do, metres."""
BEHIND = 0.004
"""How far behind the mouth's inside a sample may lie to be before it: teeth are not the person's; metres."""
HIDDEN = 0.001
"""How far behind the face's surface a sample is hidden, metres."""
TINT = 0.1
"""Most by which refinement changes a colour between the lips: it must not make up for a lip's, 0..1."""

CORNER_TINT = 0.05
"""The same for skin near the corners: it would take up their dark, and show it as spots beside the closed mouth."""


@dataclass(frozen=True)
class SeenTeeth:
    """What shows between the lips. S is the working square's side."""

    mask: Bool[np.ndarray, "S S"]
    """Teeth and gap."""
    bright: Bool[np.ndarray, "S S"]
    """The teeth among them, with the shade between two."""
    dark: Bool[np.ndarray, "S S"]
    """What is much darker than skin."""
    lower: Bool[np.ndarray, "S S"]
    """What goes with the lower jaw."""

    @property
    def pure(self) -> Bool[np.ndarray, "S S"]:
        """Teeth whose neighbours are between the lips too: nothing of a lip is in their colour."""
        return self.bright & ndimage.binary_erosion(self.mask)


def find_teeth(scene: Scene, view: Visibility) -> SeenTeeth:
    """Tell teeth from gap and upper from lower jaw.

    The fitted teeth are not the person's: in a smile all is the upper jaw's, and only a mouth that stands open shows
    lower teeth and tongue in its lower half.
    """
    mask = view.label == Label.MOUTH
    if not mask.any():
        return SeenTeeth(mask, mask, mask, mask)
    luminance = scene.portrait.foreground @ LUMINANCE
    skin = np.median(luminance[view.label == Label.SKIN])
    brightest = np.percentile(luminance[mask], 95)
    bright = mask & (luminance > TOOTH_BRIGHTNESS * brightest) & (brightest > DARKEST_TOOTH * skin)
    bright = ndimage.binary_closing(bright, np.ones((1, 2 * BETWEEN_TEETH + 1))) & mask
    dark = mask & ~bright & (luminance < DARK * skin)
    upper_lip, lower_lip, right, left = scene.portrait.landmarks[list(LIP_MIDDLES + CORNERS)]
    stands_open = np.linalg.norm(lower_lip - upper_lip) > OPEN_ASPECT * np.linalg.norm(left - right)
    across = (left - right) / np.linalg.norm(left - right)
    rows, columns = np.indices(mask.shape)
    below = rows * across[0] - columns * across[1]
    lower = mask & stands_open & (below > below[mask].mean())
    return SeenTeeth(mask, bright, dark, lower)


def lift_teeth(scene: Scene, seen: SeenTeeth) -> Layer:
    """Lift what shows between the lips onto the rows of teeth, the gap behind them.

    On the mouth's walls, which go with the lips, it would come to lie on the lips as they close. Its edge is partly
    lip and takes the colours beside it.
    """
    shown, pure = seen.mask, ndimage.binary_erosion(seen.mask)
    pure = pure if pure.any() else shown
    row, column = ndimage.distance_transform_edt(~pure, return_distances=False, return_indices=True)
    cells = adaptive_cells(scene.portrait, shown, coarsest=1)
    triangle = np.zeros(shown.shape, np.int32)
    depth = np.zeros(shown.shape)
    for region, pixels in (("teeth_upper", shown & ~seen.lower), ("teeth_lower", seen.lower)):
        _put_on(scene, region, pixels, triangle, depth)
    depth += np.where(seen.bright[row, column], -PIXEL_LIFT, GAP_DEPTH)
    place = cells.row, cells.column
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth[place], np.zeros((len(cells.size), 2)))
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        triangle[place],
        means,
        basis,
        colors=scene.portrait.foreground[row[place], column[place]],
        opacities=cells.opacity,
        part=Part.MOUTH,
        seen=np.ones(len(cells.size), bool),
        tint=TINT,
    )


def clear_mouth(scene: Scene, view: Visibility, layers: list[Layer]) -> list[Layer]:
    """Let the inner sides of lips and cheeks show what the portrait shows there: nothing before teeth, else the gap.

    They lie before the teeth and would hide them; in the dark corners of an open mouth it is they that are dark, but
    for what would be a stain on the face at rest. Beside them the skin keeps its colours, and pixels on triangles that
    other expressions draw out are left to the samples.
    """
    between = find_teeth(scene, view)
    if not between.mask.any():
        return layers
    at_rest = rasterize_mesh(scene.camera, scene.rig.v_neutral, scene.rig.faces[scene.skin_triangles()])
    return [_cleared(scene, view, between, at_rest, layer) for layer in layers]


def _cleared(scene: Scene, view: Visibility, between: SeenTeeth, at_rest: MeshRaster, layer: Layer) -> Layer:
    means, _ = pose(layer.bound, scene.vertices, scene.rig.faces)
    projected, depth = scene.camera.project(means)
    row, column = pixel_of(projected, len(view.depth))
    before = ~layer.seen & between.mask[row, column] & (depth < view.depth[row, column] + BEHIND)
    hidden_at_rest = _hidden(scene, at_rest, layer)
    dark = before & between.dark[row, column]
    gap = dark & hidden_at_rest
    colors, tint = layer.bound.colors.copy(), layer.tint.copy()
    colors[gap], tint[gap] = scene.portrait.foreground[row, column][gap], TINT
    corner = layer.seen & near_corners(scene)[row, column]
    tint[corner] = np.minimum(tint[corner], CORNER_TINT)
    spikes = layer.seen & beside_mouth(view)[row, column] & stretched(scene)[layer.bound.triangle]
    return keep(Layer(replace(layer.bound, colors=colors), layer.seen | gap, tint), (dark | ~before) & ~spikes)


def _hidden(scene: Scene, surface: MeshRaster, layer: Layer) -> Bool[np.ndarray, "N"]:
    """Mark Gaussians that the surface of the face at rest hides from the portrait's camera."""
    means, _ = pose(layer.bound, scene.rig.v_neutral, scene.rig.faces)
    projected, depth = scene.camera.project(means)
    return depth > surface.depth[pixel_of(projected, len(surface.depth))] + HIDDEN


def _put_on(
    scene: Scene,
    region: str,
    pixels: Bool[np.ndarray, "S S"],
    triangle: Int[np.ndarray, "S S"],
    depth: Float[np.ndarray, "S S"],
) -> None:
    """Give pixels, in place, the triangle of a row of teeth nearest to them and its depth, smoothly continued."""
    raster = raster_of(scene, scene.triangles_in(region))
    if not raster.covered.any():
        return
    row, column = ndimage.distance_transform_edt(~raster.covered, return_distances=False, return_indices=True)
    smooth = ndimage.gaussian_filter(raster.depth[row, column].astype(np.float64), ARCH_BLUR / scene.metres_per_pixel)
    triangle[pixels] = raster.triangle[row, column][pixels]
    depth[pixels] = smooth[pixels]
