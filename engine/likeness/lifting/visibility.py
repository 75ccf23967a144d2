"""Which part of the person every pixel of the portrait shows, and on which triangle it lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from likeness.geometry.frames import vertex_normals
from likeness.geometry.threads import in_background
from likeness.lifting.gaps import beside_mesh, close_holes, give_to_nearest, islands
from likeness.lifting.glasses import Glasses, find_glasses
from likeness.lifting.lips import beside_lips, cover_gap, inside_mouth
from likeness.lifting.outlines import EYE_POLYGONS, INNER_LIPS, inside_outline
from likeness.lifting.parsing import Material, MeshGuess, parse_materials
from likeness.lifting.types import ALPHA_FLOOR, Scene
from likeness.rendering.mesh import MeshRaster, rasterize_mesh

MOUTH = ("teeth_upper", "teeth_lower", "tongue", "mouth_inside")
SCALP_FACING = 0.5
"""Cosine between scalp and view under which a pixel is the hair's: the scalp has no skin of its own to take over."""
LID_EDGE = 0.001
"""The eye's outline runs along the lids' edges: this far inwards it shows lashes and belongs to the lids, metres."""
MOST_PULL = 0.025
"""Distance outside the outline over which a point is still pulled in, metres."""
PULL_SMOOTHING, PULL_STEPS = 1.5, 5
"""Blur in pixels of the outline that points are pulled to, and steps of the way there."""
OPEN_MOUTH = 0.012
"""Inner lips' area over interocular distance squared from which the mouth counts as open."""
LEAST_LIP_FACING = 0.25
"""Cosine with the view under which the surface behind a lip's pixel is the lip's inner side."""
LIP_EDGE = 3
"""Pixels beside an open mouth whose colour is partly tooth's or gap's."""


class Label(IntEnum):
    """What a pixel of the portrait shows."""

    BACKGROUND = 0
    SKIN = 1
    VOLUME = 2
    EYE = 3
    MOUTH = 4
    GLASSES = 5


@dataclass(frozen=True)
class Visibility:
    """The portrait's pixels explained by the fitted head. S is the working square's side."""

    label: Int[np.ndarray, "S S"]
    material: Int[np.ndarray, "S S"]
    """`Material` of every pixel by its looks; meaningful where the person is."""
    triangle: Int[np.ndarray, "S S"]
    """For skin, eye and mouth pixels; -1 elsewhere."""
    depth: Float[np.ndarray, "S S"]
    """Of that triangle, metres; infinite elsewhere."""
    normal: Float[np.ndarray, "S S 3"]
    """Smooth unit normal there in the camera's frame (z forward: skin that is seen has z < 0); 0 elsewhere."""
    facing: Float[np.ndarray, "S S"]
    """Cosine between that normal and the direction to the camera; 0 where there is no triangle."""
    to_outline: Float[np.ndarray, "S S"]
    """Distance in pixels from the person's outline, inwards; 0 outside. What lies beyond the photograph is inside."""
    surface: MeshRaster
    """The nearest triangle of all but lashes at every pixel, whatever the pixel shows."""
    glasses: Glasses | None


