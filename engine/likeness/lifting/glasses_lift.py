"""Lift a pair of glasses: the frame on a gently curved surface before the eyes, arms from its hinges over the ears.

Glasses are rigid. All of their Gaussians hang on one triangle of the skull that no expression moves, so they neither
bend with a smile nor blink, and follow the neck alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.contract.avatar import Part
from likeness.lifting.cells import MAX_OPACITY, MIN_OPACITY, adaptive_cells
from likeness.lifting.glasses import EDGE, Glasses
from likeness.lifting.sampling import lift_pixels, make_layer
from likeness.lifting.types import Layer, Scene
from likeness.lifting.visibility import Visibility

CURVATURE = 2.0
"""How far the frame bends back beside the nose, per square of the distance from its middle, 1/metres."""
BEFORE_CORNEA = 0.012
"""Distance of the lenses from the eyes (opticians' vertex distance), metres."""
CLEARANCE = 0.001
"""How far the frame stays off nose and brows, metres."""
NOSE_WIDTH = 0.012
"""Half width of the nose where glasses sit, metres."""
THICKNESS = (0.0013, 0.0026)
"""Depths under the front at which the frame's body is repeated, metres."""
SOLID_PIXEL = 0.9
"""Coverage from which a pixel shows the frame's own colour."""
EDGE_GAIN = 2.0
"""Opacity of the frame's edge over its coverage: a pixel that is half a frame's stands for all that it shows."""
ARM_SPACING = 0.0009
"""Distance between an arm's Gaussians, metres."""
ARM_CLEARANCE = 0.0015
"""How far an arm stays off the temple, metres."""
ARM_END = np.array([0.0, -0.012, -0.022])
"""From the top of the ear to the arm's end behind it, metres."""
BESIDE_ARM = 0.01
"""Distance, in height and depth, within which the head's width counts for an arm, metres."""
LEAST_ARM = 0.0012
"""Least width of an arm, metres."""


def lift_glasses(scene: Scene, view: Visibility) -> list[Layer]:
    """Return the layers of the glasses, if there are any."""
    if view.glasses is None:
        return []
    carrier = still_triangle(scene)
    surface = _surface_depth(scene, view, view.glasses.mask)
    return [
        _front_layer(scene, view.glasses, surface, carrier),
        *(_body_layer(scene, view.glasses.mask, surface, carrier, depth) for depth in THICKNESS),
        *_arm_layers(scene, view.glasses, surface, carrier),
    ]


def still_triangle(scene: Scene) -> int:
    """Return the largest of the skull's triangles that expressions and joints deform least."""
    rig, scalp = scene.rig, np.flatnonzero(scene.triangles_in("scalp"))
    corners = rig.faces[scalp]
    moved = np.abs(rig.shapedirs).max((1, 2)) + np.abs(rig.posedirs).max((1, 2))
    uneven = np.ptp(rig.lbs_weights[corners], axis=1).max(1)
    motion = moved[corners].max(1) + uneven
    area = np.linalg.norm(np.cross(*np.moveaxis(np.diff(rig.v_neutral[corners], axis=1), 1, 0)), axis=1)
    stillest = motion <= motion.min() + 1e-7
    return int(scalp[np.where(stillest, area, -1.0).argmax()])


def _surface_depth(scene: Scene, view: Visibility, mask: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "S S"]:
    """View depth of the frame's surface, z = z0 - CURVATURE (x - x0)^2 in head space, metres.

    z0 is the least that clears the nose under the bridge, the brows, and the eyes by the vertex distance.
    """
    row, column = np.nonzero(mask & np.isfinite(view.surface.depth))
    skin = _points(scene, row, column, view.surface.depth[row, column].astype(np.float64))
    eyes = [scene.vertices[np.unique(scene.rig.faces[scene.triangles_in(name)])] for name in ("eye_left", "eye_right")]
    corneas = np.stack([eye[eye[:, 2].argmax()] for eye in eyes])
    middle = corneas[:, 0].mean()
    aside = skin[:, 0] - middle
    over_skin = skin[:, 2] + CURVATURE * aside**2 + CLEARANCE
    over_eyes = corneas[:, 2] + CURVATURE * (corneas[:, 0] - middle) ** 2 + BEFORE_CORNEA
    on_nose = over_skin[np.abs(aside) < NOSE_WIDTH]
    front = max(over_eyes.max(), np.quantile(over_skin, 0.97), np.max(on_nose, initial=-np.inf))
    size = len(mask)
    row, column = np.mgrid[:size, :size].reshape(2, -1)
    depth = np.full(size * size, float(scene.camera.T_camera_head[2, 3]))
    towards = scene.camera.rotation[2]  # the view's axis in head space: depth grows by its z per metre of z
    for _ in range(4):
        points = _points(scene, row, column, depth)
        wanted = front - CURVATURE * (points[:, 0] - middle) ** 2
        depth += (wanted - points[:, 2]) * np.sign(towards[2]) / max(abs(towards[2]), 0.5)
    return depth.reshape(size, size)


def _points(
    scene: Scene, row: Int[np.ndarray, "N"], column: Int[np.ndarray, "N"], depth: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N 3"]:
    return scene.camera.unproject(np.stack([column + 0.5, row + 0.5], 1), depth)


def _front_layer(scene: Scene, glasses: Glasses, surface: Float[np.ndarray, "S S"], carrier: int) -> Layer:
    """Lift the frame's pixels; where it mixes with skin at its edge, its own part of them, in its own colour."""
    cells = adaptive_cells(scene.portrait, glasses.mask, coarsest=1)
    at = cells.row, cells.column
    depth = surface[at]
    down, right = (slope[at] * scene.camera.K[0, 0] / depth for slope in np.gradient(surface))
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, depth, np.stack([right, down], 1))
    opacity = np.clip(cells.opacity * glasses.coverage[at] * EDGE_GAIN, MIN_OPACITY, MAX_OPACITY)
    solid = glasses.coverage > SOLID_PIXEL
    nearest = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
    own = opacity[:, None]
    color = own * cells.color + (1 - own) * scene.portrait.rgb[nearest[0], nearest[1]][at]
    return _bound(scene, carrier, means, basis, color, opacity, seen=True)


def _body_layer(
    scene: Scene, mask: Bool[np.ndarray, "S S"], surface: Float[np.ndarray, "S S"], carrier: int, depth: float
) -> Layer:
    """Repeat the frame under its front: seen from the side it is no sheet of paper."""
    inner = ndimage.binary_erosion(mask, iterations=EDGE)
    cells = adaptive_cells(scene.portrait, inner, coarsest=2)
    at = surface[cells.row, cells.column] + depth
    means, basis = lift_pixels(scene.camera, cells.center, cells.size, at, np.zeros((len(at), 2)))
    return _bound(scene, carrier, means, basis, cells.color, cells.opacity, seen=False)


def _arm_layers(scene: Scene, glasses: Glasses, surface: Float[np.ndarray, "S S"], carrier: int) -> list[Layer]:
    """Lay an arm from each hinge over the ear of its side; the portrait hardly shows them."""
    layers = []
    for points, side in zip(glasses.rims, (-1.0, 1.0), strict=True):
        hinge = _hinge(scene, glasses.mask, points, surface)
        path = _arm_path(scene, hinge, side)
        along = np.gradient(path, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        up = np.array([0.0, 1.0, 0.0]) - along * along[:, 1:2]
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        width = max(glasses.width, LEAST_ARM)
        across = np.cross(along, up)
        basis = np.stack([along * ARM_SPACING, up * (0.38 * width), across * (0.22 * width)], 2)
        color = np.broadcast_to(glasses.color, path.shape)
        layers.append(_bound(scene, carrier, path, basis, color, np.full(len(path), 0.95), seen=False))
    return layers


def _hinge(
    scene: Scene, mask: Bool[np.ndarray, "S S"], rim: Float[np.ndarray, "A 2"], surface: Float[np.ndarray, "S S"]
) -> Float[np.ndarray, "3"]:
    """Where the frame reaches furthest outwards, in the upper half of its lens."""
    outwards = rim[0] - rim.mean(0)
    outwards /= np.linalg.norm(outwards)
    row, column = np.nonzero(mask)
    pixels = np.stack([column + 0.5, row + 0.5], 1)
    upper = (pixels[:, 1] < rim[:, 1].mean()) & ((pixels - rim.mean(0)) @ outwards > 0)
    across = np.where(upper, (pixels - rim.mean(0)) @ outwards, -np.inf)
    end = across > across.max() - 0.0025 / scene.metres_per_pixel
    r, c = row[end].mean().astype(int), column[end].mean().astype(int)
    return scene.camera.unproject(pixels[end].mean(0)[None], surface[r, c][None])[0]


def _arm_path(scene: Scene, hinge: Float[np.ndarray, "3"], side: float) -> Float[np.ndarray, "N 3"]:
    """From the hinge to the ear and down behind it, outside of the temple; `side` is +1 for the subject's left."""
    ear = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("ears")])].astype(np.float64)
    ear = ear[ear[:, 0] * side > 0]
    top = ear[(ear[:, 1] + 0.5 * ear[:, 2]).argmax()]
    corners = np.stack([hinge, top, top + ARM_END])
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    path = np.concatenate(
        [
            a + (b - a) * np.linspace(0, 1, max(int(length / ARM_SPACING), 2), endpoint=False)[:, None]
            for a, b, length in zip(corners[:-1], corners[1:], lengths, strict=True)
        ]
    )
    skin = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("face", "scalp")])].astype(np.float64)
    skin = skin[skin[:, 0] * side > 0]
    beside = cKDTree(skin[:, 1:]).query_ball_point(path[:, 1:], BESIDE_ARM)
    width = np.array([np.max(skin[near, 0] * side, initial=0.0) for near in beside]) + ARM_CLEARANCE
    free = np.arange(len(path)) > 0.2 * len(path)
    wide = np.where(free, np.maximum(path[:, 0] * side, width), path[:, 0] * side)
    path[:, 0] = side * ndimage.gaussian_filter1d(wide, 0.006 / ARM_SPACING, mode="nearest")
    return path


def _bound(
    scene: Scene,
    carrier: int,
    means: Float[np.ndarray, "N 3"],
    basis: Float[np.ndarray, "N 3 3"],
    color: Float[np.ndarray, "N 3"],
    opacity: Float[np.ndarray, "N"],
    *,
    seen: bool,
) -> Layer:
    count = len(means)
    return make_layer(
        scene.vertices,
        scene.rig.faces,
        np.full(count, carrier),
        means,
        basis,
        colors=color,
        opacities=opacity,
        part=Part.HAIR,
        seen=np.full(count, seen),
    )
