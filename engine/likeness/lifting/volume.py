"""The room that hair, hat and torso fill, from their silhouette and the head inside it.

The portrait shows an outline and, in the middle of it, a face of known depth. In front the surface is inflated between
the two; behind it is the skull with the hair's thickness on it, and the balls that fit the outline where there is more
hair than that. Front and back meet on the outline, so the body is closed from every side.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.geometry.cameras import Camera
from likeness.geometry.easing import smoothstep
from likeness.lifting.inflation import GRID, Cells, closed_surface, solve_poisson, union_of_balls, upsample
from likeness.lifting.palette import commonness
from likeness.lifting.parsing import Material
from likeness.lifting.shoulders import torso_pixels
from likeness.lifting.skull import Hairline, covered_skull, hair_thickness, near_and_far, surface_tree
from likeness.lifting.types import CHIN, UNDER_NOSE, Scene
from likeness.lifting.visibility import Label, Visibility
from likeness.rendering.mesh import rasterize_mesh

TORSO_FLATNESS = 0.15
"""c of the torso in Poisson's equation: shoulders are far wider than deep."""
BALLS_FLATNESS = 0.9
"""Depth of the balls that fit the outline, as a share of their radius."""
CLEARANCE = 0.0025
"""How far hair stays off the skull, metres."""
NECK_BEGINS, NECK_ENDS = 0.02, 0.11
"""Metres under the chin between which the head's depth passes into the torso's."""
LONG_HAIR, UNBROKEN = 0.15, 75
"""Width of the hair beside the jaw, as a share of the jaw's, from which hair also hangs behind the neck; percentage of
the rows beside the jaw that must have it: a beard or a fur collar ends within them."""
COLLAR = 0.05
"""Half width of the middle under the chin where cloth or skin is seen, metres."""
LIKELIER = 2.0
"""How many times more common a colour is among the hair over the chin than in that middle when it is hair's."""
LOCK = 0.003
"""Half width of the narrowest lock that counts, metres."""
MOST_HANGING = 0.25
"""Distance under the chin at which hair ends at the latest, metres."""
CROWN_RADIUS = 0.12
"""Radius of the ball as which hair rounds off towards the outline at most, metres."""
BACK_SMOOTHING = 1.2
"""Of the far side, cells."""


@dataclass(frozen=True)
class Volume:
    """Front depth and closed surface of hair, hat and torso. S is the working square's side."""

    front: Float[np.ndarray, "S S"]
    """View depth of the near surface, metres; meaningful where the matte is."""
    middle: Float[np.ndarray, "S S"]
    """View depth at which near and far side meet on the outline, metres."""
    vertices: Float[np.ndarray, "C 3"]
    """Of the closed surface, head space, metres."""
    faces: Int[np.ndarray, "T 3"]
    """Normals outwards; front triangles only where no skin is, back triangles everywhere."""
    is_front: Bool[np.ndarray, "T"]
    chart: Float[np.ndarray, "C 2"]
    """Every vertex's place on a flattened hide, metres."""
    torso_share: Float[np.ndarray, "S S"]
    """0 in the head's rows, 1 in the torso's, smooth between."""
    torso: Bool[np.ndarray, "S S"]
    """All that lies under the neck: shoulders and what is worn on them."""
    hairline: Hairline
    hanging: Float[np.ndarray, "S S"]
    """How far inside the region behind which hair hangs free of the skull, metres; negative outside."""
    shell: cKDTree
    """Finds the nearest place of the scalp with the hair's thickness on it."""


