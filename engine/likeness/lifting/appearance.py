"""What colour the skin has where the portrait does not show it.

Seen vertices keep the photograph's colour. Over the others a guided membrane is laid (Perez et al., Poisson Image
Editing, 2003, on the mesh's graph): where the mirrored place is seen, its differences from vertex to vertex are kept,
elsewhere the colour runs on smoothly. The fill thus starts from the light at the border of the seen skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from likeness.geometry.frames import vertex_normals
from likeness.lifting.sampling import surface_points
from likeness.lifting.types import CHIN, UNDER_NOSE, Scene, SurfaceSamples
from likeness.lifting.visibility import Label, Visibility, pixel_of, visible_points

CONFIDENT_FACING = 0.35
"""Cosine with the view above which a pixel's colour is trusted to be that skin's."""
LASH_REACH = 0.0035
"""Distance from the eye's opening within which lid pixels show lashes rather than lid, metres."""
SMOOTHING = 1.5
"""Pixels of blur in the colours taken to the vertices; finer detail is added back at the samples."""
DEPTH_TOLERANCE = 0.003
CLOTH_CHROMA, CLOTH_BRIGHTNESS = 0.07, 0.15
"""How far a pixel on the neck departs from the skin's chromaticity or brightness when it is cloth."""
EAR_PIXELS = 20
"""Pixels of an ear from which it can be told whether hair covers it."""


@dataclass(frozen=True)
class SkinColors:
    """Skin colours known at every vertex, and how to find finer detail. V vertices of the rig."""

    vertex: Float[np.ndarray, "V 3"]
    foreground: Float[np.ndarray, "S S 3"]
    detail: Float[np.ndarray, "S S 3"]
    """The photograph minus its blurred self."""
    trusted: Bool[np.ndarray, "S S"]
    """Pixels that show skin, well inside the matte and away from grazing angles."""


def complete_skin(scene: Scene, view: Visibility) -> SkinColors:
    """Fill the skin's colours in on every vertex of the head."""
    foreground = np.asarray(scene.portrait.foreground, np.float64)
    trusted = trusted_pixels(scene, view)
    blurred = blur_inside(foreground, trusted, SMOOTHING)
    seen, color = _seen_vertices(scene, view, trusted, blurred)
    mirror = np.arange(len(scene.vertices))
    mirror[: len(scene.assets.mirror)] = scene.assets.mirror
    guided = ~seen & seen[mirror]
    guide = np.where(guided[:, None], color[mirror], color)
    vertex = _guided_membrane(scene, seen, color, guided | seen, guide)
    _cover_ears(scene, view, vertex)
    return SkinColors(np.clip(vertex, 0, 1), foreground, foreground - blurred, trusted)


def sample_skin_colors(
    scene: Scene, view: Visibility, colors: SkinColors, samples: SurfaceSamples
) -> Float[np.ndarray, "N 3"]:
    """Colour surface samples: the vertices' fill, with the grain of the mirrored place where that is seen."""
    faces = scene.rig.faces
    color = surface_points(samples, colors.vertex, faces)
    head = samples.triangle < scene.rig.head_triangles
    mirrored_faces = scene.assets.mirror[faces[np.where(head, samples.triangle, 0)]]
    points = np.einsum("nk,nkc->nc", samples.bary, scene.vertices[mirrored_faces])
    normals = np.einsum("nk,nkc->nc", samples.bary, vertex_normals(scene.vertices, faces)[mirrored_faces])
    visible, facing, projected = visible_points(scene, view, points, normals, DEPTH_TOLERANCE)
    row, column = pixel_of(projected, len(view.label))
    usable = head & visible & (facing > CONFIDENT_FACING) & colors.trusted[row, column]
    color[usable] += colors.detail[row[usable], column[usable]]
    return np.clip(color, 0, 1)


