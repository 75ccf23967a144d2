"""What the portrait's pixels are made of, by their looks: skin, hair or hat, cloth.

The fitted mesh says where skin, hair and cloth may be; a strand over the forehead, a sideburn or a collar it does not
know. So the places where each is sure give it a colour model, a histogram in CIELAB, and Bayes' rule mixes these with
the mesh's guess. Random walker segmentation with priors (Grady, Multilabel Random-Walker Image Segmentation Using Prior
Models, 2005) makes neighbours of like colour agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from likeness.lifting.looks import Looks
from likeness.lifting.outlines import features, inside_hulls
from likeness.lifting.types import ALPHA_FLOOR, CHIN, UNDER_NOSE, Scene
from likeness.portrait.person_mask import face_region

# Landmarks of MediaPipe's round what lies on the skin whatever its colour.
FEATURES = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 280, 50)
"""Brows, eyes and nose."""
JAW = (50, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 280)
"""Mouth and beard."""
SURE_SKIN = 0.25
"""How far the landmarks are drawn in whose inside gives skin its colours, share of the distance from the middle."""
SURE_REACH = 0.012
"""Distance from the modelled skin at which hair and cloth are sure, metres."""
RIM = 0.003
"""Distance from the outline up to which the background's colours may shine through, metres."""
DOUBT = 0.008
"""Distance from the mesh's own border over which its guess becomes e times surer, metres."""
STRAND = 0.015
"""Distance from sure hair over which hair becomes e times less likely, metres."""
LEAST, MOST = 0.02, 0.97
"""Least and greatest share the guess gives the skin."""
SOLID = 0.9
"""Alpha from which a pixel's colour is the person's own."""
SHADES = {1.0: 1.0, 0.8: 0.3, 0.6: 0.15}
"""Brightness, in sRGB, of the copies of the skin's colours that stand for its shadows, and their weights."""
ANY_GRAIN = 0.5
"""Share of hair and cloth whose grain is not that of the sure places."""
ROUNDS = 3
"""How often the sure places are looked for again with what was found."""
EDGE_SCALE = 6.0
"""Difference of neighbouring colours at which they hang together by 1/e, CIELAB units."""
BELIEF = 0.06
"""Weight of a pixel's own evidence beside that of its ties to four neighbours."""
TOLERANCE = 1e-3
"""Relative residual at which the walker's equations count as solved."""


class Material(IntEnum):
    """What a pixel of the person is made of."""

    SKIN = 0
    HAIR = 1
    """Hair, hat, and whatever else is worn on the head."""
    CLOTH = 2


@dataclass(frozen=True)
class MeshGuess:
    """What the fitted mesh says of the portrait's pixels. S is the working square's side."""

    skin: Bool[np.ndarray, "S S"]
    """The nearest triangle is modelled as skin, eye or mouth."""
    scalp: Bool[np.ndarray, "S S"]
    """The nearest triangle is modelled as scalp, under which skin or hair may show."""
    worn: Bool[np.ndarray, "S S"]
    """Glasses are seen there, which say nothing of what they hide."""


def parse_materials(scene: Scene, guess: MeshGuess) -> Int[np.ndarray, "S S"]:
    """Return the `Material` of every pixel of the person; what is no person counts as hair."""
    person = scene.portrait.alpha >= ALPHA_FLOOR
    looks = Looks.of(scene.portrait.foreground)
    sure = _sure_places(scene, guess, person)
    face = face_region(scene.portrait.landmarks, len(person), margin=SURE_SKIN) & guess.skin & ~features(scene)
    face &= ~inside_hulls(scene, JAW) & ~guess.worn
    # Further down what hangs together with the hair may be a beard, which lies on the skin.
    over_nose = np.arange(len(person))[:, None] < scene.portrait.landmarks[UNDER_NOSE, 1]
    for _ in range(ROUNDS):
        posterior = _posterior(looks, sure, _place(scene, guess, sure[Material.HAIR]))
        # The middle of the face tells the forehead's skin, the hair above it the strands that hang from there.
        seen = posterior.argmax(-1)
        sure[Material.SKIN] = face & (seen == Material.SKIN)
        sure[Material.HAIR] = _connected(
            sure[Material.HAIR], over_nose & person & ~guess.worn & (seen == Material.HAIR)
        )
    fixed = inside_hulls(scene, FEATURES, JAW) & guess.skin
    posterior[fixed] = np.eye(len(Material))[Material.SKIN]
    open_question = person & (guess.skin | guess.scalp) & ~fixed
    material = _walk(posterior, looks.lab, person, open_question).argmax(-1)
    return _settle_rim(scene, material, open_question)


