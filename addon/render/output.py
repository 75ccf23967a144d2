"""Pictures beside the scene's own renders: where they go, how they are written and shown."""

from __future__ import annotations

import os
import re
from pathlib import Path

import bpy
from bpy.types import Context, Image, Scene

from likeness.contract.atomic import atomic_write, ensure_writable
from likeness.contract.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n"
MAX_STEM = 80
"""Bytes that a name in a file's name may have; file systems allow 255 in all."""
CHOOSE = "Choose another folder in Output Properties > Output."


def output_file(scene: Scene, name: str) -> Path:
    """Return the file of this name in the folder that the scene is rendered to, which is made if it is missing.

    Errors: InputError `output.*`, so that nothing is drawn that could not be written.
    """
    path = output_folder(scene) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"The output folder {path.parent} cannot be made ({error.strerror})."
        raise InputError("output.folder", message, CHOOSE) from error
    ensure_writable(path)
    if path.exists() and not _is_png(path):
        raise InputError(
            "output.other", f"{path} is there and is no PNG picture.", "Move it, or choose another folder."
        )
    return path


def output_folder(scene: Scene) -> Path:
    """Return the folder that the scene is rendered to. Errors: InputError `output.unsaved`, `output.folder`."""
    if scene.render.filepath.startswith("//") and not bpy.data.filepath:
        message = "The output folder lies beside this file, which has not been saved."
        raise InputError("output.unsaved", message, f"Save the file, or c{CHOOSE[1:]}")
    try:
        frame = scene.render.frame_path(frame=scene.frame_current)  # Blender 5 has names to fill in, such as {camera}
    except (RuntimeError, ValueError) as error:
        raise InputError("output.folder", "The output path is not valid.", CHOOSE) from error
    return Path(os.path.abspath(bpy.path.abspath(frame))).parent


def file_name(name: str) -> str:
    """Return a name as it may be part of a file's name on every system."""
    safe = re.sub(r'[<>:"/\\|?*\s]+', "_", "".join(letter for letter in name if letter.isprintable()))
    return safe.encode()[:MAX_STEM].decode(errors="ignore").strip("._ ") or "avatar"


def write_picture(path: Path, png: bytes) -> None:
    """Write a picture, whole or not at all. Errors: InputError `output.*`."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(png)


def show_picture(context: Context, path: Path, name: str) -> Image:
    """Load a picture, or load it again, and show it in the first Image Editor that is open."""
    known = (image for image in bpy.data.images if image.source == "FILE" and image.library is None)
    image = next((each for each in known if bpy.path.abspath(each.filepath) == str(path)), None)
    if image is None:
        image = bpy.data.images.load(str(path))
        image.name = name
    else:
        image.reload()
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.ui_type == "IMAGE_EDITOR" and not area.spaces.active.use_image_pin:
                area.spaces.active.image = image
                return image
    return image


def _is_png(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(PNG)) == PNG
