"""What is measured on avatars, by the bench scripts and by the tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from likeness.avatar.animate import DrivenAvatar, Expression, portrait_expression, pose_avatar, render_avatar
from likeness.avatar.pictures import decode_png, over, plain_background, to_straight_uint8
from likeness.avatar.views import orbit_camera, portrait_camera
from likeness.contract.avatar import Avatar, Part
from likeness.geometry.cameras import Camera
from likeness.head.model import forward
from likeness.portrait.crop import resample_square, valid_square
from likeness.portrait.faces import find_faces
from likeness.portrait.types import DetectedFace, Photograph
from likeness.rendering.api import rasterize
from likeness.rendering.mesh import rasterize_mesh

SIZE = 512
SOLID = 0.9
GREY = plain_background((128, 128, 128))
EYE_CORNERS = (33, 263)
"""The outer ones: MediaPipe's interocular distance here."""
EDGE = 6
"""Pixels beside an outline that are not judged: a soft edge is no hole."""
SUNKEN = 0.015
"""Depth behind the skin from which a pixel shows what lies behind it, metres."""


@dataclass(frozen=True)
class Reproduction:
    """The photograph and the portrait render in the face square, SIZE x SIZE."""

    photo: UInt8[np.ndarray, "S S 3"]
    render: UInt8[np.ndarray, "S S 4"]
    """Straight alpha, as `likeness render` writes it."""
    valid: Bool[np.ndarray, "S S"]

    @property
    def psnr(self) -> float:
        """In dB, where the render is solid and inside the photograph."""
        judged = self.valid & (self.render[..., 3] > SOLID * 255)
        error = (self.render[..., :3].astype(np.float64) - self.photo)[judged] / 255
        return float(-10 * np.log10(np.mean(error**2)))

    @property
    def edges(self) -> UInt8[np.ndarray, "S T 3"]:
        """The render over black, over white, and the photograph, side by side."""
        straight, alpha = self.render[..., :3] / 255, self.render[..., 3:] / 255 * self.valid[..., None]
        black, white = (np.round(255 * (straight * alpha + (1 - alpha) * level)) for level in (0, 1))
        return np.concatenate([black, white, self.photo * self.valid[..., None]], 1).astype(np.uint8)


def reproduce(driven: DrivenAvatar) -> Reproduction:
    """Draw the portrait in its own camera at its own size, and cut the face square out of both."""
    avatar = driven.avatar
    photo = decode_png(avatar.portrait_png)
    render = to_straight_uint8(render_avatar(driven, portrait_camera(avatar), portrait_expression(avatar)))
    square = tuple(round(x) for x in avatar.view.face_square)
    return Reproduction(
        resample_square(photo, square, SIZE),
        resample_square(render, square, SIZE),
        valid_square(photo.shape[:2], square, SIZE),
    )


def landmark_error(driven: DrivenAvatar) -> float:
    """Mean distance of the 478 landmarks on the portrait render from those on the photograph, interocular distances.

    NaN where no face is found on the render.
    """
    avatar = driven.avatar
    render = render_avatar(driven, portrait_camera(avatar), portrait_expression(avatar))
    wanted = face_of_portrait(avatar, decode_png(avatar.portrait_png))
    got = face_of_portrait(avatar, over(render, GREY))
    if wanted is None or got is None:
        return float("nan")
    apart = np.linalg.norm(got.landmarks - wanted.landmarks, axis=1).mean()
    return float(apart / interocular(wanted.landmarks))


def interocular(landmarks: Float[np.ndarray, "478 2"]) -> float:
    """Distance between the outer corners of the eyes."""
    return float(np.linalg.norm(np.subtract(*landmarks[list(EYE_CORNERS)])))


def face_of_portrait(avatar: Avatar, picture: UInt8[np.ndarray, "H W 3"]) -> DetectedFace | None:
    """Return the face that MediaPipe finds nearest to the middle of the avatar's face square."""
    left, top, side = avatar.view.face_square
    middle = np.array([left + side / 2, top + side / 2])
    faces = detect(picture)
    return min(faces, key=lambda face: float(np.linalg.norm(face.landmarks.mean(0) - middle)), default=None)


def detect(picture: UInt8[np.ndarray, "H W 3"]) -> list[DetectedFace]:
    """Return the faces in a picture, largest first."""
    return find_faces(Photograph(picture, None, ""))


@dataclass(frozen=True)
class Look:
    """An avatar seen from one side."""

    found: bool
    """MediaPipe finds a face."""
    holes: float
    """See-through share of what lies inside the outline."""
    sunken: float
    """Share of the nearest skin through which something far behind it is seen."""


def look(driven: DrivenAvatar, expression: Expression, yaw: float, pitch: float) -> Look:
    """Judge one view of the avatar."""
    camera = orbit_camera(driven.avatar, yaw, pitch, SIZE, SIZE)
    rgba, depth = _draw(driven, camera, expression)
    return Look(
        found=bool(detect(over(rgba, GREY))),
        holes=hole_share(rgba[..., 3]),
        sunken=sunken_share(_skin_depth(driven, camera, expression), depth),
    )


def hole_share(alpha: Float[np.ndarray, "H W"]) -> float:
    """Return how much of the silhouette is see-through, its soft edge apart."""
    silhouette = ndimage.binary_fill_holes(ndimage.binary_closing(alpha > 0.5, iterations=EDGE))
    inner = ndimage.binary_erosion(silhouette, iterations=EDGE)
    return float((alpha[inner] < SOLID).mean()) if inner.any() else 1.0


def sunken_share(skin: Float[np.ndarray, "H W"], seen: Float[np.ndarray, "H W"]) -> float:
    """Return how much of the nearest skin (depth, infinite beside it) has its pixel's content far behind it."""
    inner = ndimage.binary_erosion(np.isfinite(skin), iterations=EDGE)
    return float((seen[inner] > skin[inner] + SUNKEN).mean()) if inner.any() else 0.0


def _draw(
    driven: DrivenAvatar, camera: Camera, expression: Expression
) -> tuple[Float[np.ndarray, "H W 4"], Float[np.ndarray, "H W"]]:
    means, covars, colors = (torch.from_numpy(array) for array in pose_avatar(driven, expression))
    viewmat, K = (torch.from_numpy(matrix.astype(np.float32)) for matrix in (camera.T_camera_head, camera.K))
    with torch.no_grad():
        drawn = rasterize(means, covars, driven.opacities, colors, viewmat, K, camera.width, camera.height)
    return torch.cat([drawn.rgb, drawn.alpha[..., None]], -1).numpy(), drawn.depth.numpy()


def _skin_depth(driven: DrivenAvatar, camera: Camera, expression: Expression) -> Float[np.ndarray, "H W"]:
    """Depth of the mesh where its nearest triangle is skin that moves with the head, infinite elsewhere."""
    rig = driven.avatar.rig
    vertices = forward(driven.head, expression.controls, expression.pose)
    raster = rasterize_mesh(camera, vertices, rig.faces[: rig.head_triangles])
    # What hangs on the root is the chest, and clothes rather than skin.
    skin = (rig.face_part == Part.SKIN) & (rig.lbs_weights[rig.faces].mean(1)[:, 0] < 0.5)
    is_skin = raster.covered & skin[raster.triangle]
    return np.where(is_skin, raster.depth, np.inf)
