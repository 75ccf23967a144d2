"""What the overlay must show, from the engine's own rasterizer; runs beside Blender, not in it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from factories import make_avatar
from likeness.binding.affine import pose_reference
from likeness.binding.relight import relight_reference
from likeness.contract.avatar import Avatar, BoundGaussians
from likeness.contract.lighting import LitColors, lit_colors
from likeness.rendering.api import rasterize

TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64)
LIGHT = ("still", "harmonics", "body", "head")
SHOWN_ALPHA = 1 / 255


def head_arrays(gaussians: int) -> dict[str, np.ndarray]:
    """Return a made-up avatar as overlay_scene.add_avatar wants it."""
    return arrays_of(make_avatar(gaussians=gaussians))


def arrays_of(avatar: Avatar) -> dict[str, np.ndarray]:
    """Return what overlay_scene.add_avatar wants, on the head's triangles that have an area.

    On the scaffold's few large ones many Gaussians lie in one plane, so that rounding decides their order.
    """
    rig, bound, lit = avatar.rig, avatar.gaussians, lit_colors(avatar)
    points = rig.v_neutral
    edges = points[rig.faces[:, 1:]] - points[rig.faces[:, :1]]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    kept = (area[bound.triangle] > 1e-9) & (bound.triangle < rig.head_triangles)
    return {
        "vertices": points,
        "faces": rig.faces[: rig.head_triangles],
        "triangle_corners": rig.faces[bound.triangle][kept],
        "local_mean": bound.local_mean[kept],
        "local_basis": bound.local_basis[kept],
        "opacity": bound.opacities[kept],
        "albedo": lit.albedo[kept],
        "facing": lit.facing[kept],
        **{name: getattr(lit, name) for name in LIGHT},
        "shape": 5 * rig.shapedirs[:, :, 0],
    }


def expected(
    arrays: dict[str, np.ndarray], matrix_world: np.ndarray, view: np.ndarray, window: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Return the engine's picture, premultiplied (H,W,4), for Blender's matrices of a perspective view."""
    count = len(arrays["opacity"])
    corners = arrays["triangle_corners"].astype(np.int32)
    bound = BoundGaussians(
        np.arange(count, dtype=np.int32), arrays["local_mean"], arrays["local_basis"], arrays["opacity"],
        arrays["albedo"], np.zeros(count, np.int32),
    )  # fmt: skip
    lit = LitColors(arrays["albedo"], arrays["facing"], *(arrays[name] for name in LIGHT))
    colors = relight_reference(lit, arrays["vertices"])
    means, covariances = pose_reference(bound, arrays["vertices"] @ TO_BLENDER.T, corners)
    linear = matrix_world[:3, :3]
    means, covariances = means @ linear.T + matrix_world[:3, 3], linear @ covariances @ linear.T
    camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ view
    drawn = rasterize(
        *(_tensor(values) for values in (means, covariances, arrays["opacity"], colors, camera)),
        _tensor(pinhole(window, size)), *size,
    )  # fmt: skip
    return torch.cat([drawn.rgb, drawn.alpha[..., None]], -1).numpy()


def pinhole(window: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return K of a window matrix, pixels, the origin at the top left."""
    width, height = size
    return np.array(
        [
            [window[0, 0] * width / 2, 0, (1 - window[0, 2]) * width / 2],
            [0, window[1, 1] * height / 2, (1 + window[1, 2]) * height / 2],
            [0, 0, 1],
        ]
    )


def over(picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Lay a premultiplied picture over a background as Blender lays its overlay: with a power of 2.2."""
    alpha = np.where(picture[..., 3:] >= SHOWN_ALPHA, picture[..., 3:], 0.0)
    color = picture[..., :3] / np.maximum(picture[..., 3:], SHOWN_ALPHA)
    return (alpha * np.clip(color, 0, 1) ** 2.2 + (1 - alpha) * background**2.2) ** (1 / 2.2)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return decibels for values in 0..1."""
    return float(-10 * np.log10(max(((first - second) ** 2).mean(), 1e-20)))


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
