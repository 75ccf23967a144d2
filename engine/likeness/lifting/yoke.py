"""The yoke: what closes clothes behind the neck. A portrait shows their front; the neck has to end inside them.

Behind the torso's outline a sheet runs over the head model's own nape and back, a little off the skin, and rises up the
nape as a collar does. Towards the outline it rounds off, so that it meets the front there.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.binding.affine import pose
from likeness.contract.avatar import Part
from likeness.lifting.appearance import blur_inside
from likeness.lifting.palette import commonness
from likeness.lifting.sampling import (
    REACH,
    SURFACE_SIGMA,
    disc_basis,
    make_layer,
    posed_samples,
    sample_triangles,
)
from likeness.lifting.scaffold import scaffold_triangle
from likeness.lifting.skull import near_and_far
from likeness.lifting.spread import spread
from likeness.lifting.torso import COLLAR, END
from likeness.lifting.types import CHIN, Layer, Scene, keep
from likeness.lifting.visibility import Label, Visibility, pixel_of, pull_inside
from likeness.lifting.volume import Volume

GRID = 128
"""Cells along the side of the grid on which the sheet is laid."""
RISE = 0.008
"""How much higher than beside the neck clothes end behind it, metres."""
OFF_SKIN = 0.004
"""Between the nape and the sheet, metres."""
ROUND = 0.045
"""Distance from the outline over which the sheet rounds off, metres."""
SMOOTHING = 1.5
"""Cells over which the sheet's depth is smoothed."""
SPACING = 0.0052
"""Of the sheet's samples, metres."""
LINING, LINING_DARKNESS = 0.003, 0.45
"""Distance of the lining inside the sheet, metres, and its brightness as a share of the cloth's."""
GRAIN = 0.4
"""Of the shoulders' grain the back shows so much: a fold's or a mole's edge among it would be a speck."""
USUAL = 0.2
"""How common a colour of the back is at least, as a share of how common most of the shoulders' are."""
TUCKED, BEHIND_FRONT = 0.012, 0.02
"""How far under the torso's beginning skin ends, and how far behind the front what ends there lies; metres."""


def lift_yoke(scene: Scene, view: Visibility, volume: Volume, rng: np.random.Generator) -> list[Layer]:
    """Return the sheet behind the neck and its lining; nothing where no torso shows."""
    vertices, faces = _sheet(scene, volume)
    if not len(faces):
        return []
    samples = sample_triangles(vertices, faces, np.full(len(faces), SPACING), rng)
    points, normals = posed_samples(samples, vertices, faces)
    points, kept = pull_inside(scene, view, points, REACH * samples.spacing)
    row, column = pixel_of(scene.camera.project(points)[0], len(view.label))
    to_end = ndimage.distance_transform_edt(np.pad(scene.portrait.valid, 1))[1:-1, 1:-1] - 1
    kept &= to_end[row, column] > END * SPACING / scene.metres_per_pixel
    color = _cloth(scene, view, volume, rng)[row, column]
    behind = scene.camera.project(points)[1] > volume.front[row, column] + BEHIND_FRONT
    lining = _collar(scene, volume)[row, column] & kept & behind
    places = np.concatenate([points[kept], points[lining] - normals[lining] * LINING])
    normals = np.concatenate([normals[kept], normals[lining]])
    color = np.concatenate([color[kept], color[lining] * LINING_DARKNESS])
    count = len(places)
    return [
        make_layer(
            scene.vertices,
            scene.rig.faces,
            scaffold_triangle(places, np.ones(count, bool), scene.rig.head_triangles),
            places,
            disc_basis(normals, np.full(count, SPACING * SURFACE_SIGMA)),
            colors=color,
            opacities=np.full(count, 0.95),
            part=Part.TORSO,
            seen=np.zeros(count, bool),
        )
    ]


def _collar(scene: Scene, volume: Volume) -> Bool[np.ndarray, "S S"]:
    """Mark where clothes end behind the neck: from a little under the torso's beginning to RISE above it.

    A collar climbs from the sides of the neck to its back.
    """
    size = len(volume.torso)
    behind = np.sqrt(1 - (1 - _round_share(scene, size)) ** 2)
    top = np.where(volume.torso.any(0), volume.torso.argmax(0), size)
    above = (top - np.arange(size)[:, None]) * scene.metres_per_pixel
    return (above <= RISE * behind) & (above > -RISE)


