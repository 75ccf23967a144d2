"""The photograph's file as the add-on meets it: its kind, its bytes, and what can be wrong with it. Needs no bpy.

Error codes, all InputError: photo.missing, photo.folder, photo.empty, photo.too_large, photo.unreadable.
"""

from __future__ import annotations

import stat
from pathlib import Path

from likeness.contract.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif")
"""What people's photographs are kept in, out of what the engine reads."""
MAX_BYTES = 200 << 20
OTHER = "Choose another photo."


def read_photo(path: Path) -> bytes:
    """Return the file's bytes. Errors: InputError `photo.*`."""
    name = path.name or str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("photo.folder", f"{name} is a folder.", "Choose a photo in it.")
        if not stat.S_ISREG(status.st_mode):  # reading a device or a pipe might never end
            raise InputError("photo.unreadable", f"{name} is not an ordinary file.", OTHER)
        _check_size(name, status.st_size)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    _check_size(name, len(data))  # it may have changed meanwhile
    return data


def shown(text: str) -> str:
    """Return a text with file names in it as Blender takes it: on Linux they may hold what is no text; it becomes ?."""
    return text.encode(errors="replace").decode()


def _check_size(name: str, size: int) -> None:
    if size == 0:
        raise InputError("photo.empty", f"{name} is empty (0 bytes).", "Copy or export the photo again.")
    if size > MAX_BYTES:
        raise InputError(
            "photo.too_large",
            f"{name} is too large: at most {MAX_BYTES >> 20} MB can be read.",
            "Save it smaller; 4096 pixels on the longer side are plenty.",
        )


def _unreadable(name: str, error: OSError | ValueError) -> InputError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputError("photo.missing", f"{name} is no longer there.", OTHER)
    if isinstance(error, PermissionError):
        return InputError("photo.unreadable", f"{name} may not be read.", "Change its permissions, or copy it.")
    reason = getattr(error, "strerror", None) or str(error)  # a ValueError: a NUL in the name
    return InputError("photo.unreadable", f"{name} cannot be read ({reason}).", OTHER)
