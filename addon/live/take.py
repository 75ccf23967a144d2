"""A take: every frame that arrived while it was recorded, in little memory; and the performance that it becomes."""

from __future__ import annotations

from array import array

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.motion import Motion

from .packets import MAX_RATE, LivePacket
from .shaping import Shaping, to_motion

MAX_FRAMES = 216_000
"""An hour at 60 frames a second, 50 MB."""
AGREEMENT = 1.0
"""Seconds by which a sender's clock may differ between two frames from ours; by more, and ours is taken."""
LEAST_STEP = 1e-4
RATES = (24, 25, 30, 48, 50, 60, 90, 120)
NEAR = 0.05
"""How far a rate may be from one of these, as a part of it, and be called so."""
USUAL_FPS = 60.0
_ROW = len(ARKIT_NAMES) + 3


class Take:
    """Frames as they arrive."""

    def __init__(self) -> None:
        self._rows, self._times, self._seen = array("f"), array("d"), bytearray()
        self._before: tuple[float, float | None] | None = None
        self._fps: float | None = None

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self._times)

    @property
    def full(self) -> bool:
        """Whether no frame is added any more."""
        return len(self) >= MAX_FRAMES

    @property
    def seconds(self) -> float:
        """The length so far."""
        return self._times[-1] if self._times else 0.0

    def add(self, packet: LivePacket, arrival: float) -> None:
        """Add a frame; `arrival` in seconds. While the app sees no face the last pose is held."""
        if self.full or not (packet.seen or self._times):
            return
        if packet.seen:
            self._rows.extend(np.concatenate([packet.controls, packet.rotation]).tolist())
        else:
            self._rows.extend(self._rows[-_ROW:])
        self._times.append(self.seconds + self._step(arrival, packet.time))
        self._seen.append(packet.seen)
        self._before = (arrival, packet.time)
        self._fps = packet.fps or self._fps

    def motion(self, shaping: Shaping) -> Motion:
        """Return the take as a performance, its first frame at 0 s. Raises ValueError if it has no frame."""
        if not self._times:
            raise ValueError("the take is empty")
        rows = np.array(self._rows, np.float32).reshape(-1, _ROW)
        times, seen = np.array(self._times, np.float64), np.frombuffer(bytes(self._seen), np.uint8)
        return to_motion(times, rows[:, :-3], rows[:, -3:], seen, self._fps or _nominal(times), shaping)

    def _step(self, arrival: float, own: float | None) -> float:
        """Return the seconds since the frame before, by the sender's clock where it makes sense."""
        if self._before is None:
            return 0.0
        arrived = arrival - self._before[0]
        if own is None or self._before[1] is None or not abs(own - self._before[1] - arrived) < AGREEMENT:
            return max(arrived, LEAST_STEP)
        return max(own - self._before[1], LEAST_STEP)


def _nominal(times: np.ndarray) -> float:
    """Return the frames a second that arrivals suggest."""
    if len(times) < 2:
        return USUAL_FPS
    measured = 1 / float(np.median(np.diff(times)))
    nearest = min(RATES, key=lambda rate: abs(rate - measured))
    return float(nearest if abs(nearest - measured) < NEAR * nearest else np.clip(round(measured), 1, MAX_RATE))