def explain_pixels(scene: Scene) -> Visibility:
    """Label the portrait's pixels: eyes and open mouth by the landmarks' outlines, the rest by looks and place.

    Skin is what looks like it and has the outer mesh behind it, the scalp included: hairlines differ.
    """
    found_glasses = in_background(lambda: find_glasses(scene))
    head = np.arange(len(scene.rig.faces)) < scene.rig.head_triangles
    surface = raster_of(scene, head & ~scene.triangles_in("lashes_left", "lashes_right"))
    skin, scalp = scene.skin_triangles(), scene.triangles_in("scalp")
    outer = raster_of(scene, skin | scene.triangles_in("scalp", "neck", "torso"))
    triangle, depth, bary = outer.triangle.copy(), outer.depth.copy(), outer.bary.copy()
    to_outline = ndimage.distance_transform_edt((scene.portrait.alpha > 0.5) | ~scene.portrait.valid)
    close_holes(triangle, depth, bary, beside_mesh(scene, triangle, to_outline))
    cover_gap(scene, inside_outline(scene, INNER_LIPS), triangle, depth, bary)
    parts = openings(scene)
    opened = np.any([mask for _, mask in parts], 0)
    glasses = found_glasses()
    worn = np.zeros(opened.shape, bool) if glasses is None else glasses.mask
    guess = MeshGuess((triangle >= 0) & skin[triangle] | opened, (triangle >= 0) & scalp[triangle] & ~opened, worn)
    material = parse_materials(scene, guess)
    material[beside_lips(scene, triangle)] = Material.SKIN
    label = np.where((guess.skin | guess.scalp) & (material == Material.SKIN), Label.SKIN, Label.VOLUME)
    island = islands(scene, label == Label.VOLUME, triangle, to_outline)
    give_to_nearest(island, triangle, depth, bary)
    label[island] = Label.SKIN
    for name, mask in parts:
        inner = raster_of(scene, scene.triangles_in(*(MOUTH if name == "mouth" else (name,))))
        mask &= inner.triangle >= 0
        triangle[mask], depth[mask], bary[mask] = inner.triangle[mask], inner.depth[mask], inner.bary[mask]
        label[mask] = Label.MOUTH if name == "mouth" else Label.EYE
    label[worn] = Label.GLASSES
    normal, facing = _normals(scene, triangle, bary)
    _turn_lips_out(label, triangle, depth, normal, facing)
    label[guess.scalp & (label == Label.SKIN) & (facing < SCALP_FACING)] = Label.VOLUME
    label[scene.portrait.alpha < ALPHA_FLOOR] = Label.BACKGROUND
    off_mesh = np.isin(label, (Label.BACKGROUND, Label.VOLUME))
    triangle[off_mesh], depth[off_mesh] = -1, np.inf
    return Visibility(label.astype(np.int32), material, triangle, depth, normal, facing, to_outline, surface, glasses)


