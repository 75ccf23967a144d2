"""Pictures on the graphics card that outlive a redraw: one per region and avatar, within a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

if TYPE_CHECKING:
    from gpu.types import GPUFrameBuffer, GPUTexture

Array = Annotated
MAX_BYTES = 1 << 29
"""Of all targets together; beyond it the one unused for longest goes, and is drawn again when it is needed."""


@dataclass
class Target:
    """A framebuffer and what was last drawn into it; `content` is None as long as that is nothing."""

    framebuffer: GPUFrameBuffer
    color: GPUTexture
    depth: GPUTexture
    size: tuple[int, int]
    bytes_per_pixel: int
    content: Hashable = None
    positions: Array[np.ndarray, "V 3"] | None = None

    def holds(self, content: Hashable, positions: Array[np.ndarray, "V 3"] | None) -> bool:
        """Whether this very picture was drawn last; vertices are compared number by number."""
        if self.content != content or (self.positions is None) != (positions is None):
            return False
        return positions is None or np.array_equal(self.positions, positions)

    def note(self, content: Hashable, positions: Array[np.ndarray, "V 3"] | None) -> None:
        """Remember what has just been drawn."""
        self.content, self.positions = content, positions


class Targets:
    """Targets by (region, what is drawn), the least recently used first."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[tuple[int, Hashable], Target] = OrderedDict()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._by_key)

    def get(
        self, region: int, name: Hashable, size: tuple[int, int], make: Callable[[tuple[int, int]], Target]
    ) -> Target:
        """Return the target of this size, made anew if it is not there."""
        key = (region, name)
        target = self._by_key.pop(key, None)
        if target is None or target.size != size:
            target = make(size)
            self._make_room(target)
        self._by_key[key] = target
        return target

    def keep_regions(self, regions: set[int]) -> None:
        """Free the targets of all other regions."""
        self._keep(lambda region, name: region in regions)

    def keep_of_region(self, region: int, names: set[Hashable]) -> None:
        """Free the region's targets of all other names."""
        self._keep(lambda other, name: other != region or name in names)

    def _keep(self, wanted: Callable[[int, Hashable], bool]) -> None:
        for key in [key for key in self._by_key if not wanted(*key)]:
            del self._by_key[key]

    def _make_room(self, newcomer: Target) -> None:
        room = MAX_BYTES - _bytes(newcomer)
        while self._by_key and sum(map(_bytes, self._by_key.values())) > room:
            self._by_key.popitem(last=False)


def splat_target(size: tuple[int, int]) -> Target:
    """Make a target for splats: premultiplied sRGB with alpha, and view depth times alpha."""
    import gpu

    color = gpu.types.GPUTexture(size, format="RGBA32F")
    depth = gpu.types.GPUTexture(size, format="R32F")
    return Target(gpu.types.GPUFrameBuffer(color_slots=[color, depth]), color, depth, size, bytes_per_pixel=20)


def occluder_target(size: tuple[int, int]) -> Target:
    """Make a target for the scene's window depth, kept in a colour: a depth texture cannot be read everywhere."""
    import gpu

    color = gpu.types.GPUTexture(size, format="R32F")
    depth = gpu.types.GPUTexture(size, format="DEPTH_COMPONENT32F")
    framebuffer = gpu.types.GPUFrameBuffer(depth_slot=depth, color_slots=[color])
    return Target(framebuffer, color, depth, size, bytes_per_pixel=8)


def _bytes(target: Target) -> int:
    return target.size[0] * target.size[1] * target.bytes_per_pixel