def trusted_pixels(scene: Scene, view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark the pixels whose colour belongs to the skin under them."""
    core = ndimage.binary_erosion(scene.portrait.alpha > 0.95, iterations=2)
    on_skin = ndimage.binary_erosion(view.label == Label.SKIN, iterations=1)
    reach = LASH_REACH / scene.metres_per_pixel
    eyes = ndimage.distance_transform_edt(view.label != Label.EYE) > reach
    trusted = core & on_skin & eyes & (view.facing > CONFIDENT_FACING)
    return trusted & ~_unlike_skin(scene, view, trusted)


def _unlike_skin(scene: Scene, view: Visibility, skin: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Mark pixels that only lie over the skin: strands of the hair beside it (not a beard), and collars."""
    foreground = scene.portrait.foreground
    rows = np.arange(len(skin))[:, None]
    nose, chin = scene.portrait.landmarks[[UNDER_NOSE, CHIN], 1]
    hair = (view.label == Label.VOLUME) & (scene.portrait.alpha > 0.9) & (rows < nose)
    if not hair.any() or not skin.any():
        return np.zeros(skin.shape, bool)
    skin_color = np.median(foreground[skin], 0)
    to_hair = np.linalg.norm(foreground - np.median(foreground[hair], 0), axis=-1)
    to_skin = np.linalg.norm(foreground - skin_color, axis=-1)
    chroma = foreground / np.maximum(foreground.sum(-1, keepdims=True), 0.05)
    other_hue = np.linalg.norm(chroma - skin_color / skin_color.sum(), axis=-1) > CLOTH_CHROMA
    brighter = foreground.mean(-1) > skin_color.mean() + CLOTH_BRIGHTNESS
    return (to_hair < to_skin) & ((rows < nose) | (rows > chin)) | (other_hue | brighter) & (rows > chin)


def _cover_ears(scene: Scene, view: Visibility, vertex: Float[np.ndarray, "V 3"]) -> None:
    """Give an ear that is under hair in the portrait the colour that covers it, in place."""
    foreground, alpha = scene.portrait.foreground, scene.portrait.alpha
    hair = (view.label == Label.VOLUME) & (alpha > 0.9)
    ears = scene.triangles_in("ears")
    left = scene.vertices[scene.rig.faces].mean(1)[:, 0] > 0
    for side in (ears & left, ears & ~left):
        pixels = (view.label == Label.SKIN) & side[view.triangle] & (alpha > 0.9)
        if pixels.sum() < EAR_PIXELS or not hair.any():
            continue
        ear_vertices = np.unique(scene.rig.faces[side])
        hair_color = np.median(foreground[hair], 0)
        to_hair = np.linalg.norm(foreground[pixels] - hair_color, axis=-1)
        to_skin = np.linalg.norm(foreground[pixels] - vertex[ear_vertices].mean(0), axis=-1)
        if (to_hair < to_skin).mean() > 0.5:
            vertex[ear_vertices] = np.median(foreground[pixels], 0)


def blur_inside(
    image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"], sigma: float
) -> Float[np.ndarray, "S S 3"]:
    """Blur an image without letting colours from outside the mask in; outside it stays as it is."""
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma)
    total = ndimage.gaussian_filter(image * mask[..., None], (sigma, sigma, 0))
    return np.where(mask[..., None], total / np.maximum(weight, 1e-6)[..., None], image)


def _seen_vertices(
    scene: Scene, view: Visibility, trusted: Bool[np.ndarray, "S S"], blurred: Float[np.ndarray, "S S 3"]
) -> tuple[Bool[np.ndarray, "V"], Float[np.ndarray, "V 3"]]:
    normals = vertex_normals(scene.vertices, scene.rig.faces)
    visible, facing, projected = visible_points(scene, view, scene.vertices, normals, DEPTH_TOLERANCE)
    row, column = pixel_of(projected, len(view.label))
    seen = visible & (facing > CONFIDENT_FACING) & trusted[row, column]
    seen[scene.rig.head_vertices :] = False
    return seen, blurred[row, column]


def _guided_membrane(
    scene: Scene,
    seen: Bool[np.ndarray, "V"],
    color: Float[np.ndarray, "V 3"],
    has_guide: Bool[np.ndarray, "V"],
    guide: Float[np.ndarray, "V 3"],
) -> Float[np.ndarray, "V 3"]:
    """Minimise the edges' sum of |c_i - c_j - (g_i - g_j)|^2 with seen colours fixed; g where both ends have one."""
    edges = _skin_edges(scene)
    first, second = edges.T
    step = np.where((has_guide[first] & has_guide[second])[:, None], guide[first] - guide[second], 0.0)
    count = len(seen)
    incidence = sparse.csr_matrix(
        (np.repeat([1.0, -1.0], len(edges)), (np.tile(np.arange(len(edges)), 2), edges.T.ravel())), (len(edges), count)
    )
    laplacian = incidence.T @ incidence
    anchor = sparse.diags(np.where(seen, 1e4, 1e-6))
    mean = color[seen].mean(0) if seen.any() else np.full(3, 0.5)
    target = np.where(seen[:, None], 1e4 * color, 1e-6 * mean)
    return splu((laplacian + anchor).tocsc()).solve(incidence.T @ step + target)


def _skin_edges(scene: Scene) -> Int[np.ndarray, "E 2"]:
    faces = scene.rig.faces[scene.skin_triangles() | scene.triangles_in("scalp")]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0)
