"""Packets as face capture apps send them, for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence

IFACIALMOCAP = (
    b"mouthSmile_R-0|eyeLookOut_L-0|mouthUpperUp_L-11|eyeWide_R-0|mouthClose-8|mouthPucker-4|mouthRollLower-9|eyeBlink_R-7|"
    b"eyeLookDown_L-17|cheekSquint_R-11|eyeBlink_L-7|tongueOut-0|jawRight-0|eyeLookIn_R-6|cheekSquint_L-11|mouthDimple_L-10|"
    b"mouthPress_L-4|eyeSquint_L-11|mouthRight-0|mouthShrugLower-9|eyeLookUp_R-0|eyeLookOut_R-0|mouthPress_R-5|cheekPuff-2|"
    b"jawForward-11|mouthLowerDown_L-9|mouthFrown_L-6|mouthShrugUpper-26|browOuterUp_L-4|browInnerUp-20|mouthDimple_R-10|"
    b"browDown_R-0|mouthUpperUp_R-10|mouthRollUpper-8|mouthFunnel-12|mouthStretch_R-21|mouthFrown_R-13|eyeLookDown_R-17|"
    b"jawOpen-12|jawLeft-0|browDown_L-0|mouthSmile_L-0|noseSneer_R-18|mouthLowerDown_R-8|noseSneer_L-21|eyeWide_L-0|"
    b"mouthStretch_L-21|browOuterUp_R-4|eyeLookIn_L-4|eyeSquint_R-11|eyeLookUp_L-0|mouthLeft-1|"
    b"=head#-21.488958,-6.038993,-6.6019735,-0.030653415,-0.10287084,-0.6584072|"
    b"rightEye#6.0297494,2.4403017,0.25649446|leftEye#6.034903,-1.6660284,-0.17520553|"
)
"""The example of https://www.ifacialmocap.com/for-developer/."""


def text_packet(head: Sequence[float] = (0, 0, 0, 0, 0, -0.4), **controls: float) -> bytes:
    """Return an iFacialMocap packet with these controls (0..100) and head (degrees, metres)."""
    named = "".join(f"{name}-{value:g}|" for name, value in controls.items())
    return f"{named}=head#{','.join(f'{number:.6f}' for number in head)}|".encode()


def live_link_packet(
    values: Sequence[float] = (0.0,) * 61, frame: int = 1000, *, part: float = 0.25, rate: tuple[int, int] = (60, 1),
    count: int = 61, version: int = 6, device: bytes = b"0A1B2C3D-0000-1111-2222-333344445555", subject: bytes = b"Ada",
) -> bytes:  # fmt: skip
    """Return a Live Link Face packet."""
    names = b"".join(struct.pack(">i", len(name)) + name for name in (device, subject))
    data = struct.pack(">ifii", frame, part, *rate) + struct.pack("B", count) + struct.pack(f">{len(values)}f", *values)
    return struct.pack("B", version) + names + data
