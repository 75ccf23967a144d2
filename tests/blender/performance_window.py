"""Import Performance in a real window: the panel on a file, Import, the action; a preview that Esc takes back; a drop.

performance_window.py AVATAR FOLDER: the avatar, and where the performance is written.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from math import pi, sin
from pathlib import Path

import bpy
import inside

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine"), str(REPOSITORY / "tests" / "addon")]
AVATAR, FOLDER = map(Path, inside.arguments())
TAKE = FOLDER / "My Take.csv"
FRAMES = 90
bpy.context.preferences.view.show_splash = False


def write_take() -> None:
    """Write a Live Link Face file: the mouth opens, smiles, a blink, a nod."""
    names = import_module("likeness.contract.arkit").ARKIT_NAMES
    lines = [",".join(["Timecode", "BlendshapeCount", *(name[0].upper() + name[1:] for name in names), "HeadYaw",
                       "HeadPitch", "HeadRoll"])]  # fmt: skip
    for frame in range(FRAMES):
        wave = sin(pi * frame / FRAMES)
        values = {"jawOpen": 0.6 * wave, "mouthSmileLeft": 0.8 * wave, "mouthSmileRight": 0.8 * wave}
        values |= {"eyeBlinkLeft": float(40 <= frame < 46), "eyeBlinkRight": float(40 <= frame < 46)}
        row = [f"{values.get(name, 0.0):.6f}" for name in names]
        lines.append(
            ",".join([f"10:00:{frame // 60:02d}:{frame % 60:02d}.000", "61", *row, f"{0.4 * wave:.6f}", "0", "0"])
        )
    TAKE.write_text("\n".join(lines) + "\n")


def session() -> object:
    """Return the add-on's session, which can be imported only now."""
    return import_module("addon.session")


def view() -> object:
    """Return the context of the 3D view, as for a person whose pointer is over it."""
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


def press_import() -> None:
    """Press the panel's button."""
    with view():
        bpy.ops.likeness.import_performance("INVOKE_DEFAULT", True)


def until(done, what: str, seconds: float = 60.0) -> Iterator[float]:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, what
        yield 0.1


def is_idle() -> bool:
    """Tell whether nothing is under way."""
    return session().work is None


def keys() -> object:
    """Return the avatar's shape keys."""
    return bpy.data.objects["astronaut"].data.shape_keys


def expression() -> list[float]:
    """Return what all controls are now."""
    return [round(key.value, 6) for key in keys().key_blocks]


def use_stand_in(mode: str) -> None:
    """Take an engine that only plays a part."""
    python = sys.executable if "python" in Path(sys.executable).name else shutil.which("python3")
    os.environ["PYTHONPATH"] = str(REPOSITORY / "engine")
    engine = REPOSITORY / "tests" / "addon" / "performing_engine.py"
    os.environ["LIKENESS_ENGINE"] = shlex.join([python, str(engine), mode])
    session().restart()


def imported() -> Iterator[float]:
    """Choose the file, see what it holds, import it, undo and redo."""
    panel = bpy.context.window_manager.likeness_performance
    panel.filepath = str(TAKE)
    panel.neutral = "off"
    known = import_module("addon.performances")
    yield from until(lambda: known.look(str(TAKE)) is not None, "the file is not described")
    assert getattr(known.look(str(TAKE)), "frames", None) == FRAMES, known.look(str(TAKE))
    yield 0.5
    inside.picture("performance_described")
    bpy.context.scene.frame_set(5)
    press_import()
    yield from until(is_idle, "Import does not end")
    assert session().last_error is None, session().last_error
    assert keys().animation_data.action.name == "My Take"
    bpy.context.scene.frame_set(5 + round(45 / 60 * 24))
    assert abs(keys().key_blocks["jawOpen"].value - 0.6 * sin(pi * 45 / FRAMES)) < 0.02
    yield 1.0
    inside.picture("performance_imported")
    with view():
        bpy.ops.ed.undo()
    yield 0.3
    action = keys().animation_data.action
    assert action is None or action.name != "My Take", "undo left the action"
    with view():
        bpy.ops.ed.redo()
    yield 0.3
    assert keys().animation_data.action.name == "My Take", "redo did not bring it back"


def previewed() -> Iterator[float]:
    """See frames on their way, and Esc."""
    use_stand_in("wait")
    yield from until(lambda: session().status().state == "READY", "the stand-in does not come up")
    before = expression()
    press_import()
    yield from until(lambda: expression() != before, "no frame is shown")
    assert keys().key_blocks["jawOpen"].value == 0.5
    yield 0.5
    inside.picture("performance_preview")
    subprocess.run(["xdotool", "mousemove", "600", "500", "key", "Escape"], check=True, timeout=20)
    yield from until(is_idle, "Esc does not end it", 10)
    yield 0.5  # what follows the bones is evaluated with the next draw
    changed = [pair for pair in zip(before, expression(), strict=True) if pair[0] != pair[1]]
    assert not changed, f"the preview was not put back: {changed}"


def dropped() -> Iterator[float]:
    """Let the file fall on the view."""
    use_stand_in("good")
    bpy.context.scene.frame_set(100)
    with view():
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(FOLDER), files=[{"name": TAKE.name}])
    yield 0.3
    yield from until(is_idle, "what was dropped does not come in")
    assert session().last_error is None, session().last_error
    assert keys().animation_data.action.name == "My Take.001"


def show_the_panel_alone() -> None:
    """Open the panel and all in it, and leave out those above it, for the sake of the pictures."""
    panel = import_module("addon.panels.performance")
    panel.PerformancePanel.bl_options = set()
    folding = panel._folding
    panel._folding = lambda layout, name, label, closed=True: folding(layout, name, label, closed=False)
    for module, name in (("avatar", "LikenessPanel"), ("avatar", "AvatarPanel"), ("expression", "ExpressionPanel")):
        getattr(import_module(f"addon.panels.{module}"), name).poll = classmethod(lambda cls, context: False)


def steps() -> Iterator[float]:
    """Go through it as a person would."""
    write_take()
    show_the_panel_alone()
    import_module("addon").register()
    bpy.ops.likeness.open_avatar("EXEC_DEFAULT", True, filepath=str(AVATAR))
    _, area, _ = inside.view3d()
    area.spaces.active.show_region_ui = True
    with view():
        area.spaces.active.region_3d.view_rotation = import_module("addon.operators.maker").FRONT
        bpy.ops.view3d.view_selected()
    yield 1.0
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"
    yield 1.0
    yield from imported()
    yield from previewed()
    yield from dropped()


inside.run(steps)
