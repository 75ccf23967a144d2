"""Finding faces, placing their landmarks, and choosing the one that becomes the head.

Error codes: face.none, face.index, face.too_small, face.cut, face.profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from likeness.contract.errors import InputError, UsageError
from likeness.portrait.crop import Square, resample_square
from likeness.portrait.detectors import detect_boxes, detect_mesh
from likeness.portrait.types import DetectedFace, Photograph

MIN_WIDTH = 48
POOR_WIDTH = 128
POOR_YAW = 35.0
POOR_ROLL = 50.0
PROFILE_YAW = 75.0
POOR_SPREAD = 0.008
"""Of the face's size. Clear faces show 0.002 to 0.005, a beard to the eyes or a half-hidden face 0.01."""

QUICK = Image.Resampling.BILINEAR
"""Antialiased in Pillow, and the detectors see no difference to Lanczos."""
DETECTION_SIZE = 512
MIN_BOX_SCORE = 0.5
MIN_FACE_SCORE = 0.6
"""The box detectors' score on the face's own crop; cats stay below it."""
OVERLOOKED_BELOW = 0.2
"""A face narrower than this part of a tile suggests others that the detector overlooks at that scale."""
DEEPEST_LEVEL = 3
SMALLEST_TILE = 256

MESH_SIZE = 512
CROP_SIDE = 2.0
"""Of the face's size: the mesh is steadiest where the face fills half of the crop."""
FIRST_CROP_SIDES = (2.2, 1.6, 2.0, 2.5)
"""Of the detector's box; tried in turn until the mesh answers."""
CROP_SHIFTS = (
    (0.05, 0.03, 1.0), (-0.05, 0.04, 0.95), (0.02, -0.06, 1.05), (-0.02, -0.02, 1.1), (0.0, 0.0, 1.2),
    (0.04, 0.06, 1.08), (-0.04, 0.0, 1.16), (0.0, -0.04, 0.8), (0.06, -0.02, 1.24), (-0.06, -0.04, 1.04),
    (0.02, 0.02, 0.9), (-0.02, 0.06, 1.2),
)  # fmt: skip
"""Right and down in face sizes, and a factor on the crop's side; the first few suffice for a clear face."""
ENOUGH_CROPS = 4

EYES_AND_MOUTH = (33, 133, 362, 263, 61, 291, 13, 14)
MAX_OUTSIDE = 0.1


def find_faces(photograph: Photograph) -> list[DetectedFace]:
    """Find every face in a photograph, largest first, each with landmarks averaged over shifted crops."""
    return _search(visible_rgb(photograph)).faces


def choose_face(photograph: Photograph, index: int | None = None) -> tuple[DetectedFace, list[str]]:
    """Choose the largest usable face, or the index-th largest from 1, and say in sentences what is poor about it.

    Raises InputError with a `face.` code where no face can be used, UsageError for an index that is not there.
    """
    search = _search(visible_rgb(photograph))
    if not search.faces:
        raise _no_face(search.unresolved)
    if index is not None:
        return _choose_by_index(photograph, search.faces, index)
    refusals = [_refusal(photograph, face) for face in search.faces]
    usable = [number for number, refusal in enumerate(refusals) if refusal is None]
    if not usable:
        raise refusals[0]
    face = search.faces[usable[0]]
    return face, _choice_warning(len(search.faces), usable[0]) + _quality_warnings(photograph, face)


def _choose_by_index(photograph: Photograph, faces: list[DetectedFace], index: int) -> tuple[DetectedFace, list[str]]:
    if not 1 <= index <= len(faces):
        count = "only one face" if len(faces) == 1 else f"{len(faces)} faces"
        raise UsageError("face.index", f"There is no face {index}; the picture has {count}.", "Choose another --face.")
    face = faces[index - 1]
    refusal = _refusal(photograph, face)
    if refusal is not None:
        raise refusal
    return face, _quality_warnings(photograph, face)


def _no_face(unresolved: int) -> InputError:
    if unresolved:
        return InputError(
            "face.profile",
            "The only face in the picture is seen from the side or is too unclear for landmarks.",
            "Use a picture in which both eyes can be seen.",
        )
    return InputError(
        "face.none",
        "No face was found in the picture.",
        "Use a picture in which the face is upright, clear and at least 150 pixels wide.",
    )


