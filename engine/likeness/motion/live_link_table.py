"""The rows of Live Link Face's CSV as they stand in the file, whichever separator and spelling it has."""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES, arkit_name
from likeness.contract.errors import InputError
from likeness.motion import timecode
from likeness.motion.reading import unreadable

MAX_FRAMES = 1 << 20
MAX_COLUMNS = 1024
ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
KNOWN = (*ARKIT_NAMES, *ANGLES)
EXPORT_AGAIN = "Export the take from Live Link Face again."


@dataclass(frozen=True)
class Table:
    """The file's rows in their order. T rows; what a row does not say is NaN."""

    seconds: Float[np.ndarray, "T"]
    """Whole seconds since midnight."""
    frames: Float[np.ndarray, "T"]
    values: Float[np.ndarray, "T 61"]
    """By `KNOWN`."""
    marked_drop: bool
    missing: list[str]
    extra: list[str]
    without_time: int


@dataclass(frozen=True)
class Columns:
    """Where the file's columns are."""

    timecode: int
    count: int | None
    """Of BlendShapeCount, 0 where no face is seen."""
    places: dict[str, int]
    """Of those in `KNOWN` that there are."""
    extra: list[str]


def read_table(data: bytes, name: str) -> Table:
    """Parse a file; `name` is for messages. Errors: InputError `motion.*`."""
    lines = _lines(data, name)
    header = next((line for line in lines if line.strip()), "")
    if not header:
        raise InputError("motion.empty", f"{name} is empty.", "Record the take again, or choose another file.")
    separator = max(",;\t", key=header.count)
    if separator == ";":
        lines = (line.replace(",", ".") for line in lines)
    columns = _columns([cell.strip() for cell in header.split(separator)], name)
    when_at, places = columns.timecode, list(columns.places.values())
    nothing = [math.nan] * len(places)
    seconds, frames, values, skipped, marked = array("d"), array("d"), array("d"), 0, False
    try:
        for row in csv.reader(lines, delimiter=separator):
            if not any(row):
                continue
            when = timecode.parse(row[when_at]) if when_at < len(row) else None
            if when is None:
                skipped += 1
                continue
            seconds.append(when[0])
            frames.append(when[1])
            marked |= when[2]
            face = columns.count is None or columns.count >= len(row) or _number(row[columns.count]) != 0
            values.extend(_numbers(row, places) if face else nothing)
            if len(seconds) > MAX_FRAMES:
                raise InputError("motion.too_large", f"{name} has over {MAX_FRAMES} frames.", "Cut it into takes.")
    except csv.Error as error:
        raise unreadable(name, str(error), EXPORT_AGAIN) from error
    if not seconds:
        reason = f"none of its {skipped} rows has a timecode" if skipped else "it holds no frames, only a header"
        raise InputError("motion.empty", f"{name}: {reason}.", "Record the take again, or choose another file.")
    table = np.full((len(seconds), len(KNOWN)), np.nan)
    table[:, [KNOWN.index(known) for known in columns.places]] = np.frombuffer(values).reshape(len(seconds), -1)
    missing = [known for known in KNOWN if known not in columns.places]
    return Table(np.array(seconds), np.array(frames), table, marked, missing, columns.extra, skipped)


def _lines(data: bytes, name: str) -> Iterator[str]:
    """Yield the lines as they are asked for, so that an hour's text is not in memory several times."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        yield from io.TextIOWrapper(io.BytesIO(data), "utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable(name, "it is not text", EXPORT_AGAIN) from error


def _columns(header: list[str], name: str) -> Columns:
    """Find the known columns. Errors: InputError `motion.unreadable`, `motion.no_controls`."""
    if len(header) > MAX_COLUMNS:
        raise unreadable(name, f"it has {len(header)} columns", EXPORT_AGAIN)
    spelled = [cell.strip('"').strip() for cell in header]
    lower = [cell.lower() for cell in spelled]
    if "timecode" not in lower:
        raise unreadable(name, "its first line names no column Timecode", "Choose a CSV of Live Link Face.")
    places: dict[str, int] = {}
    for index, cell in enumerate(spelled):
        known = arkit_name(cell) or next((angle for angle in ANGLES if angle.lower() == cell.lower()), None)
        if known is not None:
            places.setdefault(known, index)
    if not any(control in places for control in ARKIT_NAMES):
        message = f"{name} has none of ARKit's 52 columns."
        raise InputError("motion.no_controls", message, "Record with Live Link Face's mode ARKit.")
    count = lower.index("blendshapecount") if "blendshapecount" in lower else None
    taken = {lower.index("timecode"), count, *places.values()}
    extra = [cell for index, cell in enumerate(spelled) if index not in taken and cell]
    return Columns(lower.index("timecode"), count, places, extra)


def _numbers(row: list[str], places: list[int]) -> list[float]:
    """Return a row's numbers at the places, NaN where there is none."""
    try:
        return [float(row[place]) for place in places]
    except (ValueError, IndexError):
        return [_number(row[place]) if place < len(row) else math.nan for place in places]


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
