"""Lay a target over the viewport that is being drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gpu

from .shaders import composite_shader

if TYPE_CHECKING:
    from mathutils import Matrix

    from .targets import Target


class Compositor:
    """The full-screen program: sRGB to the overlay's power of 2.2, mean depth to window depth."""

    def __init__(self) -> None:
        self._shader = composite_shader()
        self._vertices = gpu.types.GPUVertBuf(gpu.types.GPUVertFormat(), 3)
        self._screen = gpu.types.GPUBatch(type="TRIS", buf=self._vertices)

    def lay(
        self, target: Target, window: Matrix, *, opacity: float, bias: float, depth_test: bool, scene: Target | None
    ) -> None:
        """Draw the target, `bias` view units nearer than it is; with a `scene` compared with that one's depth."""
        gpu.state.blend_set("ALPHA_PREMULT")
        gpu.state.depth_mask_set(False)
        gpu.state.depth_test_set("LESS_EQUAL" if depth_test else "NONE")
        shader = self._shader
        shader.bind()
        shader.uniform_float("proj", window)
        shader.uniform_float("settings", (opacity, bias, float(scene is not None), 0.0))
        shader.uniform_sampler("image", target.color)
        shader.uniform_sampler("depths", target.depth)
        shader.uniform_sampler("scene", target.depth if scene is None else scene.color)
        self._screen.draw(shader)
