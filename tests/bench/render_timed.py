"""Renders with and without an avatar in bpy, timed; `render_timed.py AVATAR.likeness OUT.npz`, LIKENESS_ENGINE set.

OUT.npz holds for each case CASE_bare and CASE_frame, the seconds of single frames from render_pre to render_post, and
CASE_handlers, CASE_engine and CASE_fill, the seconds of a frame that our handlers take, those in which they wait for
the engine and those in which they fill images; CASE_picture is a frame, float32 linear premultiplied.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "engine"), str(HERE.parent / "addon")]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from addon.render import engine, pictures, run  # noqa: E402
from addon.scene.find import armature_of, controls  # noqa: E402
from render_parts import cube, premultiplied, scene, still, whole_addon  # noqa: E402
from scene_parts import add  # noqa: E402

from likeness.contract.avatar_file import read_avatar  # noqa: E402

WIDTH, HEIGHT, FRAMES, REPEATS = 1920, 1080, 6, 3
DISTANCES = {"half": 1.2, "full": 0.6}
"""From the camera to the middle of the head, metres, by how much of the frame's height the head takes."""
spent: dict[str, float] = {}


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Add a block's seconds to those spent so."""
    start = time.perf_counter()
    yield
    spent[name] = spent.get(name, 0.0) + time.perf_counter() - start


def watched(owner: object, method: str, name: str) -> None:
    """Time a function or method from now on."""
    function: Callable = getattr(owner, method)

    def call(*arguments: object, **named: object) -> object:
        with timed(name):
            return function(*arguments, **named)

    setattr(owner, method, call)


def stage(avatar: Path, distance: float, *, film: bool) -> bpy.types.Object:
    """Make a scene of a few cubes and the avatar, whose expression and camera move; return its rig."""
    made = scene(Path(bpy.app.tempdir))
    made.render.resolution_x, made.render.resolution_y = WIDTH, HEIGHT
    made.render.film_transparent = film
    made.frame_end = FRAMES
    for place in ((0.25, -0.1, 0), (-0.3, 0.3, 0.1), (0, 1, 0.1)):
        cube(place, 0.12)
    mesh, camera = add(read_avatar(avatar)), made.camera
    jaw = next(key for key in controls(mesh) if key.name == "jawOpen")
    for frame, value in ((1, 0.0), (FRAMES, 0.3)):
        jaw.value, camera.location = value, (value * 0.05, -distance, 0)
        jaw.keyframe_insert("value", frame=frame)
        camera.keyframe_insert("location", frame=frame)
    return armature_of(mesh)


def animate() -> dict[str, list[float]]:
    """Render all frames; return the seconds of each but the first, in all and by what they were spent on."""
    rows: dict[str, list[float]] = {"frame": [], "handlers": [], "engine": [], "fill": []}
    begin = 0.0

    def before(*_: object) -> None:
        nonlocal begin
        spent.clear()
        begin = time.perf_counter()

    def after(*_: object) -> None:
        rows["frame"].append(time.perf_counter() - begin)
        for name in ("handlers", "engine", "fill"):
            rows[name].append(spent.get(name, 0.0))

    bpy.app.handlers.render_pre.insert(0, before)
    bpy.app.handlers.render_post.append(after)
    bpy.ops.render.render(animation=True)
    bpy.app.handlers.render_pre.remove(before)
    bpy.app.handlers.render_post.remove(after)
    return {name: values[1:] for name, values in rows.items()}


def measure(avatar: Path) -> dict[str, np.ndarray]:
    """Time every case; with and without the avatar by turns, for others may work on the same machine."""
    results: dict[str, list[float]] = {}
    for view, distance in DISTANCES.items():
        for film in (True, False):
            case = f"{view}_{'film' if film else 'world'}"
            rig = stage(avatar, distance, film=film)
            for _ in range(REPEATS):
                rig.hide_render = True
                results.setdefault(f"{case}_bare", []).extend(animate()["frame"])
                rig.hide_render = False
                for name, values in animate().items():
                    results.setdefault(f"{case}_{name}", []).extend(values)
    return {name: np.array(values) for name, values in results.items()}


def alone(avatar: Path) -> np.ndarray:
    """Return the avatar alone over film, its first frame, as 8 bits hold it."""
    stage(avatar, DISTANCES["half"], film=True)
    for each in [each for each in bpy.data.objects if each.name.startswith("Cube")]:
        each.hide_render = True
    bpy.context.scene.frame_set(1)
    return premultiplied(still(Path(bpy.app.tempdir) / "alone.png"))


def main(avatar: Path, output: Path) -> None:
    """Time everything and look at one picture."""
    watched(run.Run, "expect", "handlers")
    watched(run.Run, "draw", "handlers")
    watched(engine, "draw", "engine")
    for method in ("fill", "clear"):
        watched(pictures.Picture, method, "fill")
    with whole_addon():
        np.savez(output, alone=alone(avatar), **measure(avatar))


if __name__ == "__main__":
    atexit.register(os._exit, 0)  # bpy 4.5 can wait for itself for ever when its process ends after a render
    main(Path(sys.argv[1]), Path(sys.argv[2]))
