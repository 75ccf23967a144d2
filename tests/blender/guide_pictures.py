"""Takes the pictures of docs/guide.md anew, from the extension's zip in a real window: guide_pictures.py [CHAPTER...].

The chapters are head, render and performance; without a name all are taken.

The photograph is scikit-image's astronaut, which NASA gave to the public domain; the engine is the one in .venv.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import skimage.data
from blenders import HERE, ROOT, Blender, blenders
from guide_take import write_take
from PIL import Image
from window import Seen, run_script

IMAGES = ROOT / "docs" / "images"
PREFIX = "guide_"
CHAPTERS = ("head", "render", "performance")
SHOWN = (1, 12, 20, 26, 36, 48)
"""Frames of the animation that stand in the guide."""
ALIVE = (400, 400)


def main() -> int:
    """Install the zip, walk through the guide, keep the pictures; return the exit code."""
    found, chapters = blenders(), sys.argv[1:] or CHAPTERS
    if not set(chapters) <= set(CHAPTERS):
        print(f"The chapters are {', '.join(CHAPTERS)}.", file=sys.stderr)
        return 2
    if not found:
        print("No Blender here: `make blenders`, or LIKENESS_BLENDER=/path/to/blender.", file=sys.stderr)
        return 1
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        photo = folder / "astronaut.png"
        Image.fromarray(skimage.data.astronaut()).save(photo)
        blender = _install(found[0], folder / "settings")
        if "head" in chapters:
            _keep(run_script(blender, HERE / "guide_window.py", folder, [photo], limit=400, engine=ROOT / ".venv"))
        if "render" in chapters:
            _take_renders(blender, photo, folder / "render")
        if "performance" in chapters:
            _take_performance(blender, photo, folder / "me")
    return 0


def _keep(seen: Seen) -> None:
    for title, picture in seen.pictures.items():
        if title != "astronaut":
            Image.open(picture).convert("RGB").resize((1280, 800)).save(IMAGES / f"{PREFIX}{title}.jpg", quality=85)


def _take_renders(blender: Blender, photo: Path, folder: Path) -> None:
    """Walk through the chapter on rendering; keep its pictures, and of what was rendered some beside each other."""
    frames, avatar = folder / "frames", folder / "astronaut.likeness"
    frames.mkdir(parents=True)
    _likeness("create", photo, "-o", avatar, "--device", "cpu")
    _keep(
        run_script(blender, HERE / "guide_render_window.py", folder, [avatar, frames], limit=900, engine=ROOT / ".venv")
    )
    _side_by_side([frames / f"{number:04}.png" for number in SHOWN], (320, 240), "animation")
    alive = [Image.open(path).convert("RGB").resize(ALIVE) for path in sorted(frames.glob("alive_*.png"))]
    moving = {"save_all": True, "append_images": alive[1:], "duration": 100, "loop": 0}
    alive[0].save(IMAGES / f"{PREFIX}alive.webp", quality=80, **moving)
    sheet = Image.open(frames / "astronaut_contact_sheet.png").convert("RGB")
    sheet.resize((1536, round(1536 * sheet.height / sheet.width)), Image.Resampling.LANCZOS).save(
        IMAGES / f"{PREFIX}contact_sheet.jpg", quality=85
    )


def _take_performance(blender: Blender, photo: Path, folder: Path) -> None:
    """Walk through the chapter on performances, with a take and a film that the project makes itself."""
    folder.mkdir()
    avatar, take, motion, film = (folder / name for name in ("astronaut.likeness", "take.csv", "take.npz", "film.mp4"))
    write_take(take)
    _likeness("create", photo, "-o", avatar, "--device", "cpu")
    _likeness("retarget", take, "--avatar", avatar, "-o", motion)
    _likeness("render", avatar, "-o", film, "--motion", motion, "--background", "portrait")
    script, inputs = HERE / "guide_performance_window.py", [avatar, take, film]
    _keep(run_script(blender, script, folder, inputs, limit=900, engine=ROOT / ".venv"))


def _likeness(*words: object) -> None:
    subprocess.run([ROOT / ".venv" / "bin" / "likeness", *map(str, words)], check=True)


def _side_by_side(pictures: Sequence[Path], size: tuple[int, int], title: str) -> None:
    strip = Image.new("RGB", (size[0] * len(pictures), size[1]))
    for index, picture in enumerate(pictures):
        strip.paste(Image.open(picture).convert("RGB").resize(size, Image.Resampling.LANCZOS), (index * size[0], 0))
    strip.save(IMAGES / f"{PREFIX}{title}.jpg", quality=85)


def _install(blender: Blender, settings: Path) -> Blender:
    """Return a Blender with the zip installed, in settings of its own; nobody else's are touched."""
    settings.mkdir()
    own = replace(blender, variables={"BLENDER_USER_RESOURCES": str(settings)})
    package = next((ROOT / "dist").glob("likeness-*.zip"))
    installed = own.run(["--command", "extension", "install-file", "-r", "user_default", "-e", package])
    if installed.code:
        raise SystemExit(installed.tail())
    return own


if __name__ == "__main__":
    sys.exit(main())
