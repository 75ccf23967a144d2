"""The room that hair, hat and torso fill, from their silhouette and the head inside it.

The portrait shows an outline and, in the middle of it, a face of known depth. Between the two the surface is inflated:
the squared half depth u solves Poisson's equation  laplacian(u) = -4 c  with u = 0 on the outline (Joshi and Carr,
Repousse: Automatic Inflation of 2D Artwork, 2008, with the square root that makes a disk a sphere for c = 1) and
u = (known half depth)^2 where the face is. The front and the back half are solved apart and meet on the outline, so the
body is closed from every side.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from likeness.geometry.cameras import Camera
from likeness.lifting.shoulders import torso_pixels
from likeness.lifting.types import CHIN, UNDER_NOSE, Scene
from likeness.lifting.visibility import Label, Visibility
from likeness.rendering.mesh import rasterize_mesh

GRID = 128
"""Cells along the side of the coarse grid on which depths are solved."""
TORSO_FLATNESS = 0.15
"""c of the torso: shoulders are far wider than deep."""
CLEARANCE = 0.0025
"""How far hair stays off the skull, metres."""
NECK_BEGINS, NECK_ENDS = 0.02, 0.11
"""Metres under the chin between which the head's depth passes into the torso's."""
LONG_HAIR = 0.25
"""Area of the hair beside the jaw, as a share of the jaw's, from which hair also hangs behind the neck."""
BESIDE_SKIN = 3
"""Cells around bare skin in which nothing hangs either."""
BARE_NECK = 0.15
"""Torso's share up to which the modelled neck itself closes the back."""


@dataclass(frozen=True)
class Volume:
    """Front depth and closed surface of hair, hat and torso. S is the working square's side."""

    front: Float[np.ndarray, "S S"]
    """View depth of the near surface, metres; meaningful where the matte is."""
    vertices: Float[np.ndarray, "C 3"]
    """Of the closed surface, head space, metres."""
    faces: Int[np.ndarray, "T 3"]
    """Normals outwards; front triangles only where no skin is, back triangles everywhere."""
    is_front: Bool[np.ndarray, "T"]
    torso_share: Float[np.ndarray, "S S"]
    """0 in the head's rows, 1 in the torso's, smooth between."""
    torso: Bool[np.ndarray, "S S"]
    """All that lies under the neck: shoulders and what is worn on them."""
    bare: Bool[np.ndarray, "S S"]
    """Pixels whose far side is the modelled skin itself: a turned face's other cheek, a nape under short hair."""
    gap: Bool[np.ndarray, "S S"]
    """Pixels between such skin and the outline."""


def inflate(scene: Scene, view: Visibility) -> Volume:
    """Solve for the depths of everything in the matte that the head's skin does not explain."""
    size = len(view.label)
    coarse = scene.camera.resized(GRID, GRID)
    share = _torso_share(scene, coarse)
    cells = _coarse_cells(scene, view, share)
    middle = _middle_depth(scene, share)
    nape = _Nape.of(scene, view, share[:, 0])
    front_mesh, back_mesh, bare, gap = _skull_depths(scene, coarse, nape.long_hair)
    known = np.where(cells.skin & np.isfinite(front_mesh), np.clip(middle - front_mesh, 0, None) ** 2, np.nan)
    source = 4 * (1 + share * (TORSO_FLATNESS - 1)) * (scene.metres_per_pixel * size / GRID) ** 2
    front_u = _solve_poisson(cells, known, source)
    back_u = _solve_poisson(cells, np.full_like(known, np.nan), source)
    back_u *= nape.taper[:, None]
    on_skull = np.isfinite(front_mesh)
    front_u = np.maximum(front_u, np.where(on_skull, np.clip(middle - front_mesh + CLEARANCE, 0, None) ** 2, 0))
    back_u = np.maximum(back_u, np.where(on_skull, np.clip(back_mesh + CLEARANCE - middle, 0, None) ** 2, 0))
    half = np.sqrt(np.clip(_upsample(front_u * cells.inside, size), 0, None))
    vertices, faces, is_front = _closed_surface(coarse, cells, middle, front_u, back_u)
    return Volume(
        front=ndimage.gaussian_filter(_upsample(middle, size) - half, 1.0),
        vertices=vertices,
        faces=faces,
        is_front=is_front,
        torso_share=_upsample(share, size),
        torso=torso_pixels(scene.portrait, _upsample(share, size)[:, 0] > 0.5),
        bare=_upsample((bare & (share < BARE_NECK)).astype(np.float64), size) > 0.5,
        gap=_upsample((gap & (share < BARE_NECK)).astype(np.float64), size) > 0.5,
    )