def inflate(scene: Scene, view: Visibility) -> Volume:
    """Solve for the depths of everything in the matte that the head's skin does not explain."""
    size = len(view.label)
    coarse = scene.camera.resized(GRID, GRID)
    share = _torso_share(scene, coarse)
    middle = _middle_depth(scene, share)
    long_hair = _is_long(scene, view)
    hairline = Hairline.of(scene, ("face", "ears") if long_hair else ("face", "ears", "neck"))
    skull = covered_skull(scene, hairline, hair_thickness(scene))
    shell = surface_tree(scene, skull, "scalp")
    head = scene.rig.faces[scene.skin_triangles() | scene.triangles_in("scalp")]
    near, far = near_and_far(coarse, skull, head)
    cells = _coarse_cells(scene, view, share, np.isfinite(near))
    cell = scene.metres_per_pixel * size / GRID
    bare = rasterize_mesh(coarse, scene.vertices, head).depth
    front_u = _front(cells, near, bare, middle, share, cell)
    back_u = _back(scene, cells, far, middle, share, long_hair, cell)
    half = np.sqrt(np.clip(upsample(front_u * cells.inside, size), 0, None))
    surface = closed_surface(coarse, cells, middle, front_u, back_u)
    middle, share = upsample(middle, size), upsample(share, size)
    return Volume(
        front=ndimage.gaussian_filter(middle - half, 1.0),
        middle=middle,
        vertices=surface.vertices,
        faces=surface.faces,
        is_front=surface.is_front,
        chart=surface.chart,
        torso_share=share,
        torso=torso_pixels(scene.portrait, share[:, 0] > 0.5),
        hairline=hairline,
        hanging=_hanging(scene, view, long_hair),
        shell=shell,
    )


def _coarse_cells(
    scene: Scene, view: Visibility, torso_share: Float[np.ndarray, "G G"], head: Bool[np.ndarray, "G G"]
) -> Cells:
    """The matte, and beyond the photograph's border the modelled head under its hair."""

    def share(mask: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "G G"]:
        return cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)

    in_photo = share(scene.portrait.valid) > 0.5
    person = (share(scene.portrait.alpha > 0.4) > 0.5) & in_photo
    over_lips = np.arange(GRID)[:, None] * len(view.label) / GRID < scene.portrait.landmarks[UNDER_NOSE, 1]
    beyond = head & ~in_photo & over_lips
    on_skin = np.isin(view.label, (Label.SKIN, Label.EYE, Label.MOUTH, Label.GLASSES))
    return Cells(person | beyond, in_photo, person & (share(on_skin) > 0.5), torso_share > 0.5)


def _is_long(scene: Scene, view: Visibility) -> bool:
    """Tell whether hair shows beside the jaw: then it hangs behind the neck too."""
    nose, chin = scene.portrait.landmarks[[UNDER_NOSE, CHIN], 1]
    beside_jaw = slice(round(nose), round(chin))
    person = scene.portrait.alpha[beside_jaw] > 0.5
    hair = (view.label == Label.VOLUME) & (view.material == Material.HAIR)
    jaw = (view.label == Label.SKIN)[beside_jaw].sum(1)
    width = (hair[beside_jaw] & person).sum(1) / np.maximum(jaw, 1)
    return bool(np.percentile(width, 100 - UNBROKEN) > LONG_HAIR)


def _hanging(scene: Scene, view: Visibility, long_hair: bool) -> Float[np.ndarray, "S S"]:
    """Metres inside the region behind which hair hangs: over the ears; long hair also between its own two sides."""
    size = len(view.label)
    rows, columns = np.mgrid[:size, :size]
    ears = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("ears")])]
    chin = scene.portrait.landmarks[CHIN]
    hangs = rows < (chin[1] if long_hair else scene.camera.project(ears)[0][:, 1].mean())
    if long_hair:
        person = scene.portrait.alpha > 0.9
        volume = person & (view.label == Label.VOLUME)
        over = volume & (view.material == Material.HAIR) & (rows < chin[1])
        middle = person & (np.abs(columns - chin[0]) * scene.metres_per_pixel < COLLAR) & (rows > chin[1])
        # Under the chin what is hair is told by its colour: cloth is what lies in the middle.
        foreground = scene.portrait.foreground
        like_hair = volume & (commonness(foreground, over) > LIKELIER * commonness(foreground, middle))
        hair = ndimage.binary_opening(like_hair, iterations=round(LOCK / scene.metres_per_pixel))
        hair &= ndimage.distance_transform_edt(~(over | hangs)) * scene.metres_per_pixel < MOST_HANGING
        hangs |= np.maximum.accumulate(hair, 1) & np.maximum.accumulate(hair[:, ::-1], 1)[:, ::-1]
    inside = ndimage.distance_transform_edt(hangs) - ndimage.distance_transform_edt(~hangs)
    return inside * scene.metres_per_pixel


