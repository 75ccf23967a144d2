"""Taking the engine's environment away again."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from likeness.contract.errors import LikenessError, MachineError

from . import problems
from .lock import locked
from .state import CACHE, ENVIRONMENT, JOURNAL, LOCK, LOG, MARKER, PYTHONS, TOOLS


def remove(folder: Path) -> None:
    """Delete what was made in an engine's folder, and nothing else there; a removal that stops halfway can be repeated.

    Errors: setup.busy, setup.in_use, setup.no_permission. The engine must not run.
    """
    if not folder.is_dir():
        return
    try:
        with locked(folder):
            for name in (MARKER, JOURNAL, ENVIRONMENT, TOOLS, PYTHONS, CACHE, LOG):  # from here on it is half-made
                delete(folder / name)
        delete(folder / LOCK)
    except OSError as error:
        raise _refused(error, folder) from error


def delete(path: Path) -> None:
    """Delete a file, a link (not what it leads to) or a whole folder; what is not there is fine."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        try:
            shutil.rmtree(path)
        except PermissionError:  # read-only files: Windows refuses to delete those
            _make_writable(path)
            shutil.rmtree(path)


def _make_writable(root: Path) -> None:
    for parent, folders, files in os.walk(root):
        for name in ("", *folders, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU)


def _refused(error: OSError, folder: Path) -> LikenessError:
    if os.name == "nt" and isinstance(error, PermissionError):
        remedy = "Stop the engine in every Blender, then remove it again."
        return MachineError("setup.in_use", f"{error.filename} is in use.", remedy)
    return problems.from_os_error(error, folder)
