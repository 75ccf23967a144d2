"""A portrait whose truth is known: Open Head itself, painted, shaded and photographed by the z-buffer."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.geometry.cameras import Camera, look_at_face
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.model import bake_rig, landmarks, load_open_head, rig_vertices
from likeness.lifting.lift import make_scene
from likeness.lifting.types import Scene
from likeness.portrait.types import Photograph, Portrait
from likeness.rendering.mesh import rasterize_mesh, shade
from likeness.tracking.types import HeadFit

SIZE = 256
PAINT = {
    "scalp": (0.15, 0.1, 0.08),
    "torso": (0.2, 0.3, 0.6),
    "lips": (0.7, 0.35, 0.33),
    "eye_left": (0.9, 0.9, 0.9),
    "eye_right": (0.9, 0.9, 0.9),
}
SKIN_COLOR = (0.8, 0.6, 0.5)


def paint(assets: HeadAssets) -> np.ndarray:
    colors = np.tile(SKIN_COLOR, (len(assets.v_template), 1))
    for name, color in PAINT.items():
        colors[np.unique(assets.faces[assets.face_region == REGION_NAMES.index(name)])] = color
    return colors


def photograph_head(assets: HeadAssets, camera: Camera, controls: np.ndarray) -> tuple[Portrait, HeadFit]:
    betas = np.zeros(assets.shapedirs.shape[-1], np.float32)
    offsets = np.zeros_like(assets.v_template)
    rig = bake_rig(assets, betas, offsets)
    vertices = rig_vertices(rig, controls, np.zeros((5, 3), np.float32))
    raster = rasterize_mesh(camera, vertices, assets.faces)
    rgb = shade(raster, vertices, assets.faces, paint(assets), background=(0.1, 0.8, 0.1))
    projected, _ = camera.project(landmarks(vertices, assets).astype(np.float64))
    portrait = Portrait(
        photograph=Photograph((rgb * 255).astype(np.uint8), None, "0" * 64),
        square=(0, 0, camera.width),
        rgb=rgb,
        valid=np.ones(raster.covered.shape, bool),
        alpha=raster.covered.astype(np.float32),
        foreground=rgb,
        landmarks=projected,
    )
    fit = HeadFit(camera, betas, controls, offsets, rig.v_neutral, vertices, 0.0)
    return portrait, fit


def scene_of(portrait: Portrait, fit: HeadFit, assets: HeadAssets) -> Scene:
    rig = bake_rig(assets, fit.betas, fit.offsets)
    return make_scene(portrait, assets, rig, fit.camera, fit.controls)


@pytest.fixture(scope="session")
def open_head() -> HeadAssets:
    return load_open_head()


@pytest.fixture(scope="session")
def scene(open_head: HeadAssets) -> Scene:
    camera = look_at_face(1.0, 1.25 * SIZE, SIZE, SIZE)
    portrait, fit = photograph_head(open_head, camera, np.zeros(len(open_head.expr_names), np.float32))
    return scene_of(portrait, fit, open_head)
