"""Finding the performer's face again in the next frame, and telling it from other faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from likeness.portrait.appearance import UNLIKE, Colours, difference, face_colours
from likeness.portrait.crop import Square
from likeness.portrait.detectors import detect_boxes
from likeness.portrait.face_crop import Cell, FoundMesh, cell_of, cut_square, find_mesh
from likeness.portrait.faces import find_faces
from likeness.portrait.types import Photograph

NEAR = 0.3
"""Of the face's size: how far a face moves at most between two frames when nothing else tells that it is the same."""
NEAR_SIZE = 1.2
BOX_PICTURE = 512
MIN_BOX_SCORE = 0.5
MESH_PER_BOX = 1.1
AROUND = 4.0
"""Of the face's size: the side of the square about its last place in which it is looked for first."""
MOST_CANDIDATES = 4
DISTANCE_WEIGHT, FARTHEST = 0.3, 2.0
BANK_SIZE = 16


class Bank:
    """What the performer looked like at times that lie evenly over what was seen, and what the others looked like.

    Its memory is constant: when it is full, every second entry goes and the entries come half as often.
    """

    def __init__(self, own: list[Colours], others: list[Colours]) -> None:
        self._first, self._others = np.array(own), np.array(others, np.uint8).reshape(-1, 8, 8, 3)
        self._entries: list[tuple[int, Colours]] = []
        self._seconds = 1

    def add(self, time: float, colours: Colours) -> None:
        """Offer what is seen; call it for every frame in which the performer is."""
        slot = int(time) // self._seconds
        if self._entries and self._entries[-1][0] == slot:
            return
        self._entries.append((slot, colours))
        if len(self._entries) > BANK_SIZE:
            self._seconds *= 2
            self._entries = [(slot // 2, colours) for slot, colours in self._entries if slot % 2 == 0]

    def difference(self, colours: Colours) -> float:
        """Return how unlike the performer a face is; infinite where it is more like one of the others."""
        bank = np.concatenate([self._first, *(colours[None] for _, colours in self._entries)])
        own = difference(bank, colours)
        return own if own <= difference(self._others, colours) else np.inf


@dataclass(frozen=True)
class Face:
    """A face in one frame."""

    mesh: FoundMesh
    colours: Colours
    unlike: float
    """How unlike the performer it is."""


def find_again(
    rgb: UInt8[np.ndarray, "H W 3"],
    cell: Cell,
    bank: Bank,
    before: Face | None,
    *,
    thoroughly: bool,
) -> Face | None:
    """Look where the face was, then everywhere; `before` is the last frame's, None where it does not count."""
    mesh = find_mesh(rgb, cell)
    if mesh is not None:
        face = _face(rgb, mesh, bank)
        if face.unlike < UNLIKE or _goes_on(face, before):
            return face
    meshes = [find_mesh(rgb, cell_of(*place)) for place in _places(rgb, cell, thoroughly=thoroughly)]
    faces = [_face(rgb, mesh, bank) for mesh in meshes if mesh is not None]
    alike = [face for face in faces if face.unlike < UNLIKE]
    return min(alike, key=lambda face: face.unlike + DISTANCE_WEIGHT * _distance(face, cell), default=None)


def _goes_on(face: Face, before: Face | None) -> bool:
    """Tell whether a face continues that of the frame before: place, size and colours."""
    if before is None:
        return False
    moved = np.linalg.norm(face.mesh.center - before.mesh.center) / before.mesh.size
    grown = face.mesh.size / before.mesh.size
    alike = difference(before.colours[None], face.colours) < UNLIKE
    return bool(moved < NEAR and 1 / NEAR_SIZE < grown < NEAR_SIZE and alike)


def _distance(face: Face, cell: Cell) -> float:
    return min(float(np.linalg.norm(face.mesh.center - cell.center)) / cell.size, FARTHEST)


def _face(rgb: UInt8[np.ndarray, "H W 3"], mesh: FoundMesh, bank: Bank) -> Face:
    colours = face_colours(rgb, mesh.landmarks)
    return Face(mesh, colours, bank.difference(colours))


def _places(rgb: UInt8[np.ndarray, "H W 3"], cell: Cell, *, thoroughly: bool) -> list[tuple[np.ndarray, float]]:
    """Return centres and sizes of what may be faces, from boxes; from every part of the frame where asked."""
    height, width = rgb.shape[:2]
    longest = max(height, width)
    whole = ((width - longest) // 2, (height - longest) // 2, longest)
    side = max(round(AROUND * cell.size), 8)
    left, top = np.round(cell.center - side / 2)
    rows = np.concatenate(
        [
            _boxes(rgb, (int(left), int(top), side), full_range=False),
            _boxes(rgb, whole, full_range=True),
            _boxes(rgb, whole, full_range=False),
        ]
    )
    places: list[tuple[np.ndarray, float]] = []
    for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
        center, size = row[:2] + row[2:4] / 2, float(row[2])
        if all(np.linalg.norm(center - other) > 0.5 * max(size, s) for other, s in places):
            places.append((center, MESH_PER_BOX * size))
    if not places and thoroughly:
        faces = find_faces(Photograph(rgb, None, ""))
        places = [(face.landmarks.mean(0), float(np.ptp(face.landmarks, axis=0).max())) for face in faces]
    return places[:MOST_CANDIDATES]


def _boxes(rgb: UInt8[np.ndarray, "H W 3"], square: Square, *, full_range: bool) -> Float[np.ndarray, "N 5"]:
    boxes = detect_boxes(cut_square(rgb, square, BOX_PICTURE), full_range=full_range)
    boxes = boxes[boxes[:, 4] >= MIN_BOX_SCORE]
    boxes[:, :4] *= square[2] / BOX_PICTURE
    boxes[:, :2] += square[:2]
    return boxes