def _refusal(photograph: Photograph, face: DetectedFace) -> InputError | None:
    """Say why a face cannot be used; None where it can."""
    if face.width < MIN_WIDTH:
        return InputError(
            "face.too_small",
            f"The face is only {face.width:.0f} pixels wide, and {MIN_WIDTH} are needed.",
            "Use a larger picture of it; 150 pixels or more make a good head.",
        )
    outside = _is_outside(photograph, face)
    if outside.mean() > MAX_OUTSIDE or outside[list(EYES_AND_MOUTH)].any():
        return InputError(
            "face.cut", "The face is cut off by the picture's edge.", "Use a picture that shows the whole face."
        )
    if abs(face.yaw) > PROFILE_YAW or (abs(face.yaw) > POOR_YAW and face.spread > 2 * POOR_SPREAD):
        return InputError(
            "face.profile",
            "The face is seen too far from the side.",
            "Use a picture in which both eyes can be seen.",
        )
    return None


def _choice_warning(count: int, number: int) -> list[str]:
    if count == 1:
        return []
    which = "the largest" if number == 0 else f"number {number + 1}, the largest that can be used,"
    return [f"Took {which} of {count} faces; --face N picks another."]


def _quality_warnings(photograph: Photograph, face: DetectedFace) -> list[str]:
    warnings = []
    if face.width < POOR_WIDTH:
        warnings.append(f"The face is only {face.width:.0f} pixels wide, so the head will be blurred.")
    if abs(face.yaw) > POOR_YAW:
        warnings.append(f"The face is turned by about {abs(face.yaw):.0f} degrees, so its far side is guessed.")
    if _roll_degrees(face) > POOR_ROLL:
        warnings.append("The face is not upright, so hair and shoulders may be cut out badly; turn the picture.")
    if _is_outside(photograph, face).any():
        warnings.append("The face touches the picture's edge, so a part of it is guessed.")
    if face.spread > POOR_SPREAD:
        warnings.append("A part of the face is covered or unclear, so its landmarks are uncertain.")
    return warnings


def _roll_degrees(face: DetectedFace) -> float:
    """Return by how much the line through the outer corners of the eyes departs from level, 0..180."""
    right, left = face.landmarks[33], face.landmarks[263]
    return abs(float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0]))))


def _is_outside(photograph: Photograph, face: DetectedFace) -> np.ndarray:
    height, width = photograph.rgb.shape[:2]
    return ((face.landmarks < 0) | (face.landmarks > [width, height])).any(1)


# Searching


@dataclass(frozen=True)
class _Search:
    faces: list[DetectedFace]
    unresolved: int
    """Boxes that are faces without doubt, but in which the mesh found none."""


def visible_rgb(photograph: Photograph) -> UInt8[np.ndarray, "H W 3"]:
    """Put a picture with alpha on grey: what lies under transparent pixels is nobody's face."""
    if photograph.alpha is None:
        return photograph.rgb
    alpha = photograph.alpha[..., None]
    return np.round(photograph.rgb * alpha + 128.0 * (1 - alpha)).astype(np.uint8)


def _search(rgb: UInt8[np.ndarray, "H W 3"]) -> _Search:
    """Look at the whole picture, then at smaller and smaller tiles while the faces found are small for theirs."""
    longest = max(rgb.shape[:2])
    boxes = np.zeros((0, 5))
    for level in range(DEEPEST_LEVEL + 1):
        tile = longest // 2**level
        if level and tile < SMALLEST_TILE:
            break
        boxes = np.concatenate([boxes, *(_boxes_in(rgb, square, level) for square in _tiles(rgb.shape, tile))])
        if len(boxes) and boxes[:, 2].max() > OVERLOOKED_BELOW * tile:
            break
    return _resolve(rgb, boxes[np.argsort(-boxes[:, 4], kind="stable")])


