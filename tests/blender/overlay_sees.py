"""In a window: what the overlay shows, in every shading mode and kind of view. Run by test_overlay_window.py.

blender --python overlay_sees.py -- ARRAYS.npz FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import numpy as np
import overlay_scene
from addon.overlay import state
from mathutils import Euler
from overlay_window import Steps, Viewport, run

from addon import handlers

ARRAYS, FOLDER = (Path(name) for name in sys.argv[sys.argv.index("--") + 1 :][:2])
MODES = (
    ("solid", "SOLID", None),
    ("xray", "SOLID", None),
    ("wireframe", "WIREFRAME", None),
    ("material", "MATERIAL", None),
    ("eevee", "RENDERED", ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT")),
    ("cycles", "RENDERED", ("CYCLES",)),
)
GREEN = (0.1, 0.6, 0.2)
PATIENCE = 60.0


def steps(viewport: Viewport, report: dict[str, object]) -> Steps:
    """Go through everything there is to see."""
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
    overlay_scene.register_properties()
    handlers.register()
    look(viewport)
    yield from parity(viewport, report)
    yield from views(viewport, report)
    yield from visibility(viewport, report)
    yield from occlusion(viewport, report)
    report["problems"] = state.texts()


def look(viewport: Viewport) -> None:
    """Look at the head from its front left, without anything else in the picture."""
    bpy.context.scene.view_settings.view_transform = "Standard"
    viewport.space.overlay.show_overlays = False
    viewport.space.shading.background_type = "VIEWPORT"
    viewport.space.shading.background_color = (0.2, 0.2, 0.2)
    view = viewport.view
    view.view_perspective = "PERSP"
    view.view_location, view.view_distance = (0.0, 0.05, 0.0), 0.8
    view.view_rotation = Euler((1.45, 0.0, 0.35)).to_quaternion()


def parity(viewport: Viewport, report: dict[str, object]) -> Steps:
    """Keep what the window shows beside the matrices it was shown with, in three kinds of view."""
    yield 0.7
    empty = viewport.picture()  # with the viewport's rounded corners
    mesh = overlay_scene.add_avatar(dict(np.load(ARRAYS)))
    mesh.rotation_euler, mesh.scale, mesh.location = (0.1, 0.2, 0.3), (1.2, -1.0, 0.9), (0.02, 0.01, 0.03)
    kept = {"background": empty, "matrix_world": np.array(mesh.matrix_world)}
    for kind in ("persp", "ortho", "camera"):
        _use_view(viewport, kind)
        yield 1.0
        kept[f"{kind}_picture"] = viewport.picture(FOLDER / f"parity_{kind}.png")
        kept[f"{kind}_view"] = np.array(viewport.view.view_matrix)
        kept[f"{kind}_window"] = np.array(viewport.view.window_matrix)
        kept["matrix_world"] = np.array(mesh.matrix_world)
        before = dict(state.current.drawn)
        for _ in range(3):
            viewport.area.tag_redraw()
            yield 0.2
        report[f"redraws_unchanged_{kind}"] = {key: state.current.drawn[key] - before[key] for key in before}
    np.savez(FOLDER / "parity.npz", **kept)
    _use_view(viewport, "persp")
    _delete(mesh)


def _use_view(viewport: Viewport, kind: str) -> None:
    view = viewport.view
    if kind == "camera":
        data = bpy.data.cameras.new("Shifted")
        data.lens, data.shift_x, data.shift_y, data.show_passepartout = 60.0, 0.15, -0.1, False
        camera = bpy.data.objects.new("Shifted", data)
        camera.location, camera.rotation_euler = (0.1, -0.9, 0.1), (1.45, 0.0, 0.1)
        bpy.context.scene.collection.objects.link(camera)
        bpy.context.scene.camera = camera
        view.view_camera_zoom, view.view_camera_offset = 10.0, (0.05, 0.02)
    view.view_perspective = {"persp": "PERSP", "ortho": "ORTHO", "camera": "CAMERA"}[kind]


def views(viewport: Viewport, report: dict[str, object]) -> Steps:
    """Quad view, a clipping region, and two avatars one before the other."""
    mesh = _green()
    report["alone"] = yield from _share_of_green(viewport)
    with viewport.override():
        bpy.ops.view3d.clip_border(xmin=0, xmax=viewport.region.width // 2, ymin=0, ymax=viewport.region.height)
    report["clipped"] = yield from _share_of_green(viewport, "clipped")
    viewport.view.use_clip_planes = False
    other = _green(name="Other", color=(0.8, 0.1, 0.1))
    for depth, name in ((-0.4, "before"), (0.4, "behind")):
        other.location = (0.1 * depth, depth, 0.0)
        report[f"other_{name}"] = yield from _share_of_green(viewport, f"other_{name}")
    _delete(other)
    with viewport.override():
        bpy.ops.screen.region_quadview()
    drawn = state.current.drawn["splats"]
    yield 1.5
    report["quad_regions"] = state.current.drawn["splats"] - drawn
    with viewport.override():
        bpy.ops.screen.region_quadview()
    yield 0.5
    _delete(mesh)


def visibility(viewport: Viewport, report: dict[str, object]) -> Steps:
    """The eye icon, a hidden collection, local view, and the avatar's own switches."""
    mesh = _green()
    switches = {
        "hidden": lambda off: mesh.hide_set(off),
        "excluded": lambda off: setattr(bpy.context.view_layer.layer_collection.children["Heads"], "exclude", off),
        "switched_off": lambda off: setattr(mesh.likeness, "visible", not off),
        "as_mesh": lambda off: setattr(mesh.likeness, "show", "MESH" if off else "SPLATS"),
        "type_hidden": lambda off: setattr(viewport.space, "show_object_viewport_mesh", not off),
    }
    collection = bpy.data.collections.new("Heads")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(mesh)
    bpy.context.scene.collection.objects.unlink(mesh)
    for name, switch in switches.items():
        for off in (True, False):
            switch(off)
            report[f"{name}_{off}"] = yield from _share_of_green(viewport)
    bpy.ops.mesh.primitive_cube_add(size=0.01, location=(3, 0, 0))
    cube = bpy.context.object
    for member, name in ((cube, "local_view_without"), (mesh, "local_view_with")):
        bpy.ops.object.select_all(action="DESELECT")
        member.select_set(True)
        with viewport.override():
            bpy.ops.view3d.localview(frame_selected=False)
        report[name] = yield from _share_of_green(viewport)
        with viewport.override():
            bpy.ops.view3d.localview(frame_selected=False)
        yield 0.3
    _delete(cube)
    _delete(mesh)


