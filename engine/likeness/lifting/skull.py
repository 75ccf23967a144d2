"""The skull under the hair: how thick the hair stands on it, where the hair ends, and how deep both are.

Short hair follows the skull. Its thickness shows along the outline, where the matte passes the modelled skull, and
continues round the side, where nothing shows it; behind the head it lies flatter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.geometry.cameras import Camera
from likeness.geometry.frames import vertex_normals
from likeness.lifting.sampling import posed_samples, sample_triangles
from likeness.lifting.types import Scene
from likeness.lifting.visibility import raster_of
from likeness.rendering.mesh import rasterize_mesh

DIRECTIONS = 72
"""Rays from the skull's middle along which the hair's thickness is measured."""
LEAST_HAIR, MOST_HAIR = 0.004, 0.045
"""Thickness that hair on the unseen side has at least and at most, metres."""
USUAL = 35
"""Percentile of the thickness along the outline that the back takes: a bun or a curl is no measure."""
BEHIND = 0.3
"""Share of that thickness, over the least, that lies behind the head: hair stands out beside it and lies flat on its
back. From views of one person from the front and from 40 and 50 degrees, and from usual heads (glabella to
opisthocranion 18.5 to 19.5 cm, Farkas 1994)."""
ROUND_THE_SIDE = 3
"""How soon behind the outline it lies flat: power of the share of the normal that lies in the picture."""
TAPER = 0.045
"""Distance from the hairline over which short hair reaches its thickness, metres."""
HAIRLINE_SPACING = 0.0035
"""Of the samples that tell scalp from skin, metres."""


@dataclass(frozen=True)
class Hairline:
    """Tells how far inside the hair a place on the skull lies."""

    scalp: cKDTree
    skin: cKDTree

    @classmethod
    def of(cls, scene: Scene, skin_regions: tuple[str, ...]) -> Hairline:
        """Look for the border between the scalp and the named regions of skin."""
        vertices = scene.vertices
        return cls(surface_tree(scene, vertices, "scalp"), surface_tree(scene, vertices, *skin_regions))

    def inside(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
        """Metres from the hairline, positive over the scalp, negative over skin."""
        return (self.skin.query(points)[0] - self.scalp.query(points)[0]) / 2


def surface_tree(scene: Scene, vertices: Float[np.ndarray, "V 3"], *regions: str) -> cKDTree:
    """Return what finds the nearest place of some regions of the head, whose vertices may have moved."""
    spacing = np.where(scene.triangles_in(*regions), HAIRLINE_SPACING, np.inf)
    samples = sample_triangles(vertices, scene.rig.faces, spacing, np.random.default_rng(0))
    return cKDTree(posed_samples(samples, vertices, scene.rig.faces)[0])


def hair_thickness(scene: Scene) -> Float[np.ndarray, "D"]:
    """How far the matte passes the skull along rays from its middle (first to the right, then downwards), metres."""
    head = raster_of(scene, scene.triangles_in("scalp", "face", "ears", "lids_left", "lids_right", "lips"))
    scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
    middle = scene.camera.project(scene.vertices[scalp])[0].mean(0)
    size = len(scene.portrait.alpha)
    angle = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    step = np.arange(size)
    ray = np.floor(middle + step[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)).astype(int)
    in_square = ((ray >= 0) & (ray < size)).all(-1)
    column, row = np.clip(ray, 0, size - 1).transpose(2, 0, 1)
    person = in_square & (scene.portrait.alpha > 0.5)[row, column]
    skull = in_square & head.covered[row, column]
    end = _last(skull)
    on_scalp = scene.triangles_in("scalp")[head.triangle[row[end, range(DIRECTIONS)], column[end, range(DIRECTIONS)]]]
    thickness = np.clip((_last(person) - end) * scene.metres_per_pixel, LEAST_HAIR, MOST_HAIR)
    beyond = np.minimum(_last(person) + 3, size - 1), range(DIRECTIONS)
    known = on_scalp & scene.portrait.valid[row[beyond], column[beyond]]
    if not known.any():
        return np.full(DIRECTIONS, 2 * LEAST_HAIR)
    around = np.concatenate([known] * 3)
    nearest = ndimage.distance_transform_edt(~around, return_distances=False, return_indices=True)[0]
    filled = thickness[nearest[DIRECTIONS : 2 * DIRECTIONS] % DIRECTIONS]
    return ndimage.gaussian_filter1d(filled, 1.5, mode="wrap")


def _last(mask: np.ndarray) -> Int[np.ndarray, "D"]:
    """Return the last marked row of every column."""
    return np.where(mask.any(0), len(mask) - 1 - mask[::-1].argmax(0), 0)


def covered_skull(scene: Scene, hairline: Hairline, thickness: Float[np.ndarray, "D"]) -> Float[np.ndarray, "V 3"]:
    """The head's vertices, those of the scalp pushed out by the hair's thickness; it thins out at the hairline."""
    normal = vertex_normals(scene.vertices, scene.rig.faces)
    in_camera = normal @ scene.camera.rotation.T
    usual = np.percentile(thickness, USUAL)
    turn = np.arctan2(in_camera[:, 1], in_camera[:, 0]) % (2 * np.pi) / (2 * np.pi) * DIRECTIONS
    beside = np.interp(turn, np.arange(DIRECTIONS + 1), np.append(thickness, thickness[0]))
    beside = np.minimum(beside, 2 * usual + 0.005)
    sideways = np.clip((in_camera[:, :2] ** 2).sum(1), 0, 1)
    behind = LEAST_HAIR + BEHIND * (usual - LEAST_HAIR)
    full = behind + sideways**ROUND_THE_SIDE * (beside - behind)
    scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
    share = np.clip(hairline.inside(scene.vertices[scalp]) / TAPER, 0, 1)
    pushed = scene.vertices.astype(np.float64)
    pushed[scalp] += normal[scalp] * (full[scalp] * np.sqrt(share * (2 - share)))[:, None]
    return pushed


def near_and_far(
    coarse: Camera, vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> tuple[Float[np.ndarray, "G G"], Float[np.ndarray, "G G"]]:
    """Depth of a mesh's near and far side as the camera sees them, infinite beside it."""
    near = rasterize_mesh(coarse, vertices, faces).depth
    pixels, depth = coarse.project(vertices)
    # Mirrored in depth about a plane, each vertex staying on its ray, the far side becomes the near one.
    plane = 2 * depth[np.unique(faces)].mean()
    mirrored = rasterize_mesh(coarse, coarse.unproject(pixels, plane - depth), faces)
    return near, np.where(mirrored.covered, plane - mirrored.depth, np.inf)
