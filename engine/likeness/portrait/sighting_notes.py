"""What the figures of a clip's frames say: cuts, doubt, and sentences for a person. T frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import median_filter

CHANGED = 0.45
"""Of a frame's picture against the one before: 0.6 and more where one recording follows another, 0.37 at most where
somebody shakes his head in front of the whole picture."""
MAY_BE_CUT = 0.01
JUMP = 0.05
"""Of the face's size: what stays in place across a cut needs no care."""
NEIGHBOURS = 8
STANDS_OUT = 2.0
"""Times the largest among the neighbours. With JUMP this finds two thirds of the cuts within one recording, those with
larger jumps, and none where there is no cut."""
USUAL_CHANGE = 4.0

SHARP, BLURRED = 0.6, 0.3
"""Of the shot's usual sharpness. At 0.55 a blur shifts the landmarks by 1 to 2 % of the distance between the outer eye
corners, at 0.35 by 6 %."""
STEADY, SHAKY = 2.5, 6.0
"""Times the shot's usual spread between the two crops."""
OPEN, COVERED, LASTING = 1.4, 2.6, 15
"""The same for the median of so many frames: 1.5 at most for a free face, 1.2 to 2.8 with a hand on mouth or eye."""
ONE_CROP = 0.6
SPIKE = 0.7

UNCERTAIN = 0.5
WORTH_TELLING = 0.2
"""Seconds."""
MOST_TOLD = 5
PIECE = 10_000


def find_cuts(change: Float[np.ndarray, "T"], moved: Float[np.ndarray, "T"]) -> list[int]:
    """Return the frames that begin a new shot, from how much picture and face changed since the frame before."""
    hard = (change > CHANGED) & (change > USUAL_CHANGE * _around(change, np.nanmedian))
    far = np.nan_to_num(moved)
    within = (change > MAY_BE_CUT) & (far > JUMP)
    within &= (change > STANDS_OUT * _around(change, np.nanmax)) & (far > STANDS_OUT * _around(far, np.nanmax))
    cuts = hard | within
    cuts[:1] = False
    return np.flatnonzero(cuts).tolist()


def doubts(
    seen: Bool[np.ndarray, "T"],
    sharpness: Float[np.ndarray, "T"],
    spread: Float[np.ndarray, "T"],
    moved: Float[np.ndarray, "T"],
    cuts: list[int],
) -> Float[np.ndarray, "T"]:
    """Return 0..1 for every frame, judged by what is usual in its shot; 1 where the face is not seen. float32."""
    doubt = np.zeros(len(seen))
    for shot in np.split(np.arange(len(seen)), cuts):
        inside = shot[seen[shot]]
        if not len(inside):
            continue
        blur = (SHARP - _relative(sharpness[inside])) / (SHARP - BLURRED)
        ratio = _relative(spread[inside])
        one_crop = ~np.isfinite(ratio)
        ratio[one_crop] = STEADY
        shaky = np.where(one_crop, ONE_CROP, (ratio - STEADY) / (SHAKY - STEADY))
        covered = (median_filter(ratio, LASTING, mode="nearest") - OPEN) / (COVERED - OPEN)
        doubt[inside] = np.max([blur, shaky, covered], axis=0).clip(0, 1)
    doubt[_spikes(moved, cuts)] += SPIKE
    doubt[~seen] = 1
    return doubt.clip(0, 1).astype(np.float32)


def sentences(
    times: Float[np.ndarray, "T"], seen: Bool[np.ndarray, "T"], doubt: Float[np.ndarray, "T"], cuts: list[int]
) -> list[str]:
    """Say where the face is lost or uncertain and where the picture is cut."""
    notes = []
    gaps = _runs(~seen)
    if gaps:
        share = f"{100 * np.mean(~seen):.1f} % of the frames"
        notes.append(f"The face is not seen {_spans(times, gaps)} ({share}).")
    poor = [run for run in _runs(seen & (doubt > UNCERTAIN)) if times[run[1]] - times[run[0]] >= WORTH_TELLING]
    if poor:
        notes.append(f"The face is blurred or partly covered {_spans(times, poor)}, and uncertain there.")
    if cuts:
        told = [f"{times[cut]:.1f} s" for cut in cuts[:MOST_TOLD]]
        notes.append(f"The picture is cut at {_listed(told, len(cuts))}; nothing is smoothed across.")
    return notes


def _around(values: Float[np.ndarray, "T"], reduce: Callable[..., np.ndarray]) -> Float[np.ndarray, "T"]:
    """Reduce each value's neighbours on both sides, itself left out; infinite where it has none."""
    if len(values) < 2:
        return np.full(len(values), np.inf)
    padded = np.pad(values.astype(np.float64), NEIGHBOURS, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    pieces = np.array_split(windows, len(values) // PIECE + 1)
    return np.concatenate([reduce(np.delete(piece, NEIGHBOURS, axis=1), axis=1) for piece in pieces])


def _relative(values: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
    """Divide by the median; a NaN stays one."""
    known = values[np.isfinite(values)]
    return values / max(float(np.median(known)) if len(known) else 1.0, 1e-6)


def _spikes(moved: Float[np.ndarray, "T"], cuts: list[int]) -> Int[np.ndarray, "N"]:
    """Return the frames in which the landmarks jump away and back."""
    away = np.nan_to_num(moved).copy()
    away[cuts] = 0.0
    jumps = (away > JUMP) & (away > USUAL_CHANGE * _around(away, np.nanmedian))
    return np.flatnonzero(jumps[:-1] & jumps[1:])


def _runs(marked: Bool[np.ndarray, "T"]) -> list[tuple[int, int]]:
    """Return first and last frame of every run."""
    edges = np.diff(np.concatenate([[0], marked.astype(int), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def _spans(times: Float[np.ndarray, "T"], runs: list[tuple[int, int]]) -> str:
    """Name the longest runs, in order."""
    longest = sorted(runs, key=lambda run: times[run[0]] - times[run[1]])[:MOST_TOLD]
    ends = [(f"{times[first]:.1f}", f"{times[last]:.1f}") for first, last in sorted(longest)]
    told = [f"at {begin} s" if begin == end else f"from {begin} to {end} s" for begin, end in ends]
    return _listed(told, len(runs))


def _listed(told: list[str], count: int) -> str:
    if count > len(told):
        return f"{', '.join(told)} and {count - len(told)} more times"
    return " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
