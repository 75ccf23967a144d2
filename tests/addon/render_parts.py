"""Renders for tests: a small scene, the ordinary render operator, and what it wrote."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from math import pi
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from addon.conventions import srgb_to_linear
from addon.render import engine
from bpy.types import Object, Scene

import addon
from likeness.contract.messages import FrameRendered

if TYPE_CHECKING:  # Blender's own Python, in which windows are tested, has no pytest
    import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE_PYTHON = ROOT / ".venv" / "bin" / "python"
NO_ENGINE = f"the engine's environment is not there: `make setup-test` makes {ENGINE_PYTHON.parents[1]}"
WIDTH, HEIGHT = 120, 90
LENS, SENSOR, DISTANCE = 50.0, 36.0, 1.0
RED = (1.0, 0.0, 0.0, 1.0)


@contextmanager
def whole_addon() -> Iterator[None]:
    """Register the add-on; its engine, once started, is kept from file to file."""
    addon.register()
    try:
        yield
    finally:
        addon.unregister()


def paints_red(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have an engine that paints everything red, a metre away; return a list that grows with each frame."""
    frames: list[int] = []

    def draw(request: object, _known: object) -> FrameRendered:
        frames.append(bpy.context.scene.frame_current)
        rgba = np.full((request.height, request.width, 4), RED, np.float32)
        return FrameRendered(id=0, left=0, top=0, rgba=rgba, depth=np.ones(rgba.shape[:2], np.float32))

    monkeypatch.setattr(engine, "draw", draw)
    monkeypatch.setattr(engine, "wait_until_ready", lambda: None)
    return frames


def scene(folder: Path, engine: str = "CYCLES") -> Scene:
    """Empty the file and return its scene: a camera a metre before the origin, transparent film, PNG into a folder."""
    bpy.ops.wm.read_homefile(use_empty=True)
    made = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.sensor_width = LENS, SENSOR
    camera.location, camera.rotation_euler = (0, -DISTANCE, 0), (pi / 2, 0, 0)
    made.collection.objects.link(camera)
    made.camera = camera
    render = made.render
    render.engine = engine
    made.cycles.samples, made.cycles.use_denoising = 1, False
    render.resolution_x, render.resolution_y, render.film_transparent = WIDTH, HEIGHT, True
    render.filepath, render.dither_intensity = os.path.join(folder, "frame_"), 0
    made.view_settings.view_transform = "Standard"
    made.frame_start, made.frame_end = 1, 3
    return made


def still(path: Path) -> np.ndarray:
    """Render the current frame and return it as `read` does."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return read(path)


def read(path: Path) -> np.ndarray:
    """Return a picture, (H, W, 4) straight sRGB, the top row first."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def channels(path: Path) -> dict[str, np.ndarray]:
    """Return an OpenEXR file's channels, the top row first, by names as LAYER.CHANNEL."""
    target = path.with_suffix(".npz")
    subprocess.run([ENGINE_PYTHON, Path(__file__).with_name("exr_channels.py"), path, target], check=True, timeout=60)
    return dict(np.load(target))


def premultiplied(rgba: np.ndarray) -> np.ndarray:
    """Return a straight picture as it lies over black."""
    return np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=-1)


def linear(picture: np.ndarray) -> np.ndarray:
    """Turn a premultiplied sRGB picture linear."""
    alpha = picture[..., 3:]
    straight = np.divide(picture[..., :3], alpha, out=np.zeros_like(picture[..., :3]), where=alpha > 0)
    return np.concatenate([srgb_to_linear(straight) * alpha, alpha], axis=-1)


def psnr(picture: np.ndarray, wanted: np.ndarray) -> float:
    """Return how near two pictures are, decibel."""
    return -10 * np.log10(max(np.mean((picture - wanted) ** 2), 1e-12))


def cube(location: tuple[float, float, float], size: float) -> Object:
    """Add a glowing cube."""
    bpy.ops.mesh.primitive_cube_add(size=size, location=location, rotation=(0.3, 0.2, 0.5))
    made = bpy.context.object
    material = bpy.data.materials.new("Glow")
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Emission Color"].default_value = (0.1, 0.6, 0.2, 1)
    shader.inputs["Emission Strength"].default_value = 1
    made.data.materials.append(material)
    return made
