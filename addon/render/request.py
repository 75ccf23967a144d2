"""What the engine is asked for a frame: the pixels, the camera, and the avatars as they stand."""

from __future__ import annotations

import numpy as np
from bpy.types import Depsgraph, Scene

from likeness.contract.codec import MAX_BLOCK_BYTES
from likeness.contract.errors import InputError
from likeness.contract.messages import MAX_FRAME_SIDE, RenderFrame

from ..conventions import blender_camera_to_opencv
from .avatars import Placed
from .camera import Region, bordered, pixel_matrix, whole_frame

LENSES = ("PERSP", "ORTHO")
MOST_PIXELS = MAX_BLOCK_BYTES // 20
"""Of a frame: the engine answers with five numbers of four bytes for each."""


def region_of(scene: Scene) -> Region:
    """Return which pixels the scene renders."""
    render = scene.render
    whole = whole_frame((render.resolution_x, render.resolution_y), render.resolution_percentage)
    if not render.use_border:
        return whole
    x, y = (render.border_min_x, render.border_max_x), (render.border_min_y, render.border_max_y)
    return bordered(whole, x, y, crops=render.use_crop_to_border)


def request_of(scene: Scene, depsgraph: Depsgraph, placed: list[Placed]) -> RenderFrame:
    """Return what the engine is asked. The world is the camera's own space in Blender units, where float32 is finest.

    Errors: InputError `render.lens`.
    """
    camera = scene.camera.evaluated_get(depsgraph)
    lens, render = camera.data, scene.render
    if lens.type not in LENSES:
        message = f"Avatars cannot be rendered through the lens of {scene.camera.name}."
        raise InputError("render.lens", message, "Make the camera perspective or orthographic.")
    width, height = whole_frame((render.resolution_x, render.resolution_y), render.resolution_percentage).full
    projection = camera.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    T_camera_world = blender_camera_to_opencv(np.array(camera.matrix_world.normalized(), np.float64))
    orthographic = lens.type == "ORTHO"
    return RenderFrame(
        id=0,
        width=width,
        height=height,
        T_camera_world=np.eye(4),
        K=pixel_matrix(np.array(projection), (width, height), orthographic=orthographic),
        orthographic=orthographic,
        near=lens.clip_start,
        far=lens.clip_end,
        keys=tuple(each.source.key for each in placed),
        vertex_counts=tuple(len(each.vertices) for each in placed),
        vertices=np.concatenate([each.vertices for each in placed]),
        T_world_body=np.stack([T_camera_world @ each.matrix_world for each in placed]),
    )


def check_size(region: Region) -> None:
    """Refuse what the engine cannot answer, before memory is taken. Errors: InputError `render.size`."""
    width, height = region.full
    if width * height > MOST_PIXELS or max(width, height) > MAX_FRAME_SIDE:
        message = f"A frame of {width} x {height} pixels is too large for avatars."
        remedy = f"Render at most {MOST_PIXELS / 1e6:.0f} million pixels, {MAX_FRAME_SIDE} a side."
        raise InputError("render.size", message, remedy)
