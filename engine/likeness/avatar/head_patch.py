"""Points of an avatar's head as bright as its photograph shows them, for tracking its person by them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float

from likeness.avatar.animate import draw_avatar, portrait_expression, pose_avatar, prepare_avatar
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar, Part
from likeness.geometry.cameras import Camera
from likeness.geometry.frames import vertex_normals
from likeness.tracking.photometric import BLURS, FACE_WIDTH, UNIT, HeadPatch

NECK, STIFF = 1, 0.95
"""What hangs on the neck joint and those above it by so much goes with the head."""
SOLID, COVERED = 0.3, 0.6
IN_FRONT = 0.008
"""Metres behind what is seen at which a Gaussian still belongs to it."""
SPACING = 3
"""Pixels of the compared pictures between points."""


def head_patch(avatar: Avatar) -> HeadPatch:
    """Take the points that the photograph shows, about one or two thousand."""
    view, gaussians = avatar.view, avatar.gaussians
    scale = UNIT / (view.K[0, 0] * FACE_WIDTH / view.T_camera_head[2, 3])
    K = np.diag([scale, scale, 1.0]) @ view.K
    camera = Camera(K, view.T_camera_head.astype(np.float64), int(view.width * scale), int(view.height * scale))
    driven, expression = prepare_avatar(avatar), portrait_expression(avatar)
    drawn, means = draw_avatar(driven, camera, expression), pose_avatar(driven, expression).means
    pixels, depth = camera.project(means.astype(np.float64))
    column, row = np.clip(pixels.astype(int), 0, [camera.width - 1, camera.height - 1]).T
    inside = ((pixels > 1) & (pixels < [camera.width - 2, camera.height - 2])).all(1)
    seen = inside & (drawn.alpha[row, column] > COVERED) & (depth < drawn.depth[row, column] + IN_FRONT)
    usable = np.flatnonzero(seen & _of_head(avatar) & (gaussians.opacities > SOLID))
    nearest = usable[np.argsort(depth[usable], kind="stable")]
    cells = np.stack([row, column], 1)[nearest] // SPACING
    chosen = nearest[np.unique(cells, axis=0, return_index=True)[1]]
    brightness = cv2.cvtColor(drawn.rgb, cv2.COLOR_RGB2GRAY)
    grey = np.stack([_sampled(brightness, drawn.alpha, blur, pixels[chosen]) for blur in BLURS])
    return _points(avatar, chosen, grey)


def _of_head(avatar: Avatar) -> Bool[np.ndarray, "N"]:
    rig, gaussians = avatar.rig, avatar.gaussians
    stiff = (rig.lbs_weights[:, NECK:].sum(1) > STIFF)[rig.faces].all(1)
    return stiff[gaussians.triangle] & np.isin(gaussians.part, (Part.SKIN, Part.HAIR))


def _points(avatar: Avatar, chosen: np.ndarray, grey: np.ndarray) -> HeadPatch:
    rig, gaussians = avatar.rig, avatar.gaussians
    corners = rig.faces[gaussians.triangle[chosen]]
    local = gaussians.local_mean[chosen].astype(np.float64)
    neutral = rig.v_neutral.astype(np.float64)
    a, b, c = (neutral[corners[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    along = across / np.sqrt(np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12))
    shares = np.stack([1 - local[:, 0] - local[:, 1], local[:, 0], local[:, 1]], 1)
    shapes = rig.shapedirs[:, :, [rig.control_names.index(name) for name in ARKIT_NAMES]]
    directions = np.einsum("nk,nkce->nce", shares, shapes[corners].astype(np.float64))
    normals = vertex_normals(neutral, rig.faces)[corners].mean(1)
    return HeadPatch(
        base=np.einsum("nk,nkc->nc", shares, neutral[corners]) + along * local[:, 2:],
        directions=np.ascontiguousarray(directions),
        normals=normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9),
        grey=grey,
    )


def _sampled(grey: np.ndarray, alpha: np.ndarray, blur: float, pixels: np.ndarray) -> Float[np.ndarray, "N"]:
    """Blur within what is covered alone, so that no background comes in."""
    premultiplied, cover = (cv2.GaussianBlur(each, (0, 0), blur) for each in (grey, alpha))
    places = (pixels - 0.5).astype(np.float32)
    straight = premultiplied / np.maximum(cover, 1e-3)
    return cv2.remap(straight, places[:, :1], places[:, 1:], cv2.INTER_LINEAR)[:, 0].astype(np.float64)
