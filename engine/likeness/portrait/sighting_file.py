"""What was seen of a performer, frame by frame, in files: hours fit, and an interrupted run goes on where it stopped.

A spool folder holds three files. `sightings.json`: the key (which clip, range, performer and version), whom we follow,
and whether the end was reached. `frames.bin`: a `FRAME` for each frame. `landmarks.bin`: 478 x 2 float32 for each, in
pixels, NaN where the face is not seen. Frames are only ever appended; what was half written when a run was killed is
cut off. Another key in the folder means another job: its files are begun anew.
"""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float, Shaped

from likeness.contract.atomic import atomic_write
from likeness.contract.errors import InputError

FRAME = np.dtype(
    [
        ("time", "f8"),
        ("cell", "i4", 3),
        ("spread", "f4"),
        ("sharpness", "f4"),
        ("change", "f4"),
        ("moved", "f4"),
        ("colours", "u1", (8, 8, 3)),
        ("seen", "u1"),
    ]
)
LANDMARKS = np.dtype(("f4", (478, 2)))
HEADER, FRAMES, MESHES = "sightings.json", "frames.bin", "landmarks.bin"


class SightingFile:
    """Frames and landmarks on a disk; in a folder that stays, or in files that go with the process."""

    def __init__(self, folder: Path | None, key: dict[str, Any]) -> None:
        """Open the folder, or temporary files. Errors: InputError `output.*`."""
        self._folder, self._key = folder, key
        self.header: dict[str, Any] = {}
        """What else the header holds; plain JSON. Empty for a new job."""
        try:
            if folder is None:
                self._frames, self._meshes = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
                self.count = 0
                return
            folder.mkdir(parents=True, exist_ok=True)
            self.header = self._stored_header()
            self._frames, self._meshes = (_open(folder / name, bool(self.header)) for name in (FRAMES, MESHES))
            self.count = min(_whole(self._frames, FRAME), _whole(self._meshes, LANDMARKS))
            for file, kind in ((self._frames, FRAME), (self._meshes, LANDMARKS)):
                file.truncate(self.count * kind.itemsize)
                file.seek(0, 2)
        except OSError as error:
            raise _unwritable(error, folder) from error

    def write_header(self, **values: Any) -> None:
        """Add to the header, and put it in the folder whole, after the frames that it may call all there are."""
        self._flush()
        self.header |= values
        if self._folder is not None:
            with atomic_write(self._folder / HEADER) as temporary:
                temporary.write_text(json.dumps({"key": self._key, **self.header}))

    def append(self, frame: Shaped[np.ndarray, ""], landmarks: Float[np.ndarray, "478 2"]) -> None:
        """Add one frame. Errors: InputError `output.*`."""
        try:
            self._meshes.write(landmarks.astype(np.float32).tobytes())
            self._frames.write(frame.tobytes())
        except OSError as error:
            raise _unwritable(error, self._folder) from error
        self.count += 1

    def frames(self) -> Shaped[np.ndarray, "T"]:
        """Return all frames, a memory map."""
        return self._map(self._frames, FRAME, (self.count,))

    def landmarks(self) -> Float[np.ndarray, "T 478 2"]:
        """Return all landmarks, a memory map that stays good when the file is closed."""
        return self._map(self._meshes, np.dtype("f4"), (self.count, 478, 2))

    def close(self) -> None:
        """Put down what is not on the disk yet."""
        try:
            self._frames.close()
            self._meshes.close()
        except OSError as error:
            raise _unwritable(error, self._folder) from error

    def _map(self, file: BinaryIO, kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        self._flush()
        if not self.count:
            return np.zeros(shape, kind)
        return np.memmap(file, kind, "r", shape=shape)

    def _flush(self) -> None:
        try:
            self._frames.flush()
            self._meshes.flush()
        except OSError as error:
            raise _unwritable(error, self._folder) from error

    def _stored_header(self) -> dict[str, Any]:
        """Return the folder's header if it belongs to this job, else nothing."""
        try:
            stored = json.loads((self._folder / HEADER).read_text())
            return stored if stored.pop("key") == self._key else {}
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def _open(path: Path, keep: bool) -> BinaryIO:
    if not keep or not path.exists():
        path.write_bytes(b"")
    return path.open("r+b")


def _whole(file: BinaryIO, kind: np.dtype) -> int:
    return file.seek(0, 2) // kind.itemsize


def _unwritable(error: OSError, folder: Path | None) -> InputError:
    where = folder or tempfile.gettempdir()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            "output.disk_full", f"The disk of {where} is full.", "Free some space; a frame takes four kilobytes."
        )
    reason = error.strerror or str(error)
    return InputError("output.unwritable", f"{where} cannot be written to ({reason}).", "Choose another folder.")
