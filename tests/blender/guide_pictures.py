"""Takes the pictures of docs/guide.md anew, from the extension's zip in a real window; `make guide-pictures`.

The photograph is scikit-image's astronaut, which NASA gave to the public domain; the engine is the one in .venv.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import skimage.data
from blenders import HERE, ROOT, Blender, blenders
from PIL import Image
from window import run_script

IMAGES = ROOT / "docs" / "images"
PREFIX = "guide_"


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
        seen = run_script(found[0], HERE / "guide_window.py", folder, [photo], limit=400, engine=ROOT / ".venv")
        for title, picture in seen.pictures.items():
            if picture != photo:
                Image.open(picture).convert("RGB").resize((1280, 800)).save(IMAGES / f"{PREFIX}{title}.jpg", quality=85)
    return 0


def _install(blender: Blender) -> None:
    package = next((ROOT / "dist").glob("likeness-*.zip"))
    installed = blender.run(["--command", "extension", "install-file", "-r", "user_default", "-e", package])
    if installed.code:
        raise SystemExit(installed.tail())


if __name__ == "__main__":
    sys.exit(main())
