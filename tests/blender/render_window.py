"""Renders by their keys in a real window, as a person starts them; run inside Blender by test_render_window.py.

render_window.py AVATAR.likeness FOLDER WAY...: each way is a function below, pictures go to the folder. LIKENESS_ENGINE
names the engine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import bpy
import inside
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine"), str(REPOSITORY / "tests" / "addon")]
AVATAR, FOLDER, *WAYS = inside.arguments()
FOLDER = Path(FOLDER)
VERSION_5 = bpy.app.version >= (5, 0, 0)
EEVEE = "BLENDER_EEVEE" if VERSION_5 else "BLENDER_EEVEE_NEXT"
WIDTH, HEIGHT = 320, 240
FRAMES = 4
F12 = 96
"""The key's code; by its name newer xdotools press it with Alt."""
CONTROL, VALUE = "jawOpen", 0.7
ended: list[str] = []
"""How the renders since the last `press_and_wait` have ended."""
done: list[int] = []
"""The frames that are done since then."""
gaps: list[float] = []
"""The longest time between two looks of a timer in each render, seconds."""


def still() -> Iterator[float]:
    """F12: the avatar alone on transparent film by both engines, and behind a cube before a world."""
    mesh = prepare()
    scene = bpy.context.scene
    mesh.data.shape_keys.key_blocks[CONTROL].value = VALUE
    write_pose(mesh)
    for engine in ("CYCLES", EEVEE):
        scene.render.engine = engine
        yield from press_and_wait("F12")
        save(f"alone_{engine.lower()}")
    import_module("render_parts").cube((0.08, -0.3, 0), 0.08)
    scene.render.film_transparent = False
    scene.world = bpy.data.worlds.new("Plain")
    yield from press_and_wait("F12")
    save("eevee")


def animate() -> Iterator[float]:
    """Ctrl-F12, with editors of images and nodes beside the view: each frame is the one that is rendered alone."""
    prepare_animation()
    show_editors()
    yield 1.0  # nodes have a size once they are drawn
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "scene.blend"))
    before = told()
    yield from press_and_wait("ctrl+F12")
    assert ended == ["render_complete"], ended
    assert_told(before)
    assert not bpy.data.is_dirty
    animation = read_frames()
    assert (np.abs(np.diff(animation, axis=0)).max(axis=(1, 2, 3)) > 0.1).all()
    for number, frame in enumerate(animation, 1):
        bpy.context.scene.frame_set(number)
        yield from press_and_wait("F12")
        save("single")
        assert np.array_equal(read("single.png"), frame), f"frame {number} differs when it is rendered alone"


def play() -> Iterator[float]:
    """Render while the timeline is played and viewports draw everything Blender can, with and without the lock."""
    prepare_animation()
    show_editors()
    yield 1.0  # nodes have a size once they are drawn
    scene = bpy.context.scene
    before = told()
    for shading, locks in (("SOLID", False), ("RENDERED", False), ("SOLID", True)):
        inside.view3d()[1].spaces.active.shading.type = shading
        scene.render.use_lock_interface = locks
        with view():
            bpy.ops.screen.animation_play()
        yield 0.5
        yield from press_and_wait("ctrl+F12")
        assert ended == ["render_complete"], ended
        with view():
            bpy.ops.screen.animation_cancel(restore_frame=True)
        yield 0.2
        assert_told(before)


def undo() -> Iterator[float]:
    """Undo and redo what was done before a render, while one runs, and render again."""
    prepare_animation()
    with view():
        bpy.ops.ed.undo_push(message="Prepared")
    before = told()
    with view():
        bpy.ops.mesh.primitive_cube_add(size=0.1, location=(0.2, 0, 0))
        bpy.ops.ed.undo_push(message="Cube")
    after = told()
    yield from press_and_wait("F12")
    assert_told(after)
    press("ctrl+z")
    yield 1.0
    assert_told(before)
    press("ctrl+shift+z")
    yield 1.0
    assert_told(after)
    bpy.context.scene.frame_end = 200
    yield from press_and_wait("ctrl+F12", meanwhile=lambda: (press("ctrl+z"), press("Escape")))
    assert ended == ["render_cancel"], ended
    yield 1.0
    if told() == after:  # newer Blenders undo nothing while they render
        press("ctrl+z")
        yield 1.0
    assert_told(before)
    yield from press_and_wait("F12")
    assert ended == ["render_complete"], ended
    assert_told(before)


def escape() -> Iterator[float]:
    """Esc ends an animation, and everything is as before."""
    prepare_animation()
    bpy.context.scene.frame_end = 200
    before = told()
    yield from press_and_wait("ctrl+F12", meanwhile=lambda: press("Escape"))
    assert ended == ["render_cancel"], ended
    assert len(list(FOLDER.glob("frame_*.png"))) < 100
    assert_told(before)
    yield from press_and_wait("F12")
    assert ended == ["render_complete"], ended


def kill() -> Iterator[float]:
    """An engine that is killed in the middle of an animation is started once more, and no frame is lost."""
    prepare_animation()
    yield from press_and_wait("ctrl+F12")
    wanted = read_frames()
    first = session().client()._line
    yield from press_and_wait("ctrl+F12", meanwhile=first.kill)
    assert ended == ["render_complete"], ended
    assert session().client()._line is not first
    assert np.array_equal(read_frames(), wanted)