def _tiles(shape: tuple[int, ...], side: int) -> list[Square]:
    """Cover a picture with squares that overlap by half; one centred square where it is no larger."""

    def starts(length: int) -> np.ndarray:
        if length <= side:
            return np.array([(length - side) // 2])
        count = int(np.ceil(2 * (length - side) / side)) + 1
        return np.linspace(0, length - side, count).astype(int)

    return [(int(left), int(top), side) for top in starts(shape[0]) for left in starts(shape[1])]


def _boxes_in(rgb: UInt8[np.ndarray, "H W 3"], square: Square, level: int) -> Float[np.ndarray, "N 5"]:
    """Detect boxes in one square, in the picture's pixels; the short range sees only faces large in a picture."""
    left, top, side = square
    piece = resample_square(rgb, square, DETECTION_SIZE, filter=QUICK)
    found = [detect_boxes(piece, full_range=True)]
    if level == 0:
        found.append(detect_boxes(piece, full_range=False))
    boxes = np.concatenate(found)
    boxes = boxes[boxes[:, 4] >= MIN_BOX_SCORE]
    boxes[:, :4] *= side / DETECTION_SIZE
    boxes[:, :2] += (left, top)
    return boxes


def _resolve(rgb: UInt8[np.ndarray, "H W 3"], boxes: Float[np.ndarray, "N 5"]) -> _Search:
    """Turn boxes, best first, into faces, leaving out those that fall on a face already found."""
    faces: list[DetectedFace] = []
    failed: list[np.ndarray] = []
    for box in boxes:
        center, size = box[:2] + box[2:4] / 2, float(box[2])
        known = [(face.landmarks.mean(0), face.width) for face in faces] + [(other[:2], other[2]) for other in failed]
        if any(np.linalg.norm(center - c) < 0.5 * max(size, s) for c, s in known):
            continue
        face = _measure_face(rgb, center, size)
        if face is not None:
            faces.append(face)
        elif _face_score(rgb, center, size) >= MIN_FACE_SCORE:
            failed.append(np.array([*center, size]))
    return _Search(sorted(_distinct(faces), key=lambda face: -face.width), len(failed))


def _distinct(faces: list[DetectedFace]) -> list[DetectedFace]:
    kept: list[DetectedFace] = []
    for face in faces:
        center = face.landmarks.mean(0)
        if all(np.linalg.norm(center - other.landmarks.mean(0)) > 0.5 * max(face.width, other.width) for other in kept):
            kept.append(face)
    return kept


def _face_score(rgb: UInt8[np.ndarray, "H W 3"], center: np.ndarray, size: float) -> float:
    piece = resample_square(rgb, _square_around(center, 3.0 * size), DETECTION_SIZE, filter=QUICK)
    boxes = np.concatenate([detect_boxes(piece, full_range=full_range) for full_range in (True, False)])
    return float(boxes[:, 4].max(initial=0.0))


# Landmarks


def _measure_face(rgb: UInt8[np.ndarray, "H W 3"], center: np.ndarray, size: float) -> DetectedFace | None:
    """Place the mesh in a box, recentre on it, and average it over shifted crops; None unless most of them agree."""
    first = _first_mesh(rgb, center, size)
    if first is None:
        return None
    center, size = _center_and_size(first)
    if _face_score(rgb, center, size) < MIN_FACE_SCORE:
        return None
    meshes = _shifted_meshes(rgb, center, size)
    if len(meshes) < ENOUGH_CROPS:
        return None
    middle = np.median(meshes, axis=0)
    return DetectedFace(middle[:, :2], _yaw_degrees(middle), _spread(meshes, size))


def _first_mesh(rgb: UInt8[np.ndarray, "H W 3"], center: np.ndarray, size: float) -> Float[np.ndarray, "478 3"] | None:
    for side in FIRST_CROP_SIDES:
        mesh = _mesh_in(rgb, _square_around(center, side * size))
        if mesh is not None:
            return mesh
    return None


def _shifted_meshes(
    rgb: UInt8[np.ndarray, "H W 3"], center: np.ndarray, size: float
) -> list[Float[np.ndarray, "478 3"]]:
    """Detect the mesh in a few shifted crops, in all of them where the few disagree or come back empty."""
    meshes: list[np.ndarray] = []
    for count, (right, down, scale) in enumerate(CROP_SHIFTS):
        if count >= ENOUGH_CROPS and len(meshes) >= ENOUGH_CROPS and _spread(meshes, size) < POOR_SPREAD:
            break
        mesh = _mesh_in(rgb, _square_around(center + size * np.array([right, down]), CROP_SIDE * size * scale))
        if mesh is not None:
            meshes.append(mesh)
    return meshes


def _spread(meshes: list[Float[np.ndarray, "478 3"]], size: float) -> float:
    return float(np.std(meshes, axis=0)[:, :2].mean()) / size


def _mesh_in(rgb: UInt8[np.ndarray, "H W 3"], square: Square) -> Float[np.ndarray, "478 3"] | None:
    """Detect the mesh in one square; x and y in the picture's pixels."""
    left, top, side = square
    mesh = detect_mesh(resample_square(rgb, square, MESH_SIZE, filter=QUICK))
    if mesh is None:
        return None
    return mesh * (side / MESH_SIZE) + (left, top, 0)


def _center_and_size(mesh: Float[np.ndarray, "478 3"]) -> tuple[np.ndarray, float]:
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    return (low + high) / 2, float((high - low).max())


def _square_around(center: np.ndarray, side: float) -> Square:
    side = max(round(side), 8)
    return round(float(center[0]) - side / 2), round(float(center[1]) - side / 2), side


def _yaw_degrees(mesh: Float[np.ndarray, "478 3"]) -> float:
    """Estimate the turn about the vertical from the plane through both cheeks, forehead and chin."""
    across, up = mesh[454] - mesh[234], mesh[10] - mesh[152]
    normal = np.cross(across, up)
    return float(np.degrees(np.arctan2(normal[0], -normal[2])))