def _round_share(scene: Scene, size: int) -> Float[np.ndarray, "S S"]:
    """Distance from the person's outline as a share of ROUND, at most 1; the picture's end is no outline."""
    person = (scene.portrait.alpha > 0.5) | ~scene.portrait.valid
    inwards = ndimage.distance_transform_edt(np.pad(person, 1, mode="edge"))[1:-1, 1:-1]
    return np.clip((inwards - size / GRID) * scene.metres_per_pixel / ROUND, 0, 1)


def _sheet(scene: Scene, volume: Volume) -> tuple[Float[np.ndarray, "C 3"], Int[np.ndarray, "T 3"]]:
    """Triangulate the sheet over the cells' centres; normals away from the camera, head space, metres."""
    size = len(volume.torso)
    index = np.minimum(((np.arange(GRID) + 0.5) * size / GRID).astype(int), size - 1)
    cells = np.ix_(index, index)
    coarse = scene.camera.resized(GRID, GRID)
    person = (scene.portrait.alpha > 0.5) & scene.portrait.valid
    nearest = ndimage.distance_transform_edt(~person, return_distances=False, return_indices=True)
    rim = volume.front[nearest[0], nearest[1]][cells]
    share = _round_share(scene, size)[cells]
    far, own = _far_depth(scene)
    depth = np.maximum(rim + np.maximum(far - rim, 0) * np.sqrt(1 - (1 - share) ** 2), own)
    inside = ((volume.torso | _collar(scene, volume)) & person)[cells] & volume.torso.any()
    blocks = inside[:-1, :-1] & inside[:-1, 1:] & inside[1:, :-1] & inside[1:, 1:]
    row, column = np.nonzero(blocks)
    corner = row * GRID + column
    first = np.stack([corner, corner + 1, corner + GRID], 1)
    second = np.stack([corner + 1, corner + GRID + 1, corner + GRID], 1)
    row, column = np.mgrid[0:GRID, 0:GRID]
    pixels = np.stack([column, row], -1).reshape(-1, 2) + 0.5
    return coarse.unproject(pixels, depth.ravel()), np.concatenate([first, second])


def _far_depth(scene: Scene) -> tuple[Float[np.ndarray, "G G"], Float[np.ndarray, "G G"]]:
    """View depth a little behind the head model's nape and back: beside the model the nearest place's, and -inf."""
    faces = scene.rig.faces[scene.triangles_in("neck", "torso")]
    _, far = near_and_far(scene.camera.resized(GRID, GRID), scene.vertices, faces)
    covered = np.isfinite(far)
    own = np.where(covered, far + OFF_SKIN, -np.inf)
    nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return ndimage.gaussian_filter(own[nearest[0], nearest[1]], SMOOTHING), own


def tuck_in(scene: Scene, volume: Volume, layers: list[Layer]) -> list[Layer]:
    """Leave out unseen skin that lies deeper in the clothes than a turning neck can show."""
    size = len(volume.torso)
    deep = ndimage.binary_erosion(
        volume.torso, iterations=max(round(TUCKED / scene.metres_per_pixel), 1), border_value=1
    )
    neck = scene.triangles_in("neck", "torso")
    tucked = []
    for layer in layers:
        means, _ = pose(layer.bound, scene.vertices, scene.rig.faces)
        pixels, depth = scene.camera.project(means.astype(np.float64))
        row, column = pixel_of(pixels, size)
        hidden = neck[layer.bound.triangle] & ~layer.seen & deep[row, column]
        hidden &= depth > volume.front[row, column] + BEHIND_FRONT
        tucked.append(keep(layer, ~hidden))
    return tucked


def _cloth(scene: Scene, view: Visibility, volume: Volume, rng: np.random.Generator) -> Float[np.ndarray, "S S 3"]:
    """Continue the shoulders' colours over the whole picture."""
    foreground, size = np.asarray(scene.portrait.foreground, np.float64), len(view.label)
    aside = np.abs(np.arange(size) - scene.portrait.landmarks[CHIN, 0])[None] * scene.metres_per_pixel > COLLAR
    solid = volume.torso & (view.label == Label.VOLUME) & (scene.portrait.alpha > 0.9)
    shoulders = solid & aside if (solid & aside).any() else solid
    if not shoulders.any():
        return np.full_like(foreground, 0.5)
    # A white collar's end among the shoulders would run down the back.
    common = commonness(foreground, shoulders)
    shoulders &= common >= USUAL * np.median(common[shoulders])
    smooth = spread(foreground, shoulders)
    grain = (foreground - blur_inside(foreground, shoulders, 4.0))[shoulders]
    return np.clip(smooth + grain[rng.integers(0, len(grain), (size, size))] * GRAIN, 0, 1)