def fail() -> Iterator[float]:
    """Without a working engine nothing is rendered, nothing is written, and the reason is told."""
    prepare_animation()
    os.environ["LIKENESS_ENGINE"] = "false"
    before = told()
    for keys in ("ctrl+F12", "F12"):
        session().restart()
        session().dismiss()
        yield from press_and_wait(keys)
        yield 1.0  # the message comes by a timer
        assert ended == ["render_cancel"], ended
        assert session().last_error is not None and session().last_error.code.startswith("engine.")
        assert not list(FOLDER.glob("frame_*")), list(FOLDER.glob("frame_*"))
        assert_told(before)
        for _ in range(2):
            press("Escape")  # our message, and Blender's own below it
            yield 0.5


def prepare() -> bpy.types.Object:
    """Open the avatar before the camera in an empty scene; return its mesh."""
    scene = import_module("render_parts").scene(FOLDER)
    with view():
        assert bpy.ops.likeness.open_avatar(filepath=AVATAR) == {"FINISHED"}
    mesh = next(item for item in bpy.data.objects if item.likeness.splats)
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.eevee.taa_render_samples = 4
    for path in FOLDER.glob("frame_*"):
        path.unlink()
    bpy.context.preferences.view.render_display_type = "NONE"
    return mesh


def prepare_animation() -> None:
    """Prepare a small scene with a compositor tree of the user's, keyed expression and camera."""
    mesh, scene = prepare(), bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH // 2, HEIGHT // 2
    scene.frame_end = FRAMES
    key = mesh.data.shape_keys.key_blocks[CONTROL]
    for frame, value in ((1, 0), (FRAMES, VALUE)):
        key.value, scene.camera.location.x = value, value * 0.1
        key.keyframe_insert("value", frame=frame)
        scene.camera.keyframe_insert("location", frame=frame)
    import_module("render_told").user_tree(scene, FOLDER / "own")
    scene.frame_set(1)


def show_editors() -> None:
    """Show the compositor's tree and an image beside the 3D view."""
    kinds = {"OUTLINER": "CompositorNodeTree", "PROPERTIES": "IMAGE_EDITOR"}
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type in kinds:
            area.ui_type = kinds[area.type]


def press_and_wait(keys: str, meanwhile: object = None) -> Iterator[float]:
    """Press the keys of a render and wait for its end; `meanwhile` is called after two frames."""
    ended.clear()
    done.clear()
    press(keys)
    begun = last = time.monotonic()
    longest = 0.0
    while not ended or bpy.app.is_job_running("RENDER"):
        yield 0.01
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        assert now - begun < 120, f"{keys}: the render does not end"
        if meanwhile is not None and len(done) >= 2:
            meanwhile()
            meanwhile = None
    gaps.append(longest)
    yield 0.3


def press(keys: str) -> None:
    """Press keys as a person does; the pointer is over the 3D view."""
    keys = keys.replace("F12", str(F12))
    subprocess.run(["xdotool", "mousemove", "600", "400", "key", keys], check=True, timeout=20)


def view() -> object:
    """Return the context of the 3D view."""
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


def session() -> object:
    """Return the add-on's session, which can be imported only now."""
    return import_module("addon.session")


def told() -> dict[str, object]:
    """Return all that a render may change."""
    return import_module("render_told").told(bpy.context.scene)


def assert_told(before: dict[str, object]) -> None:
    """Show that the file is as it was."""
    found = list(differences(before, told()))
    assert not found, found


def differences(before: object, after: object, where: str = "") -> Iterator[str]:
    """Tell where two trees of dicts, lists and tuples differ."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        for name in before:
            yield from differences(before[name], after[name], f"{where}/{name}")
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{where}/{index}")
    elif before != after:
        yield f"{where}: {before} became {after}"


def save(name: str) -> None:
    """Write what was rendered."""
    bpy.data.images["Render Result"].save_render(str(FOLDER / f"{name}.png"))


def read(name: str) -> np.ndarray:
    """Return a picture of the folder, (H, W, 4)."""
    return import_module("render_parts").read(FOLDER / name)


def read_frames() -> np.ndarray:
    """Return the animation, (F, H, W, 4)."""
    return np.stack([read(f"frame_{number:04}.png") for number in range(1, FRAMES + 1)])


def write_pose(mesh: bpy.types.Object) -> None:
    """Write the mesh's vertices in the engine's head space, for the engine's own picture."""
    conventions, parts = import_module("addon.conventions"), import_module("scene_parts")
    np.save(FOLDER / "vertices.npy", conventions.blender_to_head(parts.evaluated(mesh)))


def steps() -> Iterator[float]:
    """Go the ways that are asked for."""
    for name in WAYS:
        yield from globals()[name]()
    print(f"longest hold of the main thread: {max(gaps):.2f} s")
    session().stop()


bpy.context.preferences.view.show_splash = False
import_module("addon").register()


@bpy.app.handlers.persistent
def _done(scene: bpy.types.Scene, *_: object) -> None:
    done.append(scene.frame_current)


def _note(name: str) -> None:
    getattr(bpy.app.handlers, name).append(bpy.app.handlers.persistent(lambda *_: ended.append(name)))


bpy.app.handlers.render_post.append(_done)
for each in ("render_complete", "render_cancel"):
    _note(each)
inside.run(steps, first=2.0)
