"""Pose an avatar like its person in another picture: head, expression, and the body's own direction.

Analysis by synthesis: the avatar is drawn as fitted, the detector reads drawing and picture alike, and the fit follows
the difference of the two readings, so that what the detector misplaces on turned faces cancels. The body is turned
until the drawing looks like the picture below the chin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from likeness.avatar.animate import DrivenAvatar, Expression, neutral, render_avatar
from likeness.avatar.pictures import over, plain_background
from likeness.avatar.track import known_head
from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import Camera
from likeness.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from likeness.portrait.faces import find_faces
from likeness.portrait.types import Photograph
from likeness.tracking.known import find_known, follow_difference, known_points
from likeness.tracking.parameters import FitState

BLACK = plain_background((0, 0, 0))
ROUNDS = 4
NECK = 1
CHIN = 152
BELOW_CHIN = 0.04
"""Of the picture's side; the neck's skin just below the chin goes with the head."""
TURN_SHARE, TURN_DEVIATION = 0.5, np.array([0.1, 0.3, 0.1])
"""How much of a head's turn the body usually shares, and how far (pitch, yaw, roll; radians) it departs from that."""
NOISE, EVIDENCE = 20.0, 40.0
"""Of a pixel below the chin, 8-bit sRGB; all of them weigh as much as so many: clothes err together."""
SHARES = (0.0, 0.33, 0.66, 1.0)
STEPS = np.radians([8.0, 4.0])
AXES = (1, 2, 0)
"""Up, towards the camera, sideways: in the order in which bodies turn most."""


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
    """Fit pose, expression and body direction of an avatar to a picture of its person. Deterministic."""
    size, known = len(picture.rgb), known_points(known_head(driven.avatar))
    state = find_known(known, picture.landmarks, picture.center)
    best, least = state, np.inf
    for number in range(ROUNDS + 1):
        shown = _landmarks(draw_matched(driven, _matched(driven, state, size)))
        if shown is None:
            break
        error = float(np.linalg.norm(shown - picture.landmarks, axis=1).mean())
        if error < least:
            best, least = state, error
        if number < ROUNDS:
            state = follow_difference(known, state, picture.landmarks, shown)
    return _with_body(driven, picture, _matched(driven, best, size))


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


def _with_body(driven: DrivenAvatar, picture: Picture, matched: Matched) -> Matched:
    """Turn the body to where the drawing is most like the picture: a few shares of the head's turn, then downhill."""
    upright = driven.avatar.view.T_camera_head[:3, :3].astype(np.float64)
    turn = rotmat_to_rotvec(matched.camera.rotation @ upright.T)
    below = picture.valid.copy()
    below[: int(picture.landmarks[CHIN, 1] + BELOW_CHIN * len(below))] = False
    if not below.any():
        return turned_body(matched, driven, rotvec_to_rotmat(TURN_SHARE * turn) @ upright)

    def cost(body: Float[np.ndarray, "3"]) -> float:
        drawn = draw_matched(driven, turned_body(matched, driven, rotvec_to_rotmat(body) @ upright))
        away = np.mean((picture.rgb[below].astype(np.float64) - drawn[below]) ** 2) / NOISE**2
        return float(EVIDENCE * away + (((body - TURN_SHARE * turn) / TURN_DEVIATION) ** 2).sum())

    least, best = min(((cost(share * turn), share * turn) for share in SHARES), key=lambda pair: pair[0])
    for step in STEPS:
        for axis in AXES:
            for sign in (1, -1):
                tried = best + sign * step * np.eye(3)[axis]
                if (tried_cost := cost(tried)) < least:
                    least, best = tried_cost, tried
                    break
    return turned_body(matched, driven, rotvec_to_rotmat(best) @ upright)


def _landmarks(rgb: UInt8[np.ndarray, "S S 3"]) -> Float[np.ndarray, "478 2"] | None:
    """Return the landmarks of the face nearest to the middle."""
    middle = np.array([len(rgb), len(rgb)]) / 2
    faces = find_faces(Photograph(rgb, None, ""))
    face = min(faces, key=lambda face: float(np.linalg.norm(face.landmarks.mean(0) - middle)), default=None)
    return None if face is None else face.landmarks
