"""Pose an avatar like its person in another picture: camera, head, expression, and the body's own direction.

Analysis by synthesis: the avatar is drawn as fitted, the detector reads drawing and picture alike, and the fit follows
the difference of the two readings, so that what the detector misplaces on turned faces cancels. Then head, body and
camera are laid on the picture by their colours (`match_picture`), and the face is read once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from likeness.avatar.animate import DrivenAvatar, Expression, neutral, render_avatar
from likeness.avatar.match_picture import Placed, face_hull, lay
from likeness.avatar.pictures import over, plain_background
from likeness.avatar.track import known_head
from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import Camera
from likeness.geometry.rotations import rotmat_to_rotvec
from likeness.head.model import NECK
from likeness.portrait.faces import find_faces
from likeness.portrait.types import Photograph
from likeness.tracking.known import (
    KnownPoints,
    find_known,
    follow_expression,
    follow_pose,
    known_points,
    misread,
    pose_terms,
)
from likeness.tracking.parameters import FitState

BLACK = plain_background((0, 0, 0))
POSE_ROUNDS, EXPRESSION_ROUNDS = 4, 3
MISREAD_SHARE = 0.5
"""Of a new reading in the running mean: readings of one drawing after the other jump by half a pixel."""


@dataclass(frozen=True)
class Picture:
    """A square picture of the person, cut out over black."""

    rgb: UInt8[np.ndarray, "S S 3"]
    valid: Bool[np.ndarray, "S S"]
    """Inside the photograph."""
    landmarks: Float[np.ndarray, "478 2"]
    """Detected on `rgb`."""
    center: Float[np.ndarray, "2"]
    """Principal point, pixels."""


@dataclass(frozen=True)
class Matched:
    """What draws the avatar like the picture."""

    camera: Camera
    """The body's: joints at rest look through it."""
    expression: Expression
    """The face's controls, and the neck that turns the head against the body."""


def match(driven: DrivenAvatar, picture: Picture) -> Matched:
    """Fit pose, expression, camera and body direction of an avatar to a picture of its person. Deterministic."""
    known, size = known_points(known_head(driven.avatar)), len(picture.rgb)
    upright = driven.avatar.view.T_camera_head[:3, :3].astype(np.float64)

    def matched(place: Placed, size: int = size) -> Matched:
        turned = turned_body(_matched(driven, place.head, len(picture.rgb)), driven, place.body_rotation(upright))
        return replace(turned, camera=turned.camera.resized(size, size))

    def read(place: Placed) -> Float[np.ndarray, "478 2"] | None:
        return _landmarks(draw_matched(driven, matched(place)))

    start = Placed(find_known(known, picture.landmarks, picture.center), np.zeros(3))
    place, targets = _follow(known, picture, read, start, follow_pose, POSE_ROUNDS)
    place = lay(
        place.head,
        place.head_turn(upright),
        lambda tried, size: draw_matched(driven, matched(tried, size)),
        picture.rgb,
        picture.valid & ~face_hull(picture.landmarks, size),
        pose_terms(known, place.head, targets),
    )
    place, _ = _follow(known, picture, read, place, follow_expression, EXPRESSION_ROUNDS)
    return matched(place)


def _follow(
    known: KnownPoints,
    picture: Picture,
    read: Callable[[Placed], Float[np.ndarray, "478 2"] | None],
    place: Placed,
    follow: Callable[[KnownPoints, FitState, Float[np.ndarray, "478 2"]], FitState],
    rounds: int,
) -> tuple[Placed, Float[np.ndarray, "478 2"]]:
    """Draw, read and follow the difference; return the place that reads most like the picture, and its targets."""
    best, wanted, least, mean = place, picture.landmarks, np.inf, None
    for number in range(rounds + 1):
        shown = read(place)
        if shown is None:
            break
        here = misread(known, place.head, shown)
        mean = here if mean is None else mean + MISREAD_SHARE * (here - mean)
        error = float(np.linalg.norm(shown - picture.landmarks, axis=1).mean())
        if error < least:
            best, wanted, least = place, picture.landmarks - here, error
        if number < rounds:
            place = replace(place, head=follow(known, place.head, picture.landmarks - mean))
    return best, wanted


def draw_matched(driven: DrivenAvatar, matched: Matched) -> UInt8[np.ndarray, "S S 3"]:
    """Draw the avatar over black."""
    return over(render_avatar(driven, matched.camera, matched.expression), BLACK)


def turned_body(matched: Matched, driven: DrivenAvatar, body: Float[np.ndarray, "3 3"]) -> Matched:
    """Turn the body to R_camera_body under a head that stays where it is; `matched` has the neck at rest."""
    neck = driven.avatar.rig.joints[NECK].astype(np.float64)
    T_camera_body, head = np.eye(4), matched.camera.rotation
    T_camera_body[:3, :3] = body
    T_camera_body[:3, 3] = matched.camera.transform(neck) - body @ neck
    pose = matched.expression.pose.copy()
    pose[NECK] = rotmat_to_rotvec(body.T @ head)
    camera = replace(matched.camera, T_camera_head=T_camera_body)
    return Matched(camera, matched.expression._replace(pose=pose))


def _matched(driven: DrivenAvatar, state: FitState, size: int) -> Matched:
    rest, names = neutral(driven.avatar), driven.avatar.rig.control_names
    controls = rest.controls.copy()
    controls[[names.index(name) for name in ARKIT_NAMES]] = state.controls
    return Matched(state.camera(size), rest._replace(controls=controls))


def _landmarks(rgb: UInt8[np.ndarray, "S S 3"]) -> Float[np.ndarray, "478 2"] | None:
    """Return the landmarks of the face nearest to the middle."""
    middle = np.array([len(rgb), len(rgb)]) / 2
    faces = find_faces(Photograph(rgb, None, ""))
    face = min(faces, key=lambda face: float(np.linalg.norm(face.landmarks.mean(0) - middle)), default=None)
    return None if face is None else face.landmarks