@dataclass(frozen=True)
class _Cells:
    """The matte on the coarse grid."""

    inside: Bool[np.ndarray, "G G"]
    in_photo: Bool[np.ndarray, "G G"]
    skin: Bool[np.ndarray, "G G"]
    open_border: Bool[np.ndarray, "G G"]
    """Cells whose body the picture's border cuts: the torso. A head is closed even where the picture ends."""


def _coarse_cells(scene: Scene, view: Visibility, torso_share: Float[np.ndarray, "G G"]) -> _Cells:
    def share(mask: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "G G"]:
        return cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)

    in_photo = share(scene.portrait.valid) > 0.5
    inside = (share(scene.portrait.alpha > 0.4) > 0.5) & in_photo
    on_skin = np.isin(view.label, (Label.SKIN, Label.EYE, Label.MOUTH))
    return _Cells(inside, in_photo, inside & (share(on_skin) > 0.5), torso_share > 0.5)


@dataclass(frozen=True)
class _Nape:
    """Where hair ends behind the head. Long hair, which shows beside the jaw, does not: it hangs behind the neck."""

    taper: Float[np.ndarray, "G"]
    """By coarse row: the hair's depth falls from 1 at the nose to 0 at the hairline; the torso's rises to 1 again."""
    long_hair: bool

    @classmethod
    def of(cls, scene: Scene, view: Visibility, torso_share: Float[np.ndarray, "G"]) -> _Nape:
        size = len(view.label)
        rows = np.arange(size)
        nose, chin = scene.portrait.landmarks[[UNDER_NOSE, CHIN], 1]
        scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
        hairline = max(float(scene.camera.project(scene.vertices[scalp])[0][:, 1].max()), nose + 1)
        hair = (view.label == Label.VOLUME) & (scene.portrait.alpha > 0.5)
        beside_jaw = (rows > nose) & (rows < chin)
        if hair[beside_jaw].sum() > LONG_HAIR * (view.label == Label.SKIN)[beside_jaw].sum():
            return cls(np.ones(GRID), True)
        row = (np.arange(GRID) + 0.5) * size / GRID
        taper = np.clip((hairline - row) / (hairline - nose), 0, 1)
        shoulders = np.clip((torso_share - BARE_NECK) / (0.5 - BARE_NECK), 0, 1)
        return cls(np.maximum(taper, shoulders), False)


def _torso_share(scene: Scene, coarse: Camera) -> Float[np.ndarray, "G G"]:
    chin = scene.portrait.landmarks[CHIN, 1] * GRID / len(scene.portrait.alpha)
    metres_per_row = coarse.T_camera_head[2, 3] / coarse.K[1, 1]
    below_chin = (np.arange(GRID) + 0.5 - chin) * metres_per_row
    share = np.clip((below_chin - NECK_BEGINS) / (NECK_ENDS - NECK_BEGINS), 0, 1)
    return np.repeat((share * share * (3 - 2 * share))[:, None], GRID, 1)


def _middle_depth(scene: Scene, share: Float[np.ndarray, "G G"]) -> Float[np.ndarray, "G G"]:
    """View depth of the plane between front and back: through the ears, further down through the chest."""

    def mean_depth(region: str) -> float:
        vertices = np.unique(scene.rig.faces[scene.triangles_in(region)])
        return float(scene.camera.project(scene.vertices[vertices])[1].mean())

    ears, torso = mean_depth("ears"), mean_depth("torso")
    return ears + share * (torso - ears)


def _skull_depths(
    scene: Scene, coarse: Camera, long_hair: bool
) -> tuple[Float[np.ndarray, "G G"], Float[np.ndarray, "G G"], Bool[np.ndarray, "G G"], Bool[np.ndarray, "G G"]]:
    """Depth of the near and the far side of head and neck, infinite beside them; where the far side is bare skin;
    and the gap between such skin and the outline."""
    index = np.flatnonzero(scene.skin_triangles() | scene.triangles_in("scalp"))
    faces = scene.rig.faces[index]
    front = rasterize_mesh(coarse, scene.vertices, faces).depth
    pixels, depth = coarse.project(scene.vertices)
    # Mirrored in depth about a plane, each vertex staying on its ray, the far side becomes the near one.
    plane = 2 * depth[np.unique(faces)].mean()
    mirrored = rasterize_mesh(coarse, coarse.unproject(pixels, plane - depth), faces)
    back = np.where(mirrored.covered, plane - mirrored.depth, np.inf)
    own_skin = scene.triangles_in(*(("face", "ears") if long_hair else ("face", "ears", "neck")))
    bare = mirrored.covered & own_skin[index[mirrored.triangle]]
    # The outline may pass a little beside the modelled skin: no curtain of hair hangs in that gap.
    beside = ndimage.binary_dilation(bare, iterations=BESIDE_SKIN) & ~mirrored.covered
    return front, back, bare, beside


