"""Following one performer's face through a clip.

A frame's landmarks depend on that frame, and on the frames before only through the coarse square in which the face is
looked for (`face_crop.py`); so a clip that begins a frame later gives the same landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from likeness.contract.progress import Progress, SilentProgress
from likeness.portrait.appearance import change, sharpness, thumbnail
from likeness.portrait.choose_performer import choose_performer
from likeness.portrait.clip import Clip, ClipFrame
from likeness.portrait.face_crop import Cell, FoundMesh, cell_of
from likeness.portrait.recognize import Bank, Face, find_again
from likeness.portrait.sighting_file import FRAME, SightingFile
from likeness.portrait.sighting_notes import CHANGED, doubts, find_cuts, sentences

VERSION = 1
"""Of what is measured: a spool of another version is begun anew."""


@dataclass(frozen=True)
class Sightings:
    """One performer's landmarks in every frame of a range. T frames."""

    times: Float[np.ndarray, "T"]
    """Seconds from the clip's first frame, rising; float64."""
    landmarks: Float[np.ndarray, "T 478 2"]
    """MediaPipe's, pixels of the upright frame, float32; NaN where the face is not seen. A memory map, read only."""
    seen: Bool[np.ndarray, "T"]
    doubt: Float[np.ndarray, "T"]
    """0..1: blur, something before the face, landmarks that jump; 1 where the face is not seen. float32."""
    size: tuple[int, int]
    """Width and height of the frames."""
    fps: float
    """Nominal."""
    cuts: list[int]
    """Frames that begin a new shot: nothing is smooth across them."""
    notes: list[str]
    """What a person should know, in sentences."""


def follow_performer(
    clip: Clip,
    *,
    performer: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    progress: Progress | None = None,
    spool: Path | None = None,
) -> Sightings:
    """Find a performer's landmarks in every frame of start <= time < end (seconds).

    `performer` counts from 1 at the left of the first frame that shows a face; without it the largest face is followed.
    `spool` names a folder that keeps what was found, so that the same call goes on where it was stopped.
    Errors: InputError `face.none`, `face.too_small`, `clip.*`, `output.*`; UsageError `face.index`, `clip.range`.
    """
    progress = progress or SilentProgress()
    file = SightingFile(spool, _key(clip, performer, start, end))
    try:
        if not file.header:
            _choose(file, clip, performer, start, end, progress)
        if not file.header.get("done"):
            _follow(file, clip, start, end, progress)
        return _sightings(file, clip)
    finally:
        file.close()


def _key(clip: Clip, performer: int | None, start: float, end: float | None) -> dict[str, Any]:
    """Say which job a spool folder belongs to."""
    status = clip.path.stat()
    source = {"size": status.st_size, "modified": status.st_mtime_ns}
    return source | {"start": start, "end": end, "performer": performer, "version": VERSION}


def _choose(
    file: SightingFile, clip: Clip, performer: int | None, start: float, end: float | None, progress: Progress
) -> None:
    chosen = choose_performer(clip, performer, start, end, progress)
    cell = cell_of(chosen.center, chosen.size)
    file.write_header(
        cell=[cell.level, cell.column, cell.row],
        colours=chosen.colours.tolist(),
        others=[colours.tolist() for colours in chosen.others],
        note=chosen.note,
    )


def _follow(file: SightingFile, clip: Clip, start: float, end: float | None, progress: Progress) -> None:
    """Look at every frame that the file does not hold yet."""
    follower = _Follower(file)
    length = (clip.info.seconds if end is None else min(end, clip.info.seconds or end)) - start
    try:
        for frame in clip.frames(max(start, follower.time), end):
            if frame.time <= follower.time:
                follower.see_again(frame)
                continue
            file.append(*follower.look(frame))
            done = (frame.time - start) / length if length > 0 else 0.0
            progress.update("following the face", min(max(done, 0.0), 1.0))
    finally:
        known = file.header.get("clip_notes", [])
        file.write_header(clip_notes=known + [note for note in clip.notes if note not in known])
    file.write_header(done=True)


class _Follower:
    """What is remembered from frame to frame: all of it is in the file, or in the last frame, which is read again."""

    def __init__(self, file: SightingFile) -> None:
        header = file.header
        own, others = (np.array(header[name], np.uint8) for name in ("colours", "others"))
        self._bank = Bank([own], list(others))
        self._cell, self.time = Cell(*header["cell"]), -1.0
        self._before: Face | None = None
        self._thumbnail: np.ndarray | None = None
        frames = file.frames()
        for time, colours in ((row["time"], row["colours"]) for row in frames if row["seen"]):
            self._bank.add(float(time), np.array(colours))
        if not len(frames):
            return
        last = frames[-1]
        self.time, self._cell = float(last["time"]), Cell(*map(int, last["cell"]))
        if last["seen"]:
            landmarks = np.array(file.landmarks()[-1], np.float64)
            self._before = Face(
                FoundMesh(self._cell, landmarks, float(last["spread"])),
                np.array(last["colours"]),
                0.0,
            )

    def see_again(self, frame: ClipFrame) -> None:
        """Take in the last frame that the file holds."""
        self._thumbnail = thumbnail(frame.rgb)

    def look(self, frame: ClipFrame) -> tuple[Shaped[np.ndarray, ""], Float[np.ndarray, "478 2"]]:
        """Return what the file keeps of a frame."""
        row = np.zeros((), FRAME)
        small = thumbnail(frame.rgb)
        changed = 0.0 if self._thumbnail is None else change(self._thumbnail, small)
        thoroughly = int(frame.time) != int(self.time)
        before = self._before if changed < CHANGED else None
        face = find_again(frame.rgb, self._cell, self._bank, before, thoroughly=thoroughly)
        row["time"], row["change"], row["moved"] = frame.time, changed, _moved(self._before, face)
        landmarks = np.full((478, 2), np.nan)
        if face is not None:
            mesh, landmarks = face.mesh, face.mesh.landmarks
            row["seen"], row["spread"], row["colours"] = 1, mesh.spread, face.colours
            row["sharpness"] = sharpness(frame.rgb, mesh.center, mesh.size)
            self._cell = mesh.cell
            self._bank.add(frame.time, face.colours)
        row["cell"] = self._cell.level, self._cell.column, self._cell.row
        self._before, self._thumbnail, self.time = face, small, frame.time
        return row, landmarks


def _moved(before: Face | None, face: Face | None) -> float:
    """Return how far the landmarks moved, in sizes of the face; NaN unless both frames show it."""
    if before is None or face is None:
        return np.nan
    steps = np.linalg.norm(face.mesh.landmarks - before.mesh.landmarks, axis=1)
    return float(steps.mean() / before.mesh.size)


def _sightings(file: SightingFile, clip: Clip) -> Sightings:
    frames = file.frames()
    seen, times = frames["seen"].astype(bool), np.array(frames["time"])
    change, moved, sharpness, spread = (np.array(frames[name]) for name in ("change", "moved", "sharpness", "spread"))
    cuts = find_cuts(change, moved)
    doubt = doubts(seen, sharpness, spread, moved, cuts)
    told = [file.header["note"], *file.header["clip_notes"]]
    notes = [note for note in told if note] + sentences(times, seen, doubt, cuts)
    size = (clip.info.width, clip.info.height)
    return Sightings(times, file.landmarks(), seen, doubt, size, clip.info.fps, cuts, notes)