def _torso_share(scene: Scene, coarse: Camera) -> Float[np.ndarray, "G G"]:
    chin = scene.portrait.landmarks[CHIN, 1] * GRID / len(scene.portrait.alpha)
    metres_per_row = coarse.T_camera_head[2, 3] / coarse.K[1, 1]
    below_chin = (np.arange(GRID) + 0.5 - chin) * metres_per_row
    return np.repeat(smoothstep(below_chin, NECK_BEGINS, NECK_ENDS)[:, None], GRID, 1)


def _middle_depth(scene: Scene, share: Float[np.ndarray, "G G"]) -> Float[np.ndarray, "G G"]:
    """View depth of the plane between front and back: through the ears, further down through the chest."""

    def mean_depth(region: str) -> float:
        vertices = np.unique(scene.rig.faces[scene.triangles_in(region)])
        return float(scene.camera.project(scene.vertices[vertices])[1].mean())

    ears, torso = mean_depth("ears"), mean_depth("torso")
    return ears + share * (torso - ears)


def _front(
    cells: Cells,
    near: Float[np.ndarray, "G G"],
    bare: Float[np.ndarray, "G G"],
    middle: Float[np.ndarray, "G G"],
    share: Float[np.ndarray, "G G"],
    cell: float,
) -> Float[np.ndarray, "G G"]:
    """Squared half depth of the near side: inflated between the face and the outline, never inside the skull.

    `near` and `bare` are the depths of the skull with and without hair. Hair rounds off towards the outline: as far
    before the ears as a crown is above them, it would be a cliff that shows from the side.
    """
    known = np.where(cells.skin & np.isfinite(near), np.clip(middle - near, 0, None) ** 2, np.nan)
    u = solve_poisson(cells, known, 4 * (1 + share * (TORSO_FLATNESS - 1)) * cell**2)
    u = np.maximum(u, _before(near, middle) ** 2)
    inwards = ndimage.distance_transform_edt(cells.inside | (~cells.in_photo & cells.open_border)) * cell
    round_off = inwards * np.maximum(2 * CROWN_RADIUS - inwards, CROWN_RADIUS) + share
    return np.where(cells.skin, u, np.maximum(np.minimum(u, round_off), _before(bare, middle) ** 2))


def _before(near: Float[np.ndarray, "G G"], middle: Float[np.ndarray, "G G"]) -> Float[np.ndarray, "G G"]:
    """How far hair that just clears a surface lies before the middle, metres; 0 beside the surface."""
    return np.where(np.isfinite(near), np.clip(middle - near + CLEARANCE, 0, None), 0)


def _back(
    scene: Scene,
    cells: Cells,
    far: Float[np.ndarray, "G G"],
    middle: Float[np.ndarray, "G G"],
    share: Float[np.ndarray, "G G"],
    long_hair: bool,
    cell: float,
) -> Float[np.ndarray, "G G"]:
    """Squared half depth of the far side; `cell` is a cell's side, metres."""
    on_skull = np.isfinite(far)
    skull = np.where(on_skull, np.clip(far + CLEARANCE - middle, 0, None), 0) ** 2
    balls = union_of_balls(cells) * (BALLS_FLATNESS * cell) ** 2
    # Hair falls from the back of the head: no deeper than that.
    deepest = far[on_skull & (share < 0.02)].max(initial=float(middle.min()))
    balls = np.minimum(balls, np.clip(deepest - middle, 0, None) ** 2)
    torso = solve_poisson(cells, np.full_like(far, np.nan), 4 * TORSO_FLATNESS * cell**2 * np.ones_like(far))
    if not long_hair:
        balls *= _over_the_nape(scene)[:, None]
    u = np.maximum((1 - share) * balls + share * torso, skull)
    return np.maximum(ndimage.gaussian_filter(u, BACK_SMOOTHING), skull) * cells.inside


def _over_the_nape(scene: Scene) -> Float[np.ndarray, "G"]:
    """By coarse row: 1 down to the nose, 0 from the hairline on."""
    nose = scene.portrait.landmarks[UNDER_NOSE, 1]
    scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
    hairline = max(float(scene.camera.project(scene.vertices[scalp])[0][:, 1].max()), nose + 1)
    row = (np.arange(GRID) + 0.5) * len(scene.portrait.alpha) / GRID
    return np.clip((hairline - row) / (hairline - nose), 0, 1)
