"""The engine's own pictures of an avatar; run by the engine's Python.

`python render_truth.py AVATAR.likeness VIEWS.npz PICTURES.npz`. For each NAME, VIEWS holds NAME_vertices (V, 3) in head
space, NAME_K, NAME_T (T_camera_head), NAME_size and NAME_orthographic; PICTURES holds NAME, premultiplied sRGB, and
NAME_depth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from likeness.binding.affine import pose_reference
from likeness.binding.relight import relight_reference
from likeness.contract.avatar_file import read_avatar
from likeness.contract.lighting import lit_colors
from likeness.geometry.cameras import Camera, Lens
from likeness.rendering.api import render


def main(avatar_path: Path, views_path: Path, pictures_path: Path) -> None:
    """Draw every view."""
    avatar, views = read_avatar(avatar_path), np.load(views_path)
    pictures = {}
    for name in sorted({key.rpartition("_")[0] for key in views.files}):
        vertices, K, T, size, ortho = (views[f"{name}_{key}"] for key in ("vertices", "K", "T", "size", "orthographic"))
        means, covars = pose_reference(avatar.gaussians, vertices.astype(np.float32), avatar.rig.faces)
        camera = Camera(K, T, int(size[0]), int(size[1]), Lens(bool(ortho), 0.1, 100.0))
        colors = relight_reference(lit_colors(avatar), vertices)
        picture = render(camera, means, covars, avatar.gaussians.opacities, colors.astype(np.float32))
        pictures[name] = np.concatenate([picture.rgb, picture.alpha[..., None]], axis=-1)
        pictures[f"{name}_depth"] = picture.depth
    np.savez(pictures_path, **pictures)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
