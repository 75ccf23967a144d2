"""In a window: the overlay through playback, undo, files, broken avatars and re-registration.

Run by test_overlay_window.py: blender --python overlay_lives.py -- ARRAYS.npz FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import numpy as np
import overlay_scene
from addon.overlay import draw, source, state
from mathutils import Euler
from overlay_window import Steps, Viewport, run

from addon import handlers

ARRAYS, FOLDER = (Path(name) for name in sys.argv[sys.argv.index("--") + 1 :][:2])
FRAMES = 100
PATIENCE = 300.0
"""Seconds until playback gives up: a busy machine draws the frames slowly."""


def steps(viewport: Viewport, report: dict[str, object]) -> Steps:
    """Go through an avatar's life."""
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
    overlay_scene.register_properties()
    handlers.register()
    look(viewport)
    yield 0.5
    report["empty"] = seen(viewport)
    mesh = overlay_scene.add_avatar(dict(np.load(ARRAYS)))
    yield from playback(viewport, report, mesh)
    yield from edits(viewport, report, mesh)
    yield from failures(viewport, report, mesh)
    yield from undo(viewport, report)
    yield from registration(viewport, report)
    yield from files(report)


def look(viewport: Viewport) -> None:
    """Look at the head, on plain grey."""
    viewport.space.overlay.show_overlays = False
    viewport.view.view_perspective = "PERSP"
    viewport.view.view_location, viewport.view.view_distance = (0.0, 0.05, 0.0), 0.8
    viewport.view.view_rotation = Euler((1.45, 0.0, 0.35)).to_quaternion()


def seen(viewport: Viewport) -> float:
    """Return the share of the viewport that is colourful: the background is grey."""
    return float((np.ptp(viewport.picture(), axis=-1) > 20).mean())


def settled(viewport: Viewport) -> Steps:
    """Draw again, then return what is seen."""
    viewport.area.tag_redraw()
    yield 0.6
    return seen(viewport)


def playback(viewport: Viewport, report: dict[str, object], mesh: bpy.types.Object) -> Steps:
    """Play a keyed take, noting the vertices that were drawn; afterwards compare them with each frame's own."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.sync_mode = 1, FRAMES, "NONE"
    key = mesh.data.shape_keys.key_blocks["Open"]
    for frame in range(1, FRAMES + 1):
        key.value = 0.5 + 0.5 * np.sin(0.7 * frame)
        key.keyframe_insert("value", frame=frame)
    drawn: list[tuple[int, np.ndarray]] = []
    read = source.posed

    def noting(item: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> source.Posed:
        avatar = read(item, depsgraph)
        drawn.append((bpy.context.scene.frame_current, avatar.positions))
        return avatar

    draw.posed = noting
    scene.frame_set(1)
    with viewport.override():
        bpy.ops.screen.animation_play()
    deadline = time.monotonic() + PATIENCE
    while len({frame for frame, _ in drawn}) < FRAMES and time.monotonic() < deadline:
        yield 0.1
    with viewport.override():
        bpy.ops.screen.animation_cancel(restore_frame=False)
    draw.posed = read
    report["frames_seen"] = len({frame for frame, _ in drawn})
    report["frames_drawn"] = len(drawn)
    report["frames_stale"] = sum(not np.array_equal(_positions_at(frame, mesh), known) for frame, known in drawn)
    moved = np.abs(_positions_at(3, mesh) - _positions_at(5, mesh)).max()
    report["frames_differ"] = float(moved)
    mesh.data.shape_keys.animation_data_clear()


def edits(viewport: Viewport, report: dict[str, object], mesh: bpy.types.Object) -> Steps:
    """A slider, the avatar's settings, and what each of them costs."""
    key = mesh.data.shape_keys.key_blocks["Open"]
    changes = {
        "slider": lambda: setattr(key, "value", 1.0 - key.value),
        "object": lambda: setattr(mesh, "location", (0.01, 0.0, 0.0)),
        "detail": lambda: setattr(mesh.likeness, "detail", "20K"),
        "opacity": lambda: setattr(mesh.likeness, "opacity", 0.3),
    }
    for name, change in changes.items():
        before = state.current.drawn["splats"]
        change()
        yield from settled(viewport)
        report[f"splats_drawn_after_{name}"] = state.current.drawn["splats"] - before
    mesh.likeness.detail, mesh.likeness.opacity = "FULL", 1.0
    report["detail_back"] = yield from settled(viewport)


