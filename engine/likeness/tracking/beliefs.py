"""What is believed of a performer before any picture is seen: how far controls go, how fast heads and faces move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.tracking.evidence import RARE
from likeness.tracking.temporal import Motionless


@dataclass(frozen=True)
class Beliefs:
    """Of a control c: (c + shift)^2 / deviation^2, a Gaussian and, as c >= 0, an L1 norm; and of its motion."""

    deviations: Float[np.ndarray, "52"]
    shift: float
    motionless: Motionless


def _channels(usual: float, **others: float) -> np.ndarray:
    """Return a value for every control; names are beginnings."""
    values = np.full(len(ARKIT_NAMES), usual)
    for k, name in enumerate(ARKIT_NAMES):
        values[k] = next((value for start, value in others.items() if name.startswith(start)), usual)
    return values


_ROTATION, _TRANSLATION = np.full(3, 1.0), np.full(3, 0.1)
MOTIONLESS = Motionless(
    acceleration=np.concatenate([_ROTATION, _TRANSLATION, _channels(5.0, eyeBlink=100.0, eyeLook=7.0)]),
    speed=np.concatenate([5 * _ROTATION, 5 * _TRANSLATION, _channels(3.0, eyeBlink=30.0)]),
)
_RARE = np.isin(ARKIT_NAMES, RARE)
_BESIDE_OTHERS = _channels(
    1.0, mouthUpperUp=0.35, mouthLowerDown=0.35, mouthPress=0.35, mouthClose=0.3, eyeSquint=0.5, eyeWide=0.35,
    browDown=0.5, eyeBlink=2.0,
)  # fmt: skip
FRAME_BELIEFS = Beliefs(np.where(_RARE, np.minimum(_BESIDE_OTHERS, 0.5), _BESIDE_OTHERS), 0.02, MOTIONLESS)
"""Where identity and personal offsets are known. Jaw and blinks are to explain what lips and lids could explain too."""
IDENTITY_BELIEFS = Beliefs(np.where(_RARE, 0.15, 0.45), 0.22, MOTIONLESS)
"""While they are sought: faces are mostly near rest, so that what never changes belongs to the person."""
OFFSET_BELIEFS = IDENTITY_BELIEFS
