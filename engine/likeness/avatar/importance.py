"""Which Gaussians count: how much of its pictures each of them makes up, from all sides and with the face moving."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage

from likeness.avatar.animate import DrivenAvatar, Expression, neutral, pose_avatar, prepare_avatar
from likeness.avatar.views import face_camera, orbit_camera
from likeness.contract.avatar import JOINT_NAMES, Avatar, Part
from likeness.contract.levels import MOST, along_curve, coverage_order, ordered, rest_means
from likeness.rendering.shares import shares

VIEWS = (
    (None, 1.0),
    ((0, 0), 0.5),
    ((35, 0), 0.5),
    ((-35, 0), 0.5),
    ((75, 0), 0.3),
    ((-75, 0), 0.3),
    ((0, 25), 0.3),
    ((150, 0), 0.1),
    ((-150, 0), 0.1),
)
"""Yaw and pitch (degrees; None is the photograph's camera) and weight of the views of a resting head."""
MOVING_VIEWS = (((0, 0), 0.5), ((30, -10), 0.3), ((-30, -10), 0.3))
"""The same for one with open mouth and shut eyes."""
JAW = 0.3
"""Radians."""
SIZE = 192
"""Side of those pictures, which show three face widths; pixels."""
LEAST = 0.02
"""Pixels that a Gaussian counts at least: what is hidden now may show in another expression."""
FACE_PARTS, FACE = (Part.SKIN, Part.EYE, Part.MOUTH, Part.LASH), 1.5
"""Parts the eye looks at, and how many times they count."""
EVENNESS = 0.6
"""Exponent of that number: 1 would take Gaussians by the area they cover, 0 as closely as they lie, which they do where
there is detail. Levels come nearest to the whole with 0.5 to 0.7."""
NEIGHBOURS = 8
"""On each side along the curve, with which a Gaussian's colour is compared."""
CONTRAST = 0.07
"""Departure from theirs, sRGB, that doubles a Gaussian's weight: edges, eyes and frames of glasses first."""


def by_importance(avatar: Avatar, device: str = "cpu") -> Avatar:
    """Return the avatar with its Gaussians in the order of levels of detail, and no more than MOST."""
    driven = prepare_avatar(avatar)
    pixels = np.maximum(contributions(driven, device), LEAST)
    pixels *= np.where(np.isin(avatar.gaussians.part, FACE_PARTS), FACE, 1.0)
    points = rest_means(avatar.rig, avatar.gaussians)
    detail = contrasts(points, avatar.gaussians.colors) / CONTRAST
    return ordered(avatar, coverage_order(points, pixels**EVENNESS * (1 + detail))[:MOST])


def contributions(driven: DrivenAvatar, device: str = "cpu") -> Float[np.ndarray, "N"]:
    """Return how many pixels each Gaussian makes up, weighted over the views."""
    avatar = driven.avatar
    rest = neutral(avatar)
    total = torch.zeros(len(avatar.gaussians.triangle), device=device)
    for face, views in ((rest, VIEWS), (_moving(avatar, rest), MOVING_VIEWS)):
        means, covars = (torch.from_numpy(array).to(device) for array in pose_avatar(driven, face)[:2])
        for direction, weight in views:
            camera = orbit_camera(avatar, *direction, SIZE, SIZE) if direction else face_camera(avatar, SIZE, SIZE)
            viewmat, K = (torch.tensor(m, dtype=torch.float32, device=device) for m in (camera.T_camera_head, camera.K))
            total += weight * shares(means, covars, driven.opacities.to(device), viewmat, K, SIZE, SIZE)
    return total.cpu().numpy().astype(np.float64)


def contrasts(points: Float[np.ndarray, "N 3"], colors: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    """Return how far each Gaussian's colour lies from its neighbours' mean."""
    along = along_curve(points)
    mean = ndimage.uniform_filter1d(colors[along].astype(np.float64), 2 * NEIGHBOURS + 1, axis=0, mode="nearest")
    departure = np.empty(len(along))
    departure[along] = np.abs(colors[along] - mean).mean(1)
    return departure


def _moving(avatar: Avatar, rest: Expression) -> Expression:
    """Return a face with open mouth and, where the head model has lids that shut by name, shut eyes."""
    shut = [name.startswith("eyeBlink") for name in avatar.rig.control_names]
    pose = rest.pose.copy()
    pose[JOINT_NAMES.index("jaw"), 0] = JAW
    return rest._replace(controls=np.where(shut, 1.0, rest.controls).astype(np.float32), pose=pose)
