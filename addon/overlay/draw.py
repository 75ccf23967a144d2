"""Draw every avatar of a viewport: the draw handler's whole path, and the same without a viewport."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import bpy
import gpu
import numpy as np
from mathutils import Matrix

from likeness.contract.errors import LikenessError

from ..scene.find import avatars
from ..viewports import live_regions, redraw_sidebars
from . import state
from .bones import draw_bones
from .composite import Compositor
from .occluders import OccluderPainter
from .source import Posed, posed
from .splats import SplatPainter
from .targets import Target, Targets, occluder_target, splat_target
from .view import Occlusion, View, occlusion, plain_view, region_view

Array = Annotated
OCCLUDERS = "occluders"
BOTH_BIAS = 0.03
"""How much nearer than they are, in metres, splats are held against the depth of a mesh that is shown with them."""
BOTH_OPACITY = 0.5
"""Of splats that are shown together with their mesh, so that both can be seen."""


class _Overlay:
    """Everything on the graphics card; made at the first redraw that shows an avatar."""

    def __init__(self) -> None:
        self.painter = SplatPainter()
        self.occluders = OccluderPainter()
        self.compositor = Compositor()
        self.targets = Targets()
        self.files = state.current.files

    def target(self, region: int, name: Hashable, view: View, make: Callable[[tuple[int, int]], Target]) -> Target:
        """Return this region's target; when a new one is made, those of regions that are gone are freed."""

        def tidy_and_make(size: tuple[int, int]) -> Target:
            self.targets.keep_regions(live_regions())
            return make(size)

        return self.targets.get(region, name, (view.width, view.height), tidy_and_make)


_overlay: _Overlay | None = None
_listed: dict[int, tuple[int, list[tuple[str, str | None, int]]]] = {}


def draw_viewport() -> None:
    """Draw the avatars of the viewport that Blender is drawing; the POST_VIEW handler. Never raises."""
    if state.is_off(state.WHOLE_OVERLAY):
        return
    before = state.texts()
    try:
        with _kept_gpu_state():
            _draw_region(bpy.context)
        state.note_success(state.WHOLE_OVERLAY)
    except Exception as error:  # Blender would print it at every redraw, for ever
        state.note_failure(state.WHOLE_OVERLAY, "The overlay", error)
    if state.texts() != before:
        redraw_sidebars()


def draw_offscreen(
    mesh: bpy.types.Object, view_matrix: Matrix, window_matrix: Matrix, width: int, height: int
) -> Array[np.ndarray, "H W 4"]:
    """Return a picture of one avatar, premultiplied sRGB with alpha, float32, the top row first.

    Matrices as RegionView3D has them. Needs a graphics context: a window, or gpu.init() since Blender 5.2.
    Errors: InputError `overlay.mesh`, `overlay.splats`.
    """
    overlay = _ready_overlay()
    avatar = posed(mesh, bpy.context.evaluated_depsgraph_get())
    overlay.painter.forget(avatar.uid)  # in the background nobody tells that the points have changed
    target = splat_target((width, height))
    with _kept_gpu_state():
        overlay.painter.paint(avatar, plain_view(view_matrix, window_matrix, width, height), target)
    return _read_back(target.color)[::-1]


def release() -> None:
    """Free everything on the graphics card."""
    global _overlay
    _overlay = None
    _listed.clear()


def _draw_region(context: bpy.types.Context) -> None:
    space, region = context.space_data, context.region.as_pointer()
    depsgraph = context.view_layer.depsgraph  # evaluated by now; to ask for an evaluation while drawing may block
    if depsgraph is None:
        return
    view = region_view(context.region, context.region_data)
    meshes = _shown(context.scene, context.view_layer, space)
    shown = _read(meshes, depsgraph, view)
    if not shown and _overlay is None:
        return
    overlay = _ready_overlay()
    occluded_by = occlusion(space) if shown else Occlusion.NONE
    scene = None
    if occluded_by is Occlusion.OWN:
        scene = _scene_depth(overlay, region, view, depsgraph, space)
    for avatar in shown:
        _guarded(avatar.uid, avatar.name, partial(_draw_avatar, overlay, region, view, avatar, occluded_by, scene))
    names = {avatar.uid for avatar in shown} | ({OCCLUDERS} if scene is not None else set())
    overlay.targets.keep_of_region(region, names)
    draw_bones(meshes, space, depsgraph, (view.width, view.height))