def _solve_poisson(
    cells: _Cells, known: Float[np.ndarray, "G G"], source: Float[np.ndarray, "G G"]
) -> Float[np.ndarray, "G G"]:
    """Solve the 5-point Poisson equation over the matte, NaN in `known` being what is sought.

    Background cells hold 0; `cells.open_border` lets the surface run on beyond the picture (no flux).
    """
    sought = cells.inside & np.isnan(known)
    index = np.full(sought.shape, -1)
    index[sought] = np.arange(sought.sum())
    fixed = np.where(cells.inside, np.nan_to_num(known), 0.0)
    right, diagonal = source[sought].copy(), np.zeros(int(sought.sum()))
    rows, columns = [], []
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        neighbour = np.roll(index, shift, axis)[sought]
        beyond = ~np.roll(cells.in_photo, shift, axis)[sought] | _wraps(sought, shift, axis)
        flows = ~(beyond & cells.open_border[sought])
        inner = ~beyond & (neighbour >= 0)
        diagonal += flows
        rows.append(np.flatnonzero(inner))
        columns.append(neighbour[inner])
        right += np.where(~beyond & ~inner, np.roll(fixed, shift, axis)[sought], 0)
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.diags(diagonal + 1e-9) - sparse.csr_matrix((np.ones(len(row)), (row, column)), 2 * diagonal.shape)
    solved = fixed.copy()
    solved[sought] = spsolve(matrix.tocsc(), right)
    return solved


def _wraps(sought: Bool[np.ndarray, "G G"], shift: int, axis: int) -> Bool[np.ndarray, "U"]:
    """Mark the sought cells whose neighbour lies beyond the grid, where np.roll comes back from the other side."""
    edge = np.zeros(sought.shape, bool)
    np.moveaxis(edge, axis, 0)[0 if shift > 0 else -1] = True
    return edge[sought]


def _upsample(grid: Float[np.ndarray, "G G"], size: int) -> Float[np.ndarray, "S S"]:
    return cv2.resize(np.asarray(grid, np.float64), (size, size), interpolation=cv2.INTER_LINEAR)


def _closed_surface(
    coarse: Camera,
    cells: _Cells,
    middle: Float[np.ndarray, "G G"],
    front_u: Float[np.ndarray, "G G"],
    back_u: Float[np.ndarray, "G G"],
) -> tuple[Float[np.ndarray, "C 3"], Int[np.ndarray, "T 3"], Bool[np.ndarray, "T"]]:
    """Triangulate both halves over the cells' corners; on the outline the two share one depth."""
    outside = ~cells.inside & (cells.in_photo | ~cells.open_border)
    on_outline = ndimage.maximum_filter(np.pad(outside, 1, constant_values=False), 2)[1:, 1:]
    weight = np.pad(cells.inside, 1).astype(np.float64)

    def at_corners(values: Float[np.ndarray, "G G"]) -> Float[np.ndarray, "H H"]:
        total = ndimage.uniform_filter(np.pad(values, 1) * weight, 2, mode="constant")[1:, 1:]
        return total / np.maximum(ndimage.uniform_filter(weight, 2, mode="constant")[1:, 1:], 1e-9)

    depth = at_corners(middle)
    front = depth - np.where(on_outline, 0, np.sqrt(np.clip(at_corners(front_u), 0, None)))
    back = depth + np.where(on_outline, 0, np.sqrt(np.clip(at_corners(back_u), 0, None)))
    row, column = np.mgrid[0 : GRID + 1, 0 : GRID + 1]
    pixels = np.stack([column, row], -1).reshape(-1, 2).astype(np.float64)
    vertices = np.concatenate([coarse.unproject(pixels, np.maximum(side.ravel(), 0.05)) for side in (front, back)])
    front_faces = _cell_faces(cells.inside & ~cells.skin)
    back_faces = _cell_faces(cells.inside)[:, ::-1] + (GRID + 1) ** 2
    is_front = np.arange(len(front_faces) + len(back_faces)) < len(front_faces)
    return vertices, np.concatenate([front_faces, back_faces]), is_front


def _cell_faces(cells: Bool[np.ndarray, "G G"]) -> Int[np.ndarray, "T 3"]:
    """Two triangles for every marked cell, anticlockwise as the camera sees them."""
    row, column = np.nonzero(cells)
    top_left = row * (GRID + 1) + column
    top_right, bottom_left = top_left + 1, top_left + GRID + 1
    first = np.stack([top_left, bottom_left, top_right], 1)
    second = np.stack([top_right, bottom_left, bottom_left + 1], 1)
    return np.concatenate([first, second])
