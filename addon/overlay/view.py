"""A viewport as numbers: its matrices, its size, its clipping planes, and where its depth comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import bpy
import numpy as np
from mathutils import Matrix

from .shaders import CLIP_PLANES, VIEW_FLOATS

Array = Annotated
NO_PLANE = (0.0, 0.0, 0.0, 1.0)
"""A plane with every point on its inner side."""


class Occlusion(Enum):
    """What the splats are compared with."""

    BLENDER = "the depth that Blender has drawn"
    OWN = "a depth of our own: Blender draws none"
    NONE = "nothing: X-ray and wireframe show what is behind"


@dataclass(frozen=True)
class View:
    """Where a picture is taken from. Matrices as Blender's RegionView3D has them; the size in pixels."""

    view: Matrix
    window: Matrix
    width: int
    height: int
    planes: Array[np.ndarray, "4 4"]
    """Clipping planes in view space; a point p is inside where plane @ (p, 1) >= 0."""

    @property
    def key(self) -> bytes:
        """All of it, to compare with another redraw's."""
        return self.uniforms(Matrix.Identity(4)).tobytes()

    def uniforms(self, matrix_world: Matrix) -> Array[np.ndarray, "52"]:
        """Return the shaders' `SplatView` for an object: matrices by columns, float32."""
        values = np.zeros(VIEW_FLOATS, np.float32)
        values[:16] = np.array(self.view @ matrix_world, np.float32).T.ravel()
        values[16:32] = np.array(self.window, np.float32).T.ravel()
        values[32:34] = self.width, self.height
        values[36:] = self.planes.ravel()
        return values


def plain_view(view: Matrix, window: Matrix, width: int, height: int) -> View:
    """Return a view without clipping planes."""
    return View(Matrix(view), Matrix(window), width, height, np.tile(np.float32(NO_PLANE), (CLIP_PLANES, 1)))


def region_view(region: bpy.types.Region, region_data: bpy.types.RegionView3D) -> View:
    """Return the view of a 3D viewport's region."""
    view = plain_view(region_data.view_matrix, region_data.window_matrix, region.width, region.height)
    if region_data.use_clip_planes:
        world = np.array(region_data.clip_planes, np.float64)[:CLIP_PLANES]
        view.planes[:] = world @ np.linalg.inv(np.array(region_data.view_matrix, np.float64))
    return view


def occlusion(space: bpy.types.SpaceView3D) -> Occlusion:
    """Say what the splats are to be compared with in this viewport.

    With overlays off, Material Preview and Rendered leave a depth buffer that holds nothing of the scene. X-ray and
    Wireframe leave one in Blender 5.2 and none in 4.3; both mean that what is behind is to be seen.
    """
    shading = space.shading
    if shading.type == "WIREFRAME" or (shading.type == "SOLID" and shading.show_xray and shading.xray_alpha < 1.0):
        return Occlusion.NONE
    if shading.type in {"MATERIAL", "RENDERED"} and not space.overlay.show_overlays:
        return Occlusion.OWN
    return Occlusion.BLENDER
