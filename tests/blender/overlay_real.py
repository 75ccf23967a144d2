"""A real avatar with its rig, in bpy 5.2: overlay_real.py AVATAR.likeness VIEWS.npz OUT.npz (gpu.init()).

Draws the views with `jawOpen` as each says, then measures Python's time per redraw; OUT.npz holds both.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import gpu
import numpy as np
import overlay_scene
from mathutils import Matrix

REDRAWS = 40


def main(avatar: Path, views: Path, output: Path) -> None:
    """Build, draw, measure."""
    gpu.init()
    from addon.overlay.draw import draw_offscreen
    from addon.scene.build import add_avatar
    from addon.scene.prepare import prepare

    from likeness.contract.avatar_file import read_avatar

    bpy.ops.wm.read_factory_settings(use_empty=True)
    overlay_scene.register_properties()
    mesh = add_avatar(bpy.context, prepare(read_avatar(avatar)), "Head")
    given, results = dict(np.load(views)), {}
    for name in sorted(key.removesuffix("_pose") for key in given if key.endswith("_pose")):
        mesh.data.shape_keys.key_blocks["jawOpen"].value = float(given[f"{name}_jaw"])
        width, height = given[f"{name}_size"].tolist()
        view = overlay_scene.view_of(given[f"{name}_pose"])
        window = overlay_scene.window_of(given[f"{name}_K"], width, height)
        results[name] = draw_offscreen(mesh, view, window, width, height)
    np.savez(output, **results, **measure(mesh))
    print("likeness: the script came to its end", flush=True)


def measure(mesh: bpy.types.Object) -> dict[str, np.ndarray]:
    """Return milliseconds of Python in every redraw that moves the mesh, by step.

    The draw call draws nothing here: without a graphics card the processor would draw, in the same thread.
    """
    from addon.overlay import order, source
    from addon.overlay.splats import SplatPainter
    from addon.overlay.targets import splat_target
    from addon.overlay.view import plain_view

    painter, target = SplatPainter(), splat_target((256, 256))
    draw = painter._draw
    painter._draw = lambda images, uniforms, count: draw(images, uniforms, 0)
    view = plain_view(overlay_scene.view_of(_facing()), Matrix.Identity(4), 256, 256)
    times: dict[str, list[float]] = {"read": [], "order": [], "redraw": [], "unchanged": []}
    for redraw in range(REDRAWS):
        mesh.data.shape_keys.key_blocks["jawOpen"].value = redraw / REDRAWS
        depsgraph = bpy.context.evaluated_depsgraph_get()
        depsgraph.update()
        start = time.perf_counter()
        avatar = source.posed(mesh, depsgraph)
        read = time.perf_counter()
        content = painter.content(avatar, view)
        painter.paint(avatar, view, target)
        target.note(content, avatar.positions)
        times["redraw"].append(time.perf_counter() - start)
        times["read"].append(read - start)
        start = time.perf_counter()
        avatar = source.posed(mesh, depsgraph)
        unchanged = target.holds(painter.content(avatar, view), avatar.positions)
        times["unchanged"].append(time.perf_counter() - start)
        assert unchanged
        start = time.perf_counter()
        order.draw_order(painter._loaded[avatar.uid].packed, avatar.positions, np.array([0.1, 0.9, 0.2]))
        times["order"].append(time.perf_counter() - start)
    count = len(mesh.likeness.splats.data.vertices)
    return {f"ms_{name}": 1e3 * np.array(values[3:]) for name, values in times.items()} | {"count": np.array(count)}


def _facing() -> np.ndarray:
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 1.0
    return pose


try:
    main(*(Path(name) for name in sys.argv[1:4]))
except Exception:
    traceback.print_exc()
sys.stdout.flush()
os._exit(0)
