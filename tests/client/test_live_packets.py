"""Packets of face capture apps: what they say, and that nothing else is taken."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from addon.live.packets import MAX_BYTES, LivePacket, read_packet
from hypothesis import example, given
from hypothesis import strategies as st
from live_packets import IFACIALMOCAP, live_link_packet, text_packet
from scipy.spatial.transform import Rotation

from likeness.contract.arkit import ARKIT_NAMES, arkit_name

ARKIT = Path(__file__).resolve().parents[3] / "shared" / "data" / "arkit"


def value(packet: LivePacket, name: str) -> float:
    return float(packet.controls[ARKIT_NAMES.index(name)])


def turned(degrees: tuple[float, float, float]) -> np.ndarray:
    x, y, z = degrees
    return Rotation.from_euler("YXZ", (y, x, z), degrees=True).as_rotvec()


def is_whole(packet: LivePacket) -> bool:
    numbers = np.concatenate([packet.controls, packet.rotation])
    return bool(np.isfinite(numbers).all() and (packet.controls >= 0).all() and (packet.controls <= 1).all())


def test_every_value_of_the_makers_example_arrives():
    packet = read_packet(IFACIALMOCAP)
    sent = dict(re.findall(r"(\w+)-(\d+)\|", IFACIALMOCAP.decode()))
    assert len(sent) == len(ARKIT_NAMES)
    for name, number in sent.items():
        assert value(packet, arkit_name(name)) == pytest.approx(int(number) / 100)
    assert packet.seen and packet.time is None and packet.source == "iFacialMocap"
    np.testing.assert_allclose(packet.rotation, turned((-21.488958, -6.038993, -6.6019735)), atol=1e-9)


def test_a_real_packet_is_read_and_looks_where_its_eyes_look():
    real = ARKIT / "ifacialmocap_packet.txt"
    if not real.exists():
        pytest.skip("no shared/data beside the checkout")
    packet = read_packet(real.read_bytes().strip())
    assert packet.seen and value(packet, "eyeLookInLeft") == pytest.approx(0.25)
    assert packet.rotation[0] < 0, "the phone is held low, so the head looks up against it"


def test_the_second_version_and_arkits_own_spellings_are_read():
    packet = read_packet(b"jawOpen&40|mouthSmileLeft&-3|FM_SAD&12|=head#0,0,0,0,0,0|rightEye#0,0,0|leftEye#0,0,0|")
    assert value(packet, "jawOpen") == pytest.approx(0.4) and value(packet, "mouthSmileLeft") == 0


def test_a_phone_that_sees_no_face_says_so():
    assert not read_packet(text_packet(trackingStatus=0, jawOpen=10)).seen
    assert read_packet(text_packet(trackingStatus=1, jawOpen=10)).seen


def test_live_link_face_comes_in_the_order_of_its_own_files():
    packet = read_packet(live_link_packet([i / 100 for i in range(52)] + [0.0] * 9))
    found = {name: value(packet, name) for name in ARKIT_NAMES}
    header = "eyeBlinkLeft=0 eyeWideRight=13 jawForward=14 jawRight=15 jawLeft=16 jawOpen=17 mouthRight=21 mouthLeft=22"
    for name, place in (pair.split("=") for pair in f"{header} browInnerUp=43 tongueOut=51".split()):
        assert found[name] == pytest.approx(int(place) / 100), name
    assert packet.seen and packet.fps == 60 and packet.time == pytest.approx((1000 + 0.25) / 60)


@pytest.mark.parametrize("name", ["livelink_happy.csv", "livelink_raw_uncalibrated.csv"])
def test_live_link_faces_order_is_that_of_real_files(name):
    if not (ARKIT / name).exists():
        pytest.skip("no shared/data beside the checkout")
    columns = (ARKIT / name).read_text("utf-8-sig").splitlines()[0].split(",")[2:]
    packet = read_packet(live_link_packet([i / 100 for i in range(52)] + [0.0] * 9))
    for place, column in enumerate(columns[:52]):
        assert value(packet, arkit_name(column)) == pytest.approx(place / 100), column
    assert columns[52:55] == ["HeadYaw", "HeadPitch", "HeadRoll"]


def test_live_link_faces_head_turns_as_its_eyes_do():
    """A positive pitch looks down and a positive yaw to the subject's right, as EyeLookDown and EyeLookIn show."""
    values = [0.0] * 52 + [0.2, 0.1, -0.05] + [0.0] * 6
    packet = read_packet(live_link_packet(values))
    np.testing.assert_allclose(packet.rotation, turned(tuple(np.degrees([0.1, -0.2, 0.05]))), atol=1e-6)
    forward = Rotation.from_rotvec(packet.rotation).apply([0, 0, 1])
    assert forward[1] < 0 and forward[0] < 0


