"""The Render button in a real window: F12, Ctrl-F12, Esc, undo, and engines that die."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from blenders import HERE, ROOT, Blender
from PIL import Image
from window import assert_looks_like, psnr, run_script

ENGINE = ROOT / ".venv"
LEAST = 30.0
"""Decibels; Blenders light, and engines refine, a little differently."""
WIDTH, HEIGHT, LENS, SENSOR, DISTANCE = 320, 240, 50.0, 36.0, 1.0
"""Of the picture and the camera, as `render_parts.scene` and render_window.py set them."""


@pytest.mark.parametrize("ways", ["animate", "play", "undo", "escape kill fail"])
def test_renders_end_and_leave_the_file_as_it_was(ways: str, blender: Blender, avatar: Path, tmp_path: Path) -> None:
    render(blender, avatar, tmp_path, ways)


def test_f12_shows_the_engines_picture(blender: Blender, avatar: Path, tmp_path: Path) -> None:
    render(blender, avatar, tmp_path, "still")
    wanted = truth(avatar, tmp_path)
    assert wanted[..., 3].mean() > 0.1
    for path in sorted(tmp_path.glob("alone_*.png")):
        rgba = np.asarray(Image.open(path).convert("RGBA"), float) / 255
        premultiplied = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=-1)
        found = psnr(premultiplied * 255, wanted * 255)
        print(f"{blender.name} {path.stem}: {found:.1f} dB")
        assert found > 45
    assert_looks_like(tmp_path / "eevee.png", "render_f12", decibels=LEAST)


def render(blender: Blender, avatar: Path, folder: Path, ways: str) -> None:
    script, copy = HERE / "render_window.py", shutil.copy(avatar, folder)  # where Blender may look
    seen = run_script(blender, script, folder, [copy, folder, *ways.split()], limit=400, engine=ENGINE)
    print(re.search("longest hold.*", seen.outcome.log)[0])


def truth(avatar: Path, folder: Path) -> np.ndarray:
    """Return the engine's own picture of the pose that Blender has written, (H, W, 4) premultiplied sRGB."""
    focal = WIDTH * LENS / SENSOR
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[2, 3] = DISTANCE
    np.savez(
        folder / "views.npz",
        still_vertices=np.load(folder / "vertices.npy"),
        still_K=[[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]],
        still_T=T,
        still_size=[WIDTH, HEIGHT],
        still_orthographic=False,
    )
    program = ROOT / "tests" / "addon" / "render_truth.py"
    words = [ENGINE / "bin" / "python", program, avatar, folder / "views.npz", folder / "pictures.npz"]
    subprocess.run(list(map(str, words)), check=True, timeout=180)
    return np.load(folder / "pictures.npz")["still"]
