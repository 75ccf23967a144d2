"""Pictures for a client that poses its avatars itself: Gaussians are kept, vertices come with every frame."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from likeness.contract.errors import UsageError
from likeness.contract.messages import (
    MAX_FRAME_SIDE,
    FrameRendered,
    GaussiansKept,
    KeepGaussians,
    RenderFrame,
)
from likeness.contract.progress import Progress

if TYPE_CHECKING:
    from likeness.avatar.frames import Body
    from likeness.geometry.cameras import Camera

Array = Annotated
MAX_KEPT_BYTES = 1 << 31
"""Of all Gaussians that are kept; beyond it those unused for longest go, and the client is told to send them again."""

_kept: OrderedDict[str, KeepGaussians] = OrderedDict()


def keep(request: KeepGaussians, progress: Progress) -> GaussiansKept:
    """Keep Gaussians for later frames. Errors: UsageError `frame.gaussians` for arrays that do not fit together."""
    _check_gaussians(request)
    _kept.pop(request.key, None)
    _kept[request.key] = request
    while sum(map(_size, _kept.values())) > MAX_KEPT_BYTES and len(_kept) > 1:
        _kept.popitem(last=False)
    return GaussiansKept(request.id)


def render_frame(request: RenderFrame, progress: Progress) -> FrameRendered:
    """Draw one frame.

    Errors: UsageError `frame.unknown` for Gaussians that are not kept (any more), `frame.request` for numbers that do
    not fit together; InputError `gaussians.too_large`.
    """
    from likeness.avatar.frames import render_bodies_part

    _check_frame(request)
    part, left, top = render_bodies_part(_bodies(request), _camera(request))
    rgba = np.empty((*part.alpha.shape, 4), np.float32)
    rgba[..., :3], rgba[..., 3] = part.rgb, part.alpha
    return FrameRendered(request.id, left, top, rgba, part.depth)


def body(key: str, vertices: Array[np.ndarray, "V 3"], T_world_body: Array[np.ndarray, "4 4"]) -> Body:
    """Return the avatar whose Gaussians are kept under a key, posed. Errors: UsageError `frame.unknown`, `.request`."""
    from likeness.avatar.frames import Body
    from likeness.contract.avatar import BoundGaussians
    from likeness.contract.lighting import LitColors

    kept = _find(key, len(vertices))
    index = np.arange(len(kept.corners), dtype=np.int32)
    bound = BoundGaussians(index, kept.local_mean, kept.local_basis, kept.opacities, kept.albedo, np.zeros_like(index))
    colors = LitColors(kept.albedo, kept.facing, kept.still, kept.harmonics, kept.body, kept.head)
    return Body(bound, colors, kept.corners, vertices, T_world_body)


def parts(vertices: Array[np.ndarray, "V 3"], counts: Sequence[int]) -> list[Array[np.ndarray, "v 3"]]:
    """Return the vertices of each avatar, which lie one after the other."""
    return np.split(vertices, np.cumsum(counts)[:-1]) if counts else []


def _bodies(request: RenderFrame) -> list[Body]:
    vertices = parts(request.vertices, request.vertex_counts)
    return [body(*each) for each in zip(request.keys, vertices, request.T_world_body, strict=True)]


def _camera(request: RenderFrame) -> Camera:
    from likeness.geometry.cameras import Camera, Lens

    lens = Lens(request.orthographic, request.near, request.far)
    return Camera(request.K, request.T_camera_world, request.width, request.height, lens)


def _find(key: str, vertex_count: int) -> KeepGaussians:
    kept = _kept.get(key)
    if kept is None:
        raise UsageError("frame.unknown", "The engine does not have this avatar's splats.", "Send them again.")
    if len(kept.corners) and max(kept.corners.max(), kept.body.max(), kept.head.max()) >= vertex_count:
        raise UsageError("frame.request", "Splats lie on vertices that the mesh does not have.", "Send them again.")
    _kept.move_to_end(key)
    return kept


def _size(kept: KeepGaussians) -> int:
    return sum(value.nbytes for value in vars(kept).values() if isinstance(value, np.ndarray))


def _check_gaussians(request: KeepGaussians) -> None:
    count = len(request.opacities)
    shapes = {
        "corners": (count, 3),
        "local_mean": (count, 3),
        "local_basis": (count, 3, 3),
        "opacities": (count,),
        "albedo": (count, 3),
        "facing": (count, 3),
        "still": (9, 3),
        "harmonics": (9, 3),
        "body": (3,),
        "head": (3,),
    }
    for name, shape in shapes.items():
        array, dtype = getattr(request, name), np.int32 if name in ("corners", "body", "head") else np.float32
        if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
            raise UsageError("frame.gaussians", f"The splats' {name} are not as agreed.", "Create the avatar again.")
    if min(request.corners.min(initial=0), request.body.min(), request.head.min()) < 0:
        raise UsageError("frame.gaussians", "Splats lie on vertices before the first.", "Create the avatar again.")


def _check_frame(request: RenderFrame) -> None:
    bodies = len(request.keys)
    shapes = {
        "T_camera_world": (4, 4),
        "K": (3, 3),
        "vertices": (sum(request.vertex_counts), 3),
        "T_world_body": (bodies, 4, 4),
    }
    fits = all(getattr(request, name).shape == shape for name, shape in shapes.items())
    finite = all(np.isfinite(getattr(request, name)).all() for name in shapes)
    sized = all(0 < side <= MAX_FRAME_SIDE for side in (request.width, request.height))
    if not (fits and finite and len(request.vertex_counts) == bodies and min(request.vertex_counts, default=0) >= 0):
        raise UsageError(
            "frame.request", "The frame's arrays do not fit together.", "Use the same version on both sides."
        )
    if not (sized and request.near < request.far):
        remedy = f"Render at most {MAX_FRAME_SIDE} pixels a side, with the camera's clip start before its end."
        raise UsageError("frame.request", f"No picture has {request.width} x {request.height} pixels so.", remedy)