def test_live_link_face_without_a_face_is_a_frame_in_which_nothing_is_seen():
    empty = live_link_packet()[: 1 + 4 + 36 + 4 + 3]
    packet = read_packet(empty)
    assert packet is not None and not packet.seen and is_whole(packet)


@pytest.mark.parametrize("packet", [IFACIALMOCAP, live_link_packet()], ids=["text", "binary"])
def test_no_part_of_a_packet_passes_for_a_whole_one(packet):
    nothing_seen = {1 + 4 + 36 + 4 + 3}
    for length in range(len(packet)):
        found = read_packet(packet[:length])
        assert found is None or not found.seen or packet[length - 1 : length] == b"|"
        if packet[0] == 6:
            assert (found is None) == (length not in nothing_seen)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x00" * 300,
        b"\xff" * 300,
        b"|" * MAX_BYTES,
        IFACIALMOCAP + b"x" * MAX_BYTES,
        IFACIALMOCAP * 2,
        IFACIALMOCAP.decode().encode("utf-16"),
        IFACIALMOCAP.replace(b"jawOpen", "kieferöffnen".encode()),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen-nan"),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen-inf"),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen--90"),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen-1e9"),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen-0x12"),
        IFACIALMOCAP.replace(b"jawOpen-12", "jawOpen-१२".encode()),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen-"),
        IFACIALMOCAP.replace(b"jawOpen-12", b"jawOpen-12|jawOpen-12"),
        IFACIALMOCAP.replace(b"jawOpen-12", b"mouthLeft-12|mouth_left-12"),
        IFACIALMOCAP.replace(b"=head#-21.488958", b"=head#720"),
        IFACIALMOCAP.replace(b"=head#-21.488958,", b"=head#"),
        IFACIALMOCAP.replace(b"-0.6584072", b"-65.8"),
        IFACIALMOCAP.replace(b"=head", b"=hand"),
        b'{"jawOpen": 12}',
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_text_that_is_no_face_is_refused(data):
    assert read_packet(data) is None


@pytest.mark.parametrize(
    "data",
    [
        live_link_packet(version=5),
        live_link_packet(count=60),
        live_link_packet((0.0,) * 60),
        live_link_packet((0.0,) * 62),
        live_link_packet((math.nan,) + (0.0,) * 60),
        live_link_packet((math.inf,) + (0.0,) * 60),
        live_link_packet((-0.9,) + (0.0,) * 60),
        live_link_packet((0.0,) * 52 + (7.0,) + (0.0,) * 8),
        live_link_packet((0.0,) * 52 + (math.nan,) + (0.0,) * 8),
        live_link_packet(frame=-1),
        live_link_packet(part=math.nan),
        live_link_packet(rate=(60, 0)),
        live_link_packet(rate=(-60, 1)),
        live_link_packet(rate=(2**31 - 1, 1)),
        live_link_packet(device=b"\xff\xfe"),
        live_link_packet(subject=b"A" * 300),
        live_link_packet() + b"\0",
        b"\x06" + struct.pack(">i", 2**31 - 1) + b"A" * 100,
        b"\x06" + struct.pack(">i", -5) + b"A" * 100,
    ],
)
def test_binary_that_is_no_face_is_refused(data):
    assert read_packet(data) is None


@given(st.binary(max_size=600))
def test_any_bytes_are_refused_or_whole(data):
    for each in (data, b"\x06" + data):
        packet = read_packet(each)
        assert packet is None or is_whole(packet)


@given(st.integers(0, len(IFACIALMOCAP) - 1), st.integers(0, 255), st.integers(0, 350))
@example(0, 6, 0)
def test_a_changed_byte_gives_a_whole_packet_or_none(place, byte, other):
    for original, at in ((IFACIALMOCAP, place), (live_link_packet([0.5] * 61), other % 300)):
        changed = bytearray(original)
        changed[at % len(original)] = byte
        packet = read_packet(bytes(changed))
        assert packet is None or is_whole(packet)


@given(st.lists(st.floats(width=32), min_size=61, max_size=61))
def test_any_floats_give_a_whole_packet_or_none(values):
    packet = read_packet(live_link_packet(values))
    assert packet is None or is_whole(packet)
    if all(0 <= each <= 1 for each in values):
        assert packet is not None
