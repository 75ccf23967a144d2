"""Draw one avatar's splats into a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import gpu
import numpy as np

from likeness.contract.errors import LikenessError
from likeness.contract.lighting import LitColors, light_on

from .layout import Packed, pack, padded_rows
from .order import draw_order
from .shaders import LIGHT_ROWS, splat_shader
from .source import Posed, read_gaussians, signature

if TYPE_CHECKING:
    from .targets import Target
    from .view import View

Array = Annotated


@dataclass(frozen=True)
class _Loaded:
    """Gaussians on the graphics card, and of which points they were made."""

    signature: tuple[object, ...]
    packed: Packed
    texels: gpu.types.GPUTexture
    lit: LitColors


@dataclass(frozen=True)
class _Refused:
    """Points that cannot be drawn; remembered, so that they are not read at every redraw."""

    signature: tuple[object, ...]
    reason: LikenessError


class SplatPainter:
    """The splats' program and the Gaussians of the avatars drawn so far."""

    def __init__(self) -> None:
        self._shader = splat_shader()
        self._vertices = gpu.types.GPUVertBuf(gpu.types.GPUVertFormat(), 4)  # the batch does not keep it alive
        self._corners = gpu.types.GPUBatch(type="TRI_STRIP", buf=self._vertices)
        self._loaded: dict[int, _Loaded | _Refused] = {}

    def forget(self, uid: int) -> None:
        """Read this avatar's points again the next time."""
        self._loaded.pop(uid, None)

    @property
    def loaded(self) -> set[int]:
        """The avatars whose Gaussians are on the graphics card, by session_uid."""
        return set(self._loaded)

    def keep(self, uids: set[int]) -> None:
        """Free the Gaussians of all other avatars."""
        for uid in self._loaded.keys() - uids:
            del self._loaded[uid]

    def content(self, avatar: Posed, view: View) -> tuple[object, ...]:
        """Return all that a picture of the avatar depends on besides its vertices."""
        return (view.key, _matrix_bytes(avatar), signature(avatar.splats), avatar.light, avatar.most)

    def paint(self, avatar: Posed, view: View, target: Target) -> None:
        """Draw the avatar into the target, from far to near. Errors: InputError `overlay.splats`."""
        loaded = self._load(avatar)
        to_view = np.array(view.view @ avatar.matrix_world, np.float32)
        order = draw_order(loaded.packed, avatar.positions, to_view[2, :3]).astype(np.float32)
        images = {
            "gaussians": loaded.texels,
            "positions": data_texture(_four_columns(avatar.positions)),
            "order": data_texture(order[:, None]),
        }
        uniforms = uniform_buffer(view.uniforms(avatar.matrix_world))
        lit = loaded.lit
        light = light_on(lit.harmonics, avatar.positions[lit.body], avatar.positions[lit.head])
        with target.framebuffer.bind():
            target.framebuffer.clear(color=(0.0, 0.0, 0.0, 0.0))
            self._draw(images, {"cam": uniforms, "light": _light_buffer(lit.still, light)}, len(order))

    def _draw(
        self, images: dict[str, gpu.types.GPUTexture], blocks: dict[str, gpu.types.GPUUniformBuf], count: int
    ) -> None:
        gpu.state.blend_set("ALPHA_PREMULT")
        gpu.state.depth_test_set("NONE")
        gpu.state.depth_mask_set(False)
        self._shader.bind()
        for name, block in blocks.items():
            self._shader.uniform_block(name, block)
        for name, image in images.items():
            self._shader.uniform_sampler(name, image)
        self._corners.draw_instanced(self._shader, instance_start=0, instance_count=count)

    def _load(self, avatar: Posed) -> _Loaded:
        wanted = (*signature(avatar.splats), avatar.light, avatar.most)
        loaded = self._loaded.get(avatar.uid)
        if loaded is None or loaded.signature != wanted:
            loaded = self._loaded[avatar.uid] = _read(avatar, wanted)
        if isinstance(loaded, _Refused):
            raise loaded.reason
        return loaded


def _read(avatar: Posed, wanted: tuple[object, ...]) -> _Loaded | _Refused:
    try:
        gaussians = read_gaussians(avatar.name, avatar.splats, len(avatar.positions), avatar.light)
    except LikenessError as reason:
        return _Refused(wanted, reason)
    packed = pack(gaussians, avatar.most)
    texels = data_texture(packed.texels.reshape(-1, 4))
    return _Loaded(wanted, packed, texels, gaussians.lit)


def data_texture(values: Array[np.ndarray, "M C"]) -> gpu.types.GPUTexture:
    """Upload numbers, one or four in a texel (the shaders' `texel` finds them by index)."""
    rows = padded_rows(values)
    buffer = gpu.types.Buffer("FLOAT", rows.size, rows.reshape(-1))
    form = {1: "R32F", 4: "RGBA32F"}[rows.shape[2]]
    return gpu.types.GPUTexture((rows.shape[1], rows.shape[0]), format=form, data=buffer)


def uniform_buffer(values: Array[np.ndarray, "M"]) -> gpu.types.GPUUniformBuf:
    """Upload float32 uniforms."""
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", len(values), values))


def _four_columns(positions: Array[np.ndarray, "V 3"]) -> Array[np.ndarray, "V 4"]:
    columns = np.zeros((len(positions), 4), np.float32)
    columns[:, :3] = positions
    return columns


def _light_buffer(still: Array[np.ndarray, "9 3"], light: Array[np.ndarray, "9 3"]) -> gpu.types.GPUUniformBuf:
    """Upload the shader's `SplatLight`."""
    rows = np.zeros((LIGHT_ROWS, 4), np.float32)
    rows[:, :3] = np.concatenate([still, light])
    return uniform_buffer(rows.ravel())


def _matrix_bytes(avatar: Posed) -> bytes:
    return np.array(avatar.matrix_world, np.float32).tobytes()