def _draw_avatar(
    overlay: _Overlay, region: int, view: View, avatar: Posed, occluded_by: Occlusion, scene: Target | None
) -> None:
    """Draw the avatar's picture if it is not the one already there, and lay it over the viewport."""
    target = overlay.target(region, avatar.uid, view, splat_target)
    content = overlay.painter.content(avatar, view)
    if not target.holds(content, avatar.positions):
        target.content = None  # should painting fail half-way
        overlay.painter.paint(avatar, view, target)
        target.note(content, avatar.positions)
        state.current.drawn["splats"] += 1
    both = avatar.show == "BOTH"
    overlay.compositor.lay(
        target,
        view.window,
        opacity=avatar.opacity * (BOTH_OPACITY if both else 1.0),
        bias=BOTH_BIAS * avatar.matrix_world.median_scale if both else 0.0,
        depth_test=occluded_by is Occlusion.BLENDER,
        scene=scene,
    )
    state.current.drawn["composite"] += 1


def _scene_depth(
    overlay: _Overlay, region: int, view: View, depsgraph: bpy.types.Depsgraph, space: bpy.types.SpaceView3D
) -> Target:
    target = overlay.target(region, OCCLUDERS, view, occluder_target)
    content = overlay.occluders.content(view, space)
    if not target.holds(content, None):
        overlay.occluders.paint(depsgraph, space, view, target)
        target.note(content, None)
        state.current.drawn["occluders"] += 1
    return target


def _shown(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, space: bpy.types.SpaceView3D
) -> list[bpy.types.Object]:
    """Return the avatars whose splats this viewport shows."""
    if not space.show_object_viewport_mesh:
        return []
    return [
        mesh
        for mesh in _known_avatars(scene)
        if mesh.likeness.visible
        and mesh.likeness.show != "MESH"
        and mesh.likeness.opacity > 0.0
        and mesh.visible_get(view_layer=view_layer, viewport=space)  # visible_in_viewport_get misses local view
    ]


def _known_avatars(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the scene's avatars; all its objects are looked through only after something has changed."""
    changes, names = _listed.get(scene.session_uid, (-1, []))
    if changes == state.current.changes:
        found = [bpy.data.objects.get((name, library)) for name, library, _ in names]
        if all(mesh is not None and mesh.session_uid == uid for mesh, (_, _, uid) in zip(found, names, strict=True)):
            return found
    found = avatars(scene)
    names = [(mesh.name, mesh.library.filepath if mesh.library else None, mesh.session_uid) for mesh in found]
    _listed[scene.session_uid] = (state.current.changes, names)
    if _overlay is not None and _overlay.painter.loaded - {uid for _, _, uid in names}:
        _overlay.painter.keep({item.session_uid for item in bpy.data.objects})
    return found


def _read(meshes: list[bpy.types.Object], depsgraph: bpy.types.Depsgraph, view: View) -> list[Posed]:
    """Read the avatars that can be drawn, far ones first."""
    read: list[Posed] = []
    for mesh in meshes:
        _guarded(mesh.session_uid, mesh.name, lambda mesh=mesh: read.append(posed(mesh, depsgraph)), forgive=False)
    row = np.array(view.view, np.float64)[2]
    return sorted(read, key=lambda avatar: row @ np.array(avatar.matrix_world) @ [*avatar.positions.mean(axis=0), 1.0])


def _guarded(uid: int, name: str, action: Callable[[], None], *, forgive: bool = True) -> None:
    """Do something for one avatar; what goes wrong is kept for the panels, and the others go on."""
    if state.is_off(uid):
        return
    try:
        action()
    except LikenessError as error:
        state.current.problems[uid] = error
    except Exception as error:  # one avatar must not take the others with it
        state.note_failure(uid, name, error)
    else:
        if forgive:
            state.note_success(uid)


def _ready_overlay() -> _Overlay:
    """Return the overlay, without what it kept of objects that may be gone."""
    global _overlay
    if _overlay is None:
        _overlay = _Overlay()
    if _overlay.files != state.current.files:
        _overlay.files = state.current.files
        _overlay.painter.keep(set())
        _overlay.targets.keep_regions(set())
    return _overlay


@contextmanager
def _kept_gpu_state() -> Iterator[None]:
    """Give Blender its blending and depth test back."""
    blend, test, mask = gpu.state.blend_get(), gpu.state.depth_test_get(), gpu.state.depth_mask_get()
    try:
        yield
    finally:
        gpu.state.blend_set(blend)
        gpu.state.depth_test_set(test)
        gpu.state.depth_mask_set(mask)


def _read_back(texture: gpu.types.GPUTexture) -> Array[np.ndarray, "H W 4"]:
    buffer = texture.read()
    buffer.dimensions = texture.width * texture.height * 4  # Blender 4.3 gives NumPy wrong strides for more than one
    return np.array(buffer, np.float32).reshape(texture.height, texture.width, 4)
