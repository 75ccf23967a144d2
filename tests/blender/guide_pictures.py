"""Takes the pictures of docs/guide.md anew, from the extension's zip in a real window: guide_pictures.py [render].

The photograph is scikit-image's astronaut, which NASA gave to the public domain; the engine is the one in .venv.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import skimage.data
from blenders import HERE, ROOT, Blender, blenders
from PIL import Image
from window import Seen, run_script

IMAGES = ROOT / "docs" / "images"
PREFIX = "guide_"
SHOWN = (1, 12, 20, 26, 36, 48)
"""Frames of the animation that stand in the guide."""
ALIVE = (400, 400)


def main() -> int:
    """Install the zip, walk through the guide, keep the pictures; return the exit code."""
    found = blenders()
    if not found:
        print("No Blender here: `make blenders`, or LIKENESS_BLENDER=/path/to/blender.", file=sys.stderr)
        return 1
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        photo = folder / "astronaut.png"
        Image.fromarray(skimage.data.astronaut()).save(photo)
        _install(found[0])
        if "render" not in sys.argv:  # the chapter on rendering takes longest, and can be taken alone
            _keep(run_script(found[0], HERE / "guide_window.py", folder, [photo], limit=400, engine=ROOT / ".venv"))
        _take_renders(found[0], photo, folder / "render")
    return 0


def _keep(seen: Seen) -> None:
    for title, picture in seen.pictures.items():
        if title != "astronaut":
            Image.open(picture).convert("RGB").resize((1280, 800)).save(IMAGES / f"{PREFIX}{title}.jpg", quality=85)


def _take_renders(blender: Blender, photo: Path, folder: Path) -> None:
    """Walk through the chapter on rendering; keep its pictures, and of what was rendered some beside each other."""
    frames, avatar = folder / "frames", folder / "astronaut.likeness"
    frames.mkdir(parents=True)
    subprocess.run([ROOT / ".venv" / "bin" / "likeness", "create", photo, "-o", avatar, "--device", "cpu"], check=True)
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


def _side_by_side(pictures: Sequence[Path], size: tuple[int, int], title: str) -> None:
    strip = Image.new("RGB", (size[0] * len(pictures), size[1]))
    for index, picture in enumerate(pictures):
        strip.paste(Image.open(picture).convert("RGB").resize(size, Image.Resampling.LANCZOS), (index * size[0], 0))
    strip.save(IMAGES / f"{PREFIX}{title}.jpg", quality=85)


def _install(blender: Blender) -> None:
    package = next((ROOT / "dist").glob("likeness-*.zip"))
    installed = blender.run(["--command", "extension", "install-file", "-r", "user_default", "-e", package])
    if installed.code:
        raise SystemExit(installed.tail())


if __name__ == "__main__":
    sys.exit(main())
