"""The ways into Create in a real window, with a quick engine: file browser, drops, failures, undo and another file
meanwhile; run inside Blender by test_create_window.py.

create_flows.py FOLDER: where its photographs are written.
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
from pathlib import Path

import bpy
import inside

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine"), str(REPOSITORY / "tests" / "addon")]
FOLDER = Path(inside.arguments()[0])
ENGINE = REPOSITORY / "tests" / "addon" / "making_engine.py"
FAILURES = {("die", "fit"): "The engine ended", ("newer",): "Update the add-on."}


def session() -> object:
    """Return the add-on's session, which can be imported only now."""
    return import_module("addon.session")


def use_engine(*arguments: str) -> None:
    """Take another behaviour of the engine."""
    python = sys.executable if "python" in Path(sys.executable).name else shutil.which("python3")
    os.environ["PYTHONPATH"] = str(REPOSITORY / "engine")
    os.environ["LIKENESS_ENGINE"] = shlex.join([python, str(ENGINE), *arguments])
    session().restart()


def view() -> object:
    """Return the context of the 3D view, as for a person whose pointer is over it."""
    window, area, region = inside.view3d()
    return bpy.context.temp_override(window=window, area=area, region=region)


def create(photo: str) -> None:
    """Press Create with this photograph."""
    with view():
        bpy.ops.likeness.create_avatar("INVOKE_DEFAULT", filepath=str(FOLDER / photo))


def drop(*names: str) -> None:
    """Let files fall on the 3D view."""
    with view():
        files = [{"name": name} for name in names]
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(FOLDER), files=files)


def press(key: str) -> None:
    """Press a key as a person does; the pointer is over the 3D view."""
    subprocess.run(["xdotool", "mousemove", "600", "500", "key", key], check=True, timeout=20)


def avatars() -> list[str]:
    """Return the avatars' names."""
    return sorted(item.name for item in bpy.data.objects if item.likeness.splats)


def idle() -> Iterator[float]:
    """Wait until nothing is going on."""
    begun, quiet = time.monotonic(), 0
    while quiet < 5 and time.monotonic() - begun < 30:
        quiet = 0 if session().work else quiet + 1
        yield 0.1
    assert quiet == 5, "the work does not end"


def browse(photo: str) -> Iterator[float]:
    """Choose a photograph in the file browser, which executes the operator."""
    with view():
        bpy.ops.likeness.create_avatar("INVOKE_DEFAULT", browsing=True)
    yield 1.5
    window = bpy.context.window_manager.windows[-1]
    area = next(area for area in window.screen.areas if area.type == "FILE_BROWSER")
    area.spaces.active.params.directory = str(FOLDER).encode()
    area.spaces.active.params.filename = photo
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.file.execute()
    yield 0.5


def choose() -> Iterator[float]:
    """Choose in the file browser: without an engine, which the panel tells, and with one, which goes on meanwhile."""
    os.environ["LIKENESS_ENGINE"] = "/nowhere/likeness serve"
    yield from browse("Ada.png")
    yield from idle()
    assert session().last_error.code == "engine.not_found" and avatars() == []
    use_engine("wait", "fit")
    yield from browse("Ada.png")
    assert session().work.stage
    session().work.cancel()
    yield from idle()
    use_engine("good")
    yield from browse("Ada.png")
    yield from idle()
    assert avatars() == ["Ada"], session().last_error


def fall() -> Iterator[float]:
    """Drop two photographs at once, of which Blender asks what to do with them, then an avatar's file."""
    drop("Grace.png", "Mary.png")
    yield 0.5
    press("c")  # the letter of Create Avatar in the menu
    yield 0.5
    yield from idle()
    assert avatars() == ["Ada", "Grace", "Mary"], session().last_error
    drop("Lise.likeness")
    yield from idle()
    assert avatars() == ["Ada", "Grace", "Lise", "Mary"]


def fail() -> Iterator[float]:
    """Let the engine die and be too new, and the photograph be gone."""
    before = avatars()
    for arguments, words in FAILURES.items():
        use_engine(*arguments)
        yield 0.5
        create("Ada.png")
        yield from idle()
        assert words in str(session().last_error), session().last_error
    use_engine("warn")
    create("gone.png")
    yield from idle()
    assert session().last_error.code == "photo.missing" and avatars() == before
    create("Ada.png")
    yield from idle()
    assert session().warnings and session().last_error is None


def undo() -> Iterator[float]:
    """Undo and redo with the keys: a new avatar is one step."""
    dump = import_module("scene_dump").dump
    use_engine("good")
    before = dump()
    create("Ada.png")
    yield from idle()
    after = dump()
    assert after != before
    press("ctrl+z")
    yield 1.0
    assert dump() == before
    press("ctrl+shift+z")
    yield 1.0
    assert dump() == after


def disturb() -> Iterator[float]:
    """Cancel, undo, and open another file while an avatar is on its way."""
    use_engine("wait", "fit")
    yield 1.0
    create("Ada.png")
    yield 0.5
    press("Escape")
    yield from idle()
    assert avatars() == ["Ada"] and session().last_error is None
    create("Ada.png")
    yield 0.5
    press("ctrl+z")
    yield 1.0
    assert session().work is not None and avatars() == []
    bpy.ops.wm.read_homefile(use_empty=True)
    yield from idle()
    assert avatars() == []


def steps() -> Iterator[float]:
    """Try one way after the other."""
    inside.view3d()[1].spaces.active.show_region_ui = True
    for way in (undo, disturb, choose, fall, fail):  # errors last: what pops up takes the keys
        yield from way()
    session().stop()


def prepare() -> None:
    """Register the add-on, and write photographs and an avatar's file."""
    from whole_avatars import small_avatar_bytes

    for name in ("Ada", "Grace", "Mary"):
        image = bpy.data.images.new(name, 32, 32)
        image.filepath_raw, image.file_format = str(FOLDER / f"{name}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    (FOLDER / "Lise.likeness").write_bytes(small_avatar_bytes())
    bpy.context.preferences.view.show_splash = False
    import_module("addon").register()


prepare()
inside.run(steps, first=2.0)