def _settle_rim(
    scene: Scene, material: Int[np.ndarray, "S S"], open_question: Bool[np.ndarray, "S S"]
) -> Int[np.ndarray, "S S"]:
    """Give the outline's pixels the material beside them: their colours are the background's as much as their own."""
    person = (scene.portrait.alpha > SOLID) | ~scene.portrait.valid
    inner = ndimage.distance_transform_edt(person) * scene.metres_per_pixel > RIM
    if not inner.any():
        return material
    row, column = ndimage.distance_transform_edt(~inner, return_distances=False, return_indices=True)
    return np.where(open_question & ~inner, material[row, column], material)


def _connected(seed: Bool[np.ndarray, "S S"], mask: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Return the seed and what of the mask hangs together with it."""
    pieces, count = ndimage.label(seed | mask)
    return np.isin(pieces, np.unique(pieces[seed])) & (pieces > 0) if count else seed


def _sure_places(
    scene: Scene, guess: MeshGuess, person: Bool[np.ndarray, "S S"]
) -> dict[Material, Bool[np.ndarray, "S S"]]:
    """Mark where each material is sure to be seen, away from the others and from the outline."""
    rows = np.arange(len(person))[:, None]
    reach = SURE_REACH / scene.metres_per_pixel
    solid = ndimage.distance_transform_edt(scene.portrait.alpha > SOLID) * scene.metres_per_pixel > RIM
    solid &= ~guess.worn
    far = solid & (ndimage.distance_transform_edt(~guess.skin) > reach)
    chin = scene.portrait.landmarks[CHIN, 1]
    skin = inside_hulls(scene, FEATURES) & person & guess.skin & ~guess.worn & ~features(scene)
    return {Material.SKIN: skin, Material.HAIR: far & (rows < chin), Material.CLOTH: far & (rows > chin + reach)}


def _posterior(
    looks: Looks, sure: dict[Material, Bool[np.ndarray, "S S"]], place: Float[np.ndarray, "S S M"]
) -> Float[np.ndarray, "S S M"]:
    skin = looks.density(sure[Material.SKIN], SHADES)
    others = [looks.density(sure[m], grain_floor=ANY_GRAIN) for m in (Material.HAIR, Material.CLOTH)]
    posterior = place * np.stack([skin, *others], -1)
    return posterior / posterior.sum(-1, keepdims=True)


def _place(scene: Scene, guess: MeshGuess, sure_hair: Bool[np.ndarray, "S S"]) -> Float[np.ndarray, "S S 3"]:
    """Share of each material by where a pixel lies: surer the further from the mesh's own border."""
    outside, inside = (ndimage.distance_transform_edt(mask) for mask in (~guess.skin, guess.skin))
    depth = np.where(guess.skin, inside, -outside) * scene.metres_per_pixel
    skin = np.clip(1 / (1 + np.exp(-depth / DOUBT)), LEAST, MOST)
    below = (np.arange(len(skin))[:, None] - scene.portrait.landmarks[CHIN, 1]) * scene.metres_per_pixel
    cloth = np.clip(1 / (1 + np.exp(-below / DOUBT)), LEAST, 1 - LEAST)
    away = ndimage.distance_transform_edt(~sure_hair) if sure_hair.any() else np.full(skin.shape, np.inf)
    hair = np.exp(-np.maximum(away * scene.metres_per_pixel - SURE_REACH, 0) / STRAND) * (1 - cloth) + 1e-6
    return np.stack([skin, (1 - skin) * hair, (1 - skin) * cloth], -1)


def _walk(
    posterior: Float[np.ndarray, "S S M"],
    lab: Float[np.ndarray, "S S 3"],
    person: Bool[np.ndarray, "S S"],
    sought: Bool[np.ndarray, "S S"],
) -> Float[np.ndarray, "S S M"]:
    """Let neighbours of like colour agree on the pixels sought; the others keep their posterior."""
    result = posterior.copy()
    index = np.full(person.shape, -1)
    index[sought] = np.arange(sought.sum())
    diagonal = np.full(int(sought.sum()), BELIEF)
    right = BELIEF * posterior[sought]
    rows, columns, values = [], [], []
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        tie = np.exp(-((np.roll(lab, step, axis) - lab) ** 2).sum(-1) / EDGE_SCALE**2) * np.roll(person, step, axis)
        neighbour = np.roll(index, step, axis)[sought]
        weight = tie[sought]
        linked = neighbour >= 0
        diagonal += weight
        right += np.where(linked, 0.0, weight)[:, None] * np.roll(posterior, step, axis)[sought]
        rows.append(np.flatnonzero(linked))
        columns.append(neighbour[linked])
        values.append(weight[linked])
    links = sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), 2 * diagonal.shape
    )
    matrix = sparse.diags(diagonal) - links
    inverse = sparse.diags(1 / diagonal)
    for material in range(posterior.shape[-1]):
        start = posterior[sought, material]
        result[sought, material] = cg(matrix, right[:, material], start, rtol=TOLERANCE, M=inverse)[0]
    return result
