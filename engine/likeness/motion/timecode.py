"""Timecodes as Live Link Face writes them, HH:MM:SS:FF.fff, to seconds.

FF.fff counts frames, and parts of frames, at the timecode's rate within the second. The rate stands nowhere in the
file; it shows in how far the frames count before the next second begins, and drop-frame timecode (29.97 and 59.94,
SMPTE 12M) in the numbers that are left out at the beginning of minutes.

Worked example at 60: 19:16:29:35.273 lies 35.273 / 60 = 0.588 s after 19:16:29.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DAY = 24 * 3600
RATES = (24, 25, 30, 48, 50, 60, 100, 120)
USUAL_RATE = 60
MOST_ROWS = 99
"""Percent of the rows whose frames must be below the rate: a damaged row does not make it a higher one."""
CLOSE = 0.75
"""Frames by which a measured rate may miss the one it is."""
TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3}(?:[.,]\d{1,9})?)")
DROPPED = {30: 2, 60: 4}
"""Frame numbers that drop-frame timecode leaves out every minute, but not every tenth, by rate."""


@dataclass(frozen=True)
class Clock:
    """How a take's timecode counts."""

    rate: int
    """Frames it counts in a second."""
    drop_frame: bool
    """It leaves numbers out to keep pace at 1000 / 1001 of the rate."""

    @property
    def fps(self) -> float:
        """Frames in a true second."""
        return self.rate * 1000 / 1001 if self.drop_frame else float(self.rate)


def parse(text: str) -> tuple[int, float, bool] | None:
    """Return a timecode's whole seconds since midnight, its frames, and whether it is marked drop-frame; else None."""
    match = TIMECODE.fullmatch(text.strip())
    if not match:
        return None
    hours, minutes, seconds = (int(match[group]) for group in (1, 2, 3))
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return hours * 3600 + minutes * 60 + seconds, float(match[5].replace(",", ".")), match[4] == ";"


def find_clock(seconds: Float[np.ndarray, "T"], frames: Float[np.ndarray, "T"], marked: bool) -> Clock:
    """Work out how a take's timecode counts, from its rows in their order.

    Between the last frame of one second and the first of the next lies one step, as within a second: the frames there
    and a step make up the rate, or less where frames were dropped. A take that does not show it has the usual one, 60.
    """
    step, turn = np.diff(frames), np.diff(seconds)
    within = step[(turn == 0) & (step > 0)]
    over = (turn == 1) & (step < 0)
    measured = np.max(-step[over]) + np.median(within) if over.any() and len(within) else 0.0
    highest = np.percentile(frames, MOST_ROWS, method="higher") if len(frames) else 0.0
    possible = [rate for rate in RATES if rate > highest] or [int(highest) + 1]
    rate = min(possible, key=lambda one: abs(one - measured))
    if abs(rate - measured) > CLOSE:
        rate = USUAL_RATE if USUAL_RATE in possible else possible[0]
    return Clock(rate, rate in DROPPED and (marked or _leaves_out(seconds, frames, DROPPED[rate])))


def to_seconds(seconds: Float[np.ndarray, "T"], frames: Float[np.ndarray, "T"], clock: Clock) -> np.ndarray:
    """Return (T,) float64 seconds since midnight; a take that runs past midnight goes on counting."""
    late = seconds + _days(seconds) * DAY
    if not clock.drop_frame:
        return late + frames / clock.rate
    minutes = late // 60
    numbered = late * clock.rate + frames
    return (numbered - DROPPED[clock.rate] * (minutes - minutes // 10)) / clock.fps


def _days(seconds: Float[np.ndarray, "T"]) -> np.ndarray:
    """Return how many midnights have passed: a step of more than half a day is one, forwards or back."""
    step = np.diff(seconds, prepend=seconds[:1])
    return np.cumsum((step < -DAY / 2).astype(int) - (step > DAY / 2).astype(int))


def _leaves_out(seconds: Float[np.ndarray, "T"], frames: Float[np.ndarray, "T"], dropped: int) -> bool:
    """Tell whether the rows run over beginnings of minutes and never show the numbers that drop-frame leaves out."""
    starts = (seconds % 60 == 0) & (seconds // 60 % 10 != 0)
    begun = np.flatnonzero(starts[1:] & ~starts[:-1]) + 1
    shown = starts & (frames < dropped)
    # The first row of such a minute must follow at once, or the numbers may be missing with dropped frames.
    follows = [row for row in begun if seconds[row] - seconds[row - 1] == 1 and frames[row] < dropped + 2]
    return bool(follows) and not shown.any()
