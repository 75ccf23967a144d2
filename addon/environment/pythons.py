"""Where a Python 3.11 may lie that uv does not see by itself."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = "3.11"
WANTED = f"cpython@{VERSION}"
"""As uv is asked for it: any patch release, and no PyPy."""


def common_places() -> Iterator[Path]:
    """Yield interpreters of the wanted version: on the PATH, then where installers and package managers put them."""
    found = shutil.which(f"python{VERSION}")
    if found:
        yield Path(found)
    for pattern in _patterns():
        root = Path(pattern[0])
        yield from sorted(path for path in root.glob(pattern[1]) if path.is_file())


def own_interpreter(interpreter: str, version: tuple[int, ...] = sys.version_info[:2]) -> Iterator[Path]:
    """Yield Blender's own interpreter if it is of the wanted version (Blender 4.2 to 5.0)."""
    if ".".join(map(str, version)) == VERSION:
        yield Path(interpreter)


def _patterns() -> tuple[tuple[str, str], ...]:
    if os.name == "nt":
        folders = (os.environ.get("LOCALAPPDATA", ""), os.environ.get("PROGRAMFILES", ""), "C:/")
        return tuple((folder, place) for folder in folders if folder for place in _WINDOWS)
    home = str(Path.home())
    return ((home, f".pyenv/versions/{VERSION}*/bin/python{VERSION}"), *_POSIX)


_WINDOWS = ("Programs/Python/Python311/python.exe", "Python311/python.exe")
_POSIX = (
    ("/usr/local/bin", f"python{VERSION}"),
    ("/usr/bin", f"python{VERSION}"),
    ("/opt/homebrew/bin", f"python{VERSION}"),
    ("/opt/local/bin", f"python{VERSION}"),
    ("/Library/Frameworks/Python.framework/Versions", f"{VERSION}/bin/python{VERSION}"),
)