def failures(viewport: Viewport, report: dict[str, object], mesh: bpy.types.Object) -> Steps:
    """A broken avatar beside a whole one; then the broken one is mended."""
    other = overlay_scene.add_avatar(dict(np.load(ARRAYS)), "Other")
    other.location = (0.3, 0.0, 0.0)
    report["two"] = yield from settled(viewport)
    attributes = other.likeness.splats.data.attributes

    def subdivide() -> None:
        other.modifiers.new("Subdivision", "SUBSURF")

    def damage() -> None:
        attributes.remove(attributes["local_mean"])
        other.likeness.splats.data.update_tag()

    for name, harm, mend in (("subdivided", subdivide, other.modifiers.clear), ("damaged", damage, None)):
        harm()
        report[f"{name}_seen"] = yield from settled(viewport)
        report[f"{name}_problem"] = state.problem(other)
        report[f"{name}_other_problem"] = state.problem(mesh)
        if mend is not None:
            mend()
            report[f"{name}_mended"] = yield from settled(viewport)
            report[f"{name}_mended_problem"] = state.problem(other)
    yield from _unforeseen(viewport, report, mesh)
    bpy.data.objects.remove(other.likeness.splats)
    report["without_splats"] = yield from settled(viewport)
    bpy.data.objects.remove(other)


def _unforeseen(viewport: Viewport, report: dict[str, object], mesh: bpy.types.Object) -> Steps:
    """An error nobody foresaw: said once, that avatar is off, until something changes."""
    paint, calls = draw.SplatPainter.paint, []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("made for the test")

    draw.SplatPainter.paint = fail
    mesh.location.x += 0.01
    for _ in range(3):
        yield from settled(viewport)
    report["unforeseen_calls"] = len(calls)
    report["unforeseen_problem"] = state.problem(mesh)
    draw.SplatPainter.paint = paint
    mesh.location.x -= 0.01
    report["unforeseen_mended"] = yield from settled(viewport)
    report["unforeseen_mended_problem"] = state.problem(mesh)


def undo(viewport: Viewport, report: dict[str, object]) -> Steps:
    """Duplicate, delete, undo, redo, and another scene."""
    report["one"] = yield from settled(viewport)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.data.objects["Head"].select_set(True)
    operations = {
        "duplicated": lambda: bpy.ops.object.duplicate_move(TRANSFORM_OT_translate={"value": (0.3, 0.0, 0.0)}),
        "deleted_copy": bpy.ops.object.delete,
        "copy_is_back": bpy.ops.ed.undo,
        "copy_is_gone_again": bpy.ops.ed.redo,
        "undone_both": lambda: (bpy.ops.ed.undo(), bpy.ops.ed.undo()),
    }
    bpy.ops.ed.undo_push(message="Before")
    for name, operation in operations.items():
        with viewport.override():
            operation()
            if name in {"duplicated", "deleted_copy"}:
                bpy.ops.ed.undo_push(message=name)
        report[name] = yield from settled(viewport)
        report[f"{name}_problems"] = [state.problem(item) for item in bpy.context.scene.objects if item.likeness.splats]
    with viewport.override():
        bpy.ops.scene.new(type="NEW")
    report["other_scene"] = yield from settled(viewport)
    viewport.window.scene = bpy.data.scenes[0]
    report["first_scene"] = yield from settled(viewport)


def registration(viewport: Viewport, report: dict[str, object]) -> Steps:
    """Unregister and register again while an avatar is shown."""
    handlers.unregister()
    report["unregistered"] = yield from settled(viewport)
    report["handlers_left"] = sum(
        len([found for found in getattr(bpy.app.handlers, name) if found is handler])
        for name, handler in handlers.HANDLERS
    )
    handlers.register()
    report["registered_again"] = yield from settled(viewport)


def files(report: dict[str, object]) -> Steps:
    """Save, start anew, open again."""
    path = str(FOLDER / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    actions = {
        "new_file": lambda: bpy.ops.wm.read_homefile(app_template="", use_empty=True),
        "reopened": lambda: bpy.ops.wm.open_mainfile(filepath=path),
        "reverted": bpy.ops.wm.revert_mainfile,
    }
    for name, action in actions.items():
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            action()
        yield 1.0
        report[name] = yield from settled(Viewport())
        report[f"{name}_problems"] = [state.problem(item) for item in bpy.context.scene.objects if item.likeness.splats]


def _positions_at(frame: int, mesh: bpy.types.Object) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = np.empty((len(evaluated.vertices), 3), np.float32)
    evaluated.vertices.foreach_get("co", positions.reshape(-1))
    return positions


run(steps, FOLDER / "report.json")
