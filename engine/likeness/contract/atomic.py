"""Output that appears whole or not at all: written beside its place under a temporary name, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from likeness.contract.errors import InputError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside `path` (same suffix) that becomes `path` when the block ends well.

    Any failure inside, Ctrl-C included, removes it and leaves what was there. An OSError inside counts as a failure to
    write, so do nothing but write there. Errors: InputError `output.*`.
    """
    target = _target_file(path)
    temporary = _temporary_name(target)
    with _readable_errors(path):
        _create(temporary)
    try:
        with _readable_errors(path):
            yield temporary
            _sync(temporary)
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder whose files move into the folder `path` when the block ends well.

    Files of the same names are replaced one by one, others stay. Errors: InputError `output.*`.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise InputError("output.not_a_folder", f"{path} is a file.", "Name a folder for the pictures.")
    temporary = _temporary_name(target)
    try:
        with _readable_errors(path):
            temporary.mkdir()
            yield temporary
            target.mkdir(exist_ok=True)
            for file in sorted(temporary.iterdir()):
                _sync(file)
                os.replace(file, target / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def ensure_writable(path: Path) -> None:
    """Raise InputError `output.*` now if `path` could not be written later, at the end of a long job."""
    target = _target_file(path)
    temporary = _temporary_name(target)
    with _readable_errors(path):
        _create(temporary)
        temporary.unlink()


def _target_file(path: Path) -> Path:
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise InputError("output.is_folder", f"{path} is a folder.", "Name a file to write.")
    if target.exists() and not target.is_file():
        raise InputError("output.not_a_file", f"{path} is not an ordinary file.", "Name another file to write.")
    return target


def _temporary_name(target: Path) -> Path:
    return target.with_name(f".{target.stem[:64]}.{secrets.token_hex(4)}.tmp{target.suffix}")


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _sync(path: Path) -> None:
    """Push the file to the disk, so that a full one is noticed before the old file is replaced."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _translated(error, path) from error


def _translated(error: OSError, path: Path) -> InputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            "output.disk_full", f"The disk is full; {path} was not written.", "Free some space or choose another disk."
        )
    if error.errno == errno.ENOENT:
        return InputError("output.no_folder", f"The folder of {path} does not exist.", "Make it or choose another.")
    reason = error.strerror or str(error)
    return InputError(
        "output.unwritable", f"{path} cannot be written ({reason}).", "Choose a folder that you may write to."
    )