def occlusion(viewport: Viewport, report: dict[str, object]) -> Steps:
    """A cube before the left half of the head and one behind the right half, in every mode, overlays on and off."""
    mesh = _green()
    mesh.visible_camera = False  # as the scene's display does: engines draw an object with bounds as a surface
    viewport.view.view_rotation = Euler((np.pi / 2, 0.0, 0.0)).to_quaternion()
    bpy.ops.mesh.primitive_cube_add(size=0.2, location=(-0.1, -0.15, 0.0))
    bpy.ops.mesh.primitive_cube_add(size=0.2, location=(0.1, 0.35, 0.0))
    bpy.ops.object.select_all(action="DESELECT")
    for name, kind, engines in MODES:
        for engine in engines or ():
            _try_engine(engine)
        viewport.space.shading.show_xray = name == "xray"
        viewport.space.shading.type = kind
        for overlays in (True, False):
            viewport.space.overlay.show_overlays = overlays
            yield from _settled(viewport, first=1.0 if kind in {"SOLID", "WIREFRAME"} else 4.0)
            picture = viewport.picture(FOLDER / f"occlusion_{name}_{'on' if overlays else 'off'}.png")
            height, width, _ = picture.shape
            row, offset = height // 2, height // 12
            report[f"occlusion_{name}_{overlays}"] = [
                bool(_is_green(picture[row, width // 2 + side * offset])) for side in (-1, 1)
            ]
    viewport.space.shading.type = "SOLID"
    _delete(mesh)


def _try_engine(engine: str) -> None:
    try:
        bpy.context.scene.render.engine = engine
    except TypeError:  # EEVEE's name differs between versions
        return


def _settled(viewport: Viewport, first: float) -> Steps:
    """Wait until the picture stays the same: EEVEE compiles its materials for a while."""
    yield first
    last, waited = viewport.picture(), 0.0
    while waited < PATIENCE:
        yield 1.5
        waited += 1.5
        picture = viewport.picture()
        if np.abs(picture.astype(int) - last).max() <= 3:
            return
        last = picture


def _green(name: str = "Green", color: tuple[float, float, float] = GREEN) -> bpy.types.Object:
    arrays = dict(np.load(ARRAYS))
    arrays["albedo"] = np.tile(np.float32(color), (len(arrays["albedo"]), 1))
    arrays["facing"] = np.zeros_like(arrays["albedo"])
    arrays["opacity"] = np.full(len(arrays["albedo"]), 0.95, np.float32)
    return overlay_scene.add_avatar(arrays, name)


def _share_of_green(viewport: Viewport, name: str = "") -> Steps:
    """Return the share of the viewport that is green."""
    viewport.area.tag_redraw()
    yield 0.8
    return float(_is_green(viewport.picture(FOLDER / f"{name}.png" if name else None)).mean())


def _is_green(pixels: np.ndarray) -> np.ndarray:
    return (np.abs(pixels.astype(float) / 255 - GREEN) < 0.06).all(axis=-1)


def _delete(item: bpy.types.Object) -> None:
    splats = item.likeness.splats
    bpy.data.objects.remove(item)
    if splats is not None:
        bpy.data.objects.remove(splats)


run(steps, FOLDER / "report.json")