def beside_mouth(view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark an open mouth and the lips' pixels beside it, which are partly tooth or gap."""
    return ndimage.binary_dilation(view.label == Label.MOUTH, iterations=LIP_EDGE)


def _turn_lips_out(
    label: Int[np.ndarray, "S S"],
    triangle: Int[np.ndarray, "S S"],
    depth: Float[np.ndarray, "S S"],
    normal: Float[np.ndarray, "S S 3"],
    facing: Float[np.ndarray, "S S"],
) -> None:
    """Give lip pixels on the lips' inner side to the nearest that face the camera, in place.

    As the mouth opens the inner side goes into it, and such a pixel would float there.
    """
    skin = label == Label.SKIN
    beside = skin & ndimage.binary_dilation(label == Label.MOUTH, iterations=LIP_EDGE)
    inner = beside & (facing < LEAST_LIP_FACING)
    if inner.any():
        outer = skin & (facing >= LEAST_LIP_FACING)
        row, column = ndimage.distance_transform_edt(~outer, return_distances=False, return_indices=True)[:, inner]
        for field in (triangle, depth, normal, facing):
            field[inner] = field[row, column]


def pixel_of(points: Float[np.ndarray, "N 2"], size: int) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """Return row and column of the pixel under each projected point, clamped to the picture."""
    index = np.clip(np.floor(points).astype(np.int64), 0, size - 1)
    return index[:, 1], index[:, 0]


def visible_points(
    scene: Scene,
    view: Visibility,
    points: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    tolerance: float,
) -> tuple[Bool[np.ndarray, "N"], Float[np.ndarray, "N"], Float[np.ndarray, "N 2"]]:
    """Tell which surface points the portrait shows: in the picture, not behind the head's own surface.

    Returns (visible, cosine between normal and view, projection in pixels); `tolerance` in metres of depth.
    """
    size = len(view.depth)
    projected, depth = scene.camera.project(points)
    row, column = pixel_of(projected, size)
    inside = ((projected >= 0) & (projected < size)).all(1)
    towards_camera = scene.camera.center - points
    towards_camera /= np.linalg.norm(towards_camera, axis=1, keepdims=True)
    facing = (normals * towards_camera).sum(1)
    visible = inside & (facing > 0) & (depth < view.surface.depth[row, column] + tolerance)
    return visible, facing, projected


def pull_inside(
    scene: Scene, view: Visibility, points: Float[np.ndarray, "N 3"], radius: Float[np.ndarray, "N"]
) -> tuple[Float[np.ndarray, "N 3"], Bool[np.ndarray, "N"]]:
    """Move discs (radius in metres) that stick out of the person's outline inside it, parallel to the picture.

    The fitted mesh and the inflated volume are a little wider than the person here and there. Left out, such points
    would leave holes in the side of the head; left in, a rim around the portrait. Returns the points and which are
    kept: those further out than `MOST_PULL` belong to nothing in the picture.
    """
    size = len(view.label)
    projected, depth = scene.camera.project(points)
    in_picture = ((projected >= 0) & (projected < size)).all(1)
    row, column = pixel_of(projected, size)
    pulled = points.copy()
    for reach in np.unique(radius):
        inner = _largest_piece((view.to_outline * scene.metres_per_pixel > reach) & scene.portrait.valid)
        outside = in_picture & (radius == reach) & ~(inner | ~scene.portrait.valid)[row, column]
        target = _walk_inside(projected[outside], inner)
        pulled[outside] = scene.camera.unproject(target, depth[outside])
    return pulled, np.linalg.norm(pulled - points, axis=1) < MOST_PULL + radius


def _walk_inside(points: Float[np.ndarray, "N 2"], inner: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "N 2"]:
    """Move points (pixels) straight onto the mask's smoothed border: at its nearest pixels they would form rows."""
    inside = ndimage.distance_transform_edt(inner) - ndimage.distance_transform_edt(~inner)
    inside = ndimage.gaussian_filter(inside, PULL_SMOOTHING)
    field = inside, *np.gradient(inside)
    for _ in range(PULL_STEPS):
        at = points[:, ::-1].T - 0.5
        value, down, right = (ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in field)
        steep = np.maximum(down**2 + right**2, 0.25)
        points = points - np.minimum(value, 0)[:, None] * np.stack([right, down], 1) / steep[:, None]
    return points


def _largest_piece(mask: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Keep the largest connected piece: stray curls are no place to pull anything to."""
    pieces, count = ndimage.label(mask)
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1 if count > 1 else mask


def raster_of(scene: Scene, triangles: Bool[np.ndarray, "F"]) -> MeshRaster:
    """Rasterize some of the rig's triangles; indices are the rig's own."""
    index = np.flatnonzero(triangles)
    raster = rasterize_mesh(scene.camera, scene.vertices, scene.rig.faces[index])
    own = np.where(raster.triangle >= 0, index[raster.triangle], -1).astype(np.int32)
    return MeshRaster(own, raster.bary, raster.depth)


def openings(scene: Scene) -> list[tuple[str, Bool[np.ndarray, "S S"]]]:
    """The pixels inside the eyes' and, if it is open, the mouth's outline."""
    landmarks = scene.portrait.landmarks
    found = []
    for name, polygon in EYE_POLYGONS.items():
        inwards = ndimage.distance_transform_edt(inside_outline(scene, polygon)) * scene.metres_per_pixel
        found.append((name, inwards > LID_EDGE))
    x, y = landmarks[list(INNER_LIPS)].T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    if area > OPEN_MOUTH * ((landmarks[33] - landmarks[263]) ** 2).sum():
        found.append(("mouth", inside_mouth(scene, inside_outline(scene, INNER_LIPS))))
    return found


def _normals(
    scene: Scene, triangle: Int[np.ndarray, "S S"], bary: Float[np.ndarray, "S S 3"]
) -> tuple[Float[np.ndarray, "S S 3"], Float[np.ndarray, "S S"]]:
    """Smooth normals in the camera's frame and their cosine with the direction to the camera."""
    hit = triangle >= 0
    corners = scene.rig.faces[triangle[hit]]
    vertex_normal = vertex_normals(scene.vertices, scene.rig.faces) @ scene.camera.rotation.T
    unit = np.einsum("nk,nkc->nc", bary[hit], vertex_normal[corners])
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    point = scene.camera.transform(np.einsum("nk,nkc->nc", bary[hit], scene.vertices[corners]))
    normal, facing = np.zeros((*triangle.shape, 3)), np.zeros(triangle.shape)
    normal[hit] = unit
    facing[hit] = -(unit * point).sum(1) / np.linalg.norm(point, axis=1)
    return normal, facing
