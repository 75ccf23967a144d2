"""What face capture apps send over UDP: one datagram is one frame. Whatever is not exactly such a frame is refused.

Convention: angles about head space's axes (x to the subject's left, y up, z out of the face), radians; left
and right are the subject's own. A head that faces the camera has rotation 0.

iFacialMocap, https://www.ifacialmocap.com/for-developer/: text. `NAME-VALUE|...|=head#rx,ry,rz,x,y,z|rightEye#rx,ry,rz|
leftEye#rx,ry,rz|`, values 0..100, degrees, metres from the camera; version 2 has `NAME&VALUE`. No time stamp.

Live Link Face: Unreal Engine's AppleARKitFaceSupport, as read by PyLiveLinkFace (github.com/JimWest/PyLiveLinkFace):
big-endian. Version (uint8, 6), device and subject (int32 length, UTF-8), frame (int32), subframe (float32), frame rate
(two int32, numerator and denominator), count (uint8, 61), that many float32 in the order of the app's own CSV: 52
controls, then yaw, pitch and roll of the head and of each eye. While no face is seen the packet ends after the names.
PyLiveLinkFace takes Unreal's order, where left and right of jaw and mouth change places; what arrives is the CSV's
(github.com/nmfisher/blender_livelinkface, pull request 1).

Of the head its rotation is taken. Its distance from a phone that is held in a hand says more of the hand; and the eyes
turn by their eyeLook controls, which say the same as their angles.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, TypeVar

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES, arkit_name

from .rotations import euler_to_rotvec

Array = Annotated
T = TypeVar("T")
MAX_BYTES = 4096
"""A real packet has 300 to 1,600."""
OVERSHOOT = 0.5
"""How far a control may lie outside 0..1, as calibrated ones do; it is clamped. What lies further out is refused."""
MAX_METRES = 10.0
FULL_TURN = 2 * math.pi
MAX_RATE = 1000.0
MAX_NAME = 256

IFACIALMOCAP_PORT, LIVE_LINK_PORT = 49983, 11111
GREETING = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
"""What iFacialMocap waits for, on its port, before it sends."""

_LIVE_LINK_VERSION = 6
_LIVE_LINK_NAMES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthRight", "mouthLeft", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
_FROM_LIVE_LINK = np.array([_LIVE_LINK_NAMES.index(name) for name in ARKIT_NAMES])
_LIVE_LINK_VALUES = len(ARKIT_NAMES) + 9
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d{1,12})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_CONTROL = re.compile(rf"([A-Za-z]\w{{0,63}})[-&]({_NUMBER.pattern})", re.ASCII)
_arkit_name = lru_cache(256)(arkit_name)  # the same names come 60 times a second
_SECTIONS = {"=head": 6, "rightEye": 3, "leftEye": 3}
"""What follows the controls of iFacialMocap, and how many numbers each has."""


@dataclass(frozen=True, eq=False)
class LivePacket:
    """A frame of a face."""

    source: str
    """The app."""
    controls: Array[np.ndarray, "52"]
    """float32, 0..1, in ARKIT_NAMES' order."""
    rotation: Array[np.ndarray, "3"]
    """Of the head against the camera: a rotation vector."""
    seen: bool
    """False while the app sees no face; the rest is zero then."""
    time: float | None = None
    """Seconds by the sender's own clock."""
    fps: float | None = None
    """The sender's nominal rate."""


def read_packet(data: bytes) -> LivePacket | None:
    """Return the frame that a datagram holds; None if it is not a well-formed one."""
    if not 0 < len(data) <= MAX_BYTES:
        return None
    try:
        return _read_live_link(data) if data[0] == _LIVE_LINK_VERSION else _read_text(data)
    except (ValueError, struct.error):
        return None


def _read_text(data: bytes) -> LivePacket:
    """Read iFacialMocap's text. Raises ValueError."""
    *fields, end = data.decode("ascii").split("|")
    if end:
        raise ValueError("the end is missing")
    sections = _once([_section(field) for field in fields if "#" in field])
    values = _once([_control(field) for field in fields if "#" not in field])
    controls = _once([(known, value) for name, value in values.items() if (known := _arkit_name(name))])
    if "=head" not in sections or not controls:
        raise ValueError("that is no face")
    angles = sections["=head"][:3]
    if max(map(abs, sections["=head"][3:])) > MAX_METRES:
        raise ValueError("that is too far away")
    return LivePacket(
        "iFacialMocap",
        _checked_controls(np.array([controls.get(name, 0.0) / 100 for name in ARKIT_NAMES])),
        euler_to_rotvec(*(_bounded(math.radians(angle), FULL_TURN) for angle in angles)),
        seen=values.get("trackingStatus", 1.0) != 0,
    )


def _once(pairs: list[tuple[str, T]]) -> dict[str, T]:
    """Return what each name stands for; ARKit's names in one of their spellings count as one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _control(field: str) -> tuple[str, float]:
    match = _CONTROL.fullmatch(field)
    if match is None:
        raise ValueError("that is no control")
    return match[1], float(match[2])


def _section(field: str) -> tuple[str, list[float]]:
    name, _, numbers = field.partition("#")
    parts = numbers.split(",")
    if len(parts) != _SECTIONS.get(name) or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError("that is no part of a face")
    return name, [float(part) for part in parts]


def _read_live_link(data: bytes) -> LivePacket:
    """Read Live Link Face's packet. Raises ValueError, struct.error."""
    place = _skip_name(data, _skip_name(data, 1))
    if place == len(data):
        return LivePacket("Live Link Face", np.zeros(len(ARKIT_NAMES), np.float32), np.zeros(3), seen=False)
    frame, part, numerator, denominator, count = struct.unpack_from(">ifiiB", data, place)
    place += struct.calcsize(">ifiiB")
    if count != _LIVE_LINK_VALUES or len(data) - place != 4 * count:
        raise ValueError("that is not as long as it says")
    if frame < 0 or not 0 <= part <= 1 or denominator < 1 or not 0 < numerator <= MAX_RATE * denominator:
        raise ValueError("that is no time")
    values = np.frombuffer(data, ">f4", count, place).astype(np.float64)
    yaw, pitch, roll = (_bounded(float(angle), FULL_TURN) for angle in values[len(ARKIT_NAMES) :][:3])
    return LivePacket(
        "Live Link Face",
        _checked_controls(values[: len(ARKIT_NAMES)][_FROM_LIVE_LINK]),
        euler_to_rotvec(pitch, -yaw, -roll),
        seen=True,
        time=(frame + part) * denominator / numerator,
        fps=numerator / denominator,
    )


def _skip_name(data: bytes, place: int) -> int:
    """Return where a name ends."""
    (length,) = struct.unpack_from(">i", data, place)
    end = place + 4 + length
    if not 0 <= length <= MAX_NAME or end > len(data):
        raise ValueError("that is no name")
    data[place + 4 : end].decode("utf-8")
    return end


def _checked_controls(values: np.ndarray) -> np.ndarray:
    if not ((values >= -OVERSHOOT) & (values <= 1 + OVERSHOOT)).all():  # not a number is neither
        raise ValueError("that is no control's value")
    return np.clip(values, 0, 1).astype(np.float32)


def _bounded(value: float, limit: float) -> float:
    if not abs(value) <= limit:
        raise ValueError("that is out of bounds")
    return value
