"""What a reader makes of a file: a motion, what kind of file it was, and what could not be taken from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError
from likeness.contract.motion import MAX_FPS, Motion

MAX_FILE_BYTES = 1 << 29
MIN_FPS = 0.01
MAX_MAGNITUDE = 1e4
"""Of controls, coefficients, radians and metres; what is larger is damage."""
GAP = 1.5
"""Of the usual step: longer ones have lost frames."""
COMMON_RATES = (12.0, 15.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
"""Frames a second; a measured rate within 1 % of one of them is that one."""


@dataclass(frozen=True)
class Reading:
    """A file's performance as it stands there: nothing calibrated, smoothed or turned."""

    kind: str
    """In words, such as `Live Link Face CSV`."""
    motion: Motion
    """Expression by `ARKIT_NAMES` (`head_model` is `open`) or FLAME's `expr000`..."""
    holds: tuple[str, ...]
    """What the file has, in words: `52 controls`, `head`, `eyes`."""
    notes: tuple[str, ...] = ()
    """Plain sentences: what was filled in, dropped or not understood."""


def read_bytes(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return a file's bytes. Errors: InputError `motion.missing`, `motion.too_large`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("motion.missing", f"{path} cannot be opened ({reason}).", "Check the name.") from error
    if len(data) > limit:
        raise InputError("motion.too_large", f"{path.name} is larger than {limit >> 20} MiB.", "Cut it into takes.")
    return data


def unreadable(name: str, reason: str, remedy: str) -> InputError:
    """Return the error for a file that is not what its name says, or damaged."""
    return InputError("motion.unreadable", f"{name} cannot be read: {reason}.", remedy)


def open_motion(
    times: Float[np.ndarray, "T"],
    controls: Float[np.ndarray, "T 52"],
    *,
    fps: float,
    head: Float[np.ndarray, "T 3"] | None = None,
    eyes: Float[np.ndarray, "T 6"] | None = None,
    observed: UInt8[np.ndarray, "T"] | None = None,
) -> Motion:
    """Return a motion of ARKit's controls, in the names' order; what is not given is at rest."""
    frames = len(times)
    rest = np.zeros((frames, 3), np.float32)
    return Motion(
        times=times,
        expr=controls.astype(np.float32),
        rotation=rest,
        neck_pose=rest if head is None else head.astype(np.float32),
        jaw_pose=rest,
        eyes_pose=np.zeros((frames, 6), np.float32) if eyes is None else eyes.astype(np.float32),
        translation=rest,
        observed=np.ones(frames, np.uint8) if observed is None else observed,
        fps=fps,
        head_model="open",
        head_model_hash="",
        expr_names=ARKIT_NAMES,
    )


def nominal_rate(times: Float[np.ndarray, "T"], fallback: float) -> float:
    """Return the rate between the gaps, frames a second; one frame has the fallback's."""
    if len(times) < 2:
        return fallback
    steps = np.diff(times)
    # Their mean: many recorders round times to milliseconds, so that single steps at 30 a second are 33 or 34 ms.
    measured = 1 / float(steps[steps < GAP * np.median(steps)].mean())
    nearest = min(COMMON_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) < 0.01 * nearest else float(np.clip(round(measured, 3), MIN_FPS, MAX_FPS))


def own_rate(value: float) -> float | None:
    """Return a rate that a file states, None where it makes no sense."""
    return value if MIN_FPS <= value <= MAX_FPS else None


def check_rate(times: Float[np.ndarray, "T"], name: str) -> None:
    """Raise InputError `motion.unreadable` where frames follow each other faster than any camera takes them."""
    if len(times) > 1 and np.median(np.diff(times)) < 1 / MAX_FPS:
        raise unreadable(name, f"its frames are less than {1000 / MAX_FPS:g} ms apart", "Check its times.")


def filled(
    times: Float[np.ndarray, "T"], values: Float[np.ndarray, "T N"], known: np.ndarray
) -> Float[np.ndarray, "T N"]:
    """Return the values with those that are not `known` (T N) taken from their column's neighbours in time.

    On straight lines between the neighbours, at the ends the nearest one; a column without any is zero.
    """
    whole = np.where(known, values, 0.0)
    for column in np.flatnonzero(~known.all(0)):
        rows = known[:, column]
        if rows.any():
            whole[~rows, column] = np.interp(times[~rows], times[rows], values[rows, column])
    return whole


def listed(names: list[str] | tuple[str, ...], most: int = 8) -> str:
    """Return names as people list them: `a, b and c`; long lists end in how many more there are."""
    shown = ["".join(c if c.isprintable() else "?" for c in name[:40]) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
