"""The ways into Create in a real window, with a quick engine: file browser, drops, failures; run inside Blender.

    blender --python tests/blender/create_flows.py -- FOLDER PYTHON [PICTURES]

FOLDER gets report.json (and pictures); PYTHON is one that can import likeness.contract, for the engine.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine"), str(REPOSITORY / "tests" / "addon")]

import bpy  # noqa: E402
from whole_avatars import small_avatar_bytes  # noqa: E402

from addon import session  # noqa: E402

FOLDER, PYTHON = (Path(argument).absolute() for argument in sys.argv[sys.argv.index("--") + 1 :][:2])
TAKES_PICTURES = "PICTURES" in sys.argv
report: dict[str, object] = {"version": list(bpy.app.version)}


def use_engine(*arguments: str) -> None:
    """Take another behaviour of the engine."""
    script = REPOSITORY / "tests" / "addon" / "making_engine.py"
    os.environ["LIKENESS_ENGINE"] = shlex.join([str(PYTHON), str(script), *arguments])
    session.restart()


def picture(name: str) -> None:
    """Keep what the screen shows."""
    if TAKES_PICTURES:
        subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def view() -> object:
    """Return the context of the 3D view."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def avatars() -> list[str]:
    """Return the avatars' names."""
    return sorted(item.name for item in bpy.data.objects if item.likeness.splats)


def idle() -> Iterator[float]:
    """Wait until nothing is going on."""
    begun = time.monotonic()
    quiet = 0
    while quiet < 5 and time.monotonic() - begun < 30:
        quiet = 0 if session.work else quiet + 1
        yield 0.1


def steps() -> Iterator[float]:
    """Try one way after the other."""
    area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    yield 0.5
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Likeness"
    yield from browse()
    yield from drop()
    yield from fail()


def browse() -> Iterator[float]:
    """Choose in the file browser, which executes the operator."""
    with view():
        bpy.ops.likeness.create_avatar("INVOKE_DEFAULT", browsing=True)
    yield 1.5
    picture("a-browser")
    window = bpy.context.window_manager.windows[-1]
    area = next(area for area in window.screen.areas if area.type == "FILE_BROWSER")
    area.spaces.active.params.directory = str(FOLDER).encode()
    area.spaces.active.params.filename = "Ada.png"
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.file.execute()
    report["modal_after_browser"] = session.work is not None
    yield from idle()
    report["browsed"] = avatars()
    picture("b-first-framed")


def drop() -> Iterator[float]:
    """Drop two photographs at once, of which Blender asks what to do with them, then an avatar's file."""
    with view():
        names = [{"name": "Grace.png"}, {"name": "Mary.png"}]
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(FOLDER), files=names)
    yield 0.5
    picture("c-dropped")
    subprocess.run(["xdotool", "key", "c"], check=True)  # the letter of Create Avatar in the menu
    yield from idle()
    yield from idle()
    report["dropped"] = avatars()
    with view():
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(FOLDER), files=[{"name": "Lise.likeness"}])
    yield from idle()
    report["opened"] = avatars()
    picture("c-opened")


def fail() -> Iterator[float]:
    """Let the engine die, be missing, warn; then let the photo be gone."""
    for name, arguments in {"d-dead": ("die", "fit"), "e-newer": ("newer",), "f-warned": ("warn",)}.items():
        use_engine(*arguments)
        yield 0.5
        with view():
            bpy.ops.likeness.create_avatar("INVOKE_DEFAULT", filepath=str(FOLDER / "Ada.png"))
        yield from idle()
        report[name] = str(session.last_error or session.warnings)
        picture(name)
    del os.environ["LIKENESS_ENGINE"]
    session.dismiss()
    session.restart()
    yield 0.5
    picture("g-no-engine")
    use_engine("good")
    with view():
        bpy.ops.likeness.create_avatar("INVOKE_DEFAULT", filepath=str(FOLDER / "gone.png"))
    yield from idle()
    report["gone"] = str(session.last_error)
    picture("h-gone")


def advance(run: Iterator[float]) -> float | None:
    """Take the next step; at the end write the report and leave."""
    try:
        return next(run)
    except StopIteration:
        report["done"] = True
    except Exception:
        report["failure"] = traceback.format_exc()
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1))
    session.stop()
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Register the add-on and begin once the window is there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("Ada", "Grace", "Mary"):
        image = bpy.data.images.new(name, 32, 32)
        image.filepath_raw, image.file_format = str(FOLDER / f"{name}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    (FOLDER / "Lise.likeness").write_bytes(small_avatar_bytes())
    bpy.context.preferences.view.show_splash = False
    import_module("addon").register()
    use_engine("good")
    run = steps()
    bpy.app.timers.register(lambda: advance(run), first_interval=2.0, persistent=True)


main()
