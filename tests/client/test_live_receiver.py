"""The receiver on real sockets of the loopback: what it takes, refuses, counts and survives; and takes."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from addon.live import receiver as receiving
from addon.live.packets import GREETING, LivePacket, read_packet
from addon.live.receiver import Counts, Receiver
from addon.live.shaping import Shaping, packet_to_motion
from addon.live.take import Take
from live_packets import IFACIALMOCAP, live_link_packet, text_packet
from scipy.spatial.transform import Rotation

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import InputError, LikenessError
from likeness.contract.motion import check_motion

JAW = ARKIT_NAMES.index("jawOpen")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    listening = Receiver(port=0)
    yield listening
    listening.stop()


@pytest.fixture
def phone(receiver: Receiver) -> Iterator[Callable[[bytes], None]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        yield lambda data: sender.sendto(data, ("127.0.0.1", receiver.port))


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.005)


def looked_at(receiver: Receiver) -> int:
    counts = receiver.counts
    return counts.taken + counts.not_understood + counts.too_many + counts.late + counts.foreign


def test_a_packet_arrives(receiver, phone):
    assert receiver.latest is None and receiver.listening
    phone(IFACIALMOCAP)
    until(lambda: receiver.latest is not None)
    assert receiver.latest.sender == "127.0.0.1"
    assert receiver.latest.packet.controls[JAW] == pytest.approx(0.12)
    assert receiver.counts.taken == 1


def test_only_the_newest_frame_is_kept_for_display(receiver, phone):
    for number in range(30):
        phone(text_packet(jawOpen=number))
    until(lambda: looked_at(receiver) == 30)
    assert receiver.latest.packet.controls[JAW] == pytest.approx(0.29)


def test_garbage_is_counted_and_the_next_frame_is_taken(receiver, phone):
    rng = random.Random(1)
    for _ in range(20):
        phone(rng.randbytes(rng.randrange(1, 3000)))
    for data in (b"", b"x" * 60000, IFACIALMOCAP.replace(b"-12|", b"-nan|"), IFACIALMOCAP[:500]):
        phone(data)
    until(lambda: receiver.counts.not_understood == 24)
    phone(IFACIALMOCAP)
    until(lambda: receiver.counts.taken == 1)
    assert looked_at(receiver) == 25


def test_frames_twice_and_out_of_order_are_left_out_and_a_clock_that_begins_anew_is_not(receiver, phone):
    for frame in (1000, 1001, 1001, 1000, 1002, 10, 11):
        phone(live_link_packet(frame=frame))
    until(lambda: looked_at(receiver) == 7)
    assert (receiver.counts.taken, receiver.counts.late) == (5, 2)


def test_a_flood_is_dropped_and_counted_in_constant_memory(receiver, phone):
    receiver.record()
    tracemalloc.start()
    begun = time.monotonic()
    for number in range(6000):
        phone(text_packet(jawOpen=number % 100))
        if number % 50 == 0:
            time.sleep(0.001)
    until(lambda: not receiver.latest or time.monotonic() - receiver.latest.arrival > 0.1)
    elapsed = time.monotonic() - begun
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    counts = receiver.counts
    assert counts.too_many > 0 and counts.taken > 0
    assert counts.taken <= receiving.BURST + receiving.MAX_RATE * elapsed + 1
    assert held < 2_000_000
    assert len(receiver.take) == counts.taken
    begun = time.monotonic()
    receiver.stop()
    assert time.monotonic() - begun < 0.5 and not receiver.listening


def test_it_stops_within_half_a_second_and_frees_its_port():
    first = Receiver(port=0)
    begun = time.monotonic()
    first.stop()
    assert time.monotonic() - begun < 0.5
    assert not first.listening and not [each for each in threading.enumerate() if each.name == "likeness-live"]
    second = Receiver(port=first.port)
    second.stop()
    second.stop()


def test_two_may_not_share_a_port(receiver):
    with pytest.raises(LikenessError) as caught:
        Receiver(port=receiver.port)
    assert caught.value.code == "live.port_taken" and str(receiver.port) in caught.value.message
    assert "another port" in caught.value.remedy


@pytest.mark.parametrize("address", ["", "localhost", "300.1.1.1", "224.0.0.1", "phone.local", "1.2.3"])
def test_what_is_no_address_is_refused_without_a_look_up(address):
    with pytest.raises(InputError, match="IP address"):
        Receiver(address=address, port=0)


def test_an_address_of_somebody_else_is_refused():
    with pytest.raises(LikenessError) as caught:
        Receiver(address="192.0.2.7", port=0)
    assert caught.value.code == "live.no_address"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may open any port sees no refusal")
def test_a_port_that_needs_rights_is_refused_with_a_remedy():
    with pytest.raises(LikenessError) as caught:
        Receiver(port=1)
    assert "1024" in caught.value.remedy


def test_one_sender_is_heeded_at_a_time(monkeypatch):
    monkeypatch.setattr(receiving, "SILENCE", 0.3)
    listening = Receiver(address="0.0.0.0", port=0)
    first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    try:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.2", 0))
        for sender, jaw in ((first, 10), (second, 90)):
            sender.sendto(text_packet(jawOpen=jaw), ("127.0.0.1", listening.port))
            until(lambda: looked_at(listening) > 0)
        until(lambda: listening.counts.foreign == 1)
        assert listening.latest.packet.controls[JAW] == pytest.approx(0.1)
        time.sleep(0.4)
        second.sendto(text_packet(jawOpen=90), ("127.0.0.1", listening.port))
        until(lambda: listening.counts.taken == 2)
        assert listening.latest.sender == "127.0.0.2"
    finally:
        for each in (first, second, listening):
            each.stop() if isinstance(each, Receiver) else each.close()


def test_with_a_phones_address_nobody_else_is_heeded():
    listening = Receiver(port=0, phone="127.0.0.3")
    try:
        for source, taken in (("127.0.0.1", 0), ("127.0.0.3", 1)):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((source, 0))
                sender.sendto(IFACIALMOCAP, ("127.0.0.1", listening.port))
            until(lambda: looked_at(listening) > 0)
            until(lambda taken=taken: listening.counts.taken == taken)
        assert listening.counts.foreign == 1
    finally:
        listening.stop()


def test_a_phone_is_greeted_from_the_port_that_listens(receiver, monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as app:
        app.bind(("127.0.0.1", 0))
        app.settimeout(5)
        monkeypatch.setattr(receiving, "IFACIALMOCAP_PORT", app.getsockname()[1])
        receiver.greet("127.0.0.1")
        data, sender = app.recvfrom(100)
    assert data == GREETING and sender[1] == receiver.port


def test_a_take_is_a_performance_by_the_senders_clock(receiver, phone):
    receiver.record()
    for frame in (0, 1, 2, 4):
        phone(live_link_packet([0.0] * 17 + [frame / 8] + [0.0] * 34 + [0.0, 0.1, 0.0] + [0.0] * 6, frame=frame))
    until(lambda: len(receiver.take) == 4)
    motion = receiver.end_take().motion(Shaping())
    check_motion(motion)
    assert receiver.take is None
    np.testing.assert_allclose(motion.times, [0, 1 / 60, 2 / 60, 4 / 60])
    np.testing.assert_allclose(motion.expr[:, JAW], [0, 1 / 8, 2 / 8, 4 / 8])
    np.testing.assert_allclose(motion.neck_pose, [[0.1, 0, 0]] * 4, atol=1e-6)
    assert motion.fps == 60 and motion.head_model == "open" and motion.expr_names == ARKIT_NAMES
    assert not motion.rotation.any() and not motion.eyes_pose.any() and motion.observed.all()


def test_without_a_clock_frames_have_the_times_of_their_arrival():
    take = Take()
    for number in range(60):
        take.add(read_packet(text_packet(jawOpen=number)), 100 + number / 30)
    motion = take.motion(Shaping())
    np.testing.assert_allclose(motion.times, np.arange(60) / 30)
    assert motion.fps == 30


def test_a_clock_that_jumps_is_not_believed():
    take = Take()
    for frame, arrival in ((600, 5.0), (601, 5.02), (0, 5.04), (1, 5.06)):
        take.add(read_packet(live_link_packet(frame=frame)), arrival)
    np.testing.assert_allclose(take.motion(Shaping()).times, np.cumsum([0, 1 / 60, 0.02, 1 / 60]))


def test_while_no_face_is_seen_the_last_pose_is_held():
    take, hidden = Take(), read_packet(live_link_packet()[: 1 + 4 + 36 + 4 + 3])
    for number, packet in enumerate([hidden, read_packet(text_packet(jawOpen=50)), hidden, hidden]):
        take.add(packet, number / 60)
    motion = take.motion(Shaping())
    np.testing.assert_allclose(motion.expr[:, JAW], 0.5)
    assert motion.observed.tolist() == [1, 0, 0]


def test_a_take_that_is_full_takes_no_more(monkeypatch):
    monkeypatch.setattr("addon.live.take.MAX_FRAMES", 5)
    take, packet = Take(), read_packet(IFACIALMOCAP)
    for number in range(9):
        take.add(packet, number / 60)
    assert take.full and len(take) == 5 and take.seconds == pytest.approx(4 / 60)


def test_an_empty_take_is_no_performance():
    with pytest.raises(ValueError, match="empty"):
        Take().motion(Shaping())


def test_the_rest_is_nothing_and_what_is_left_is_the_whole_range():
    rest = read_packet(text_packet((10, 20, 5, 0, 0.1, -0.4), jawOpen=20, mouthSmile_L=40))
    nothing = packet_to_motion(rest, Shaping(rest=rest))
    for each in (nothing.expr, nothing.pose):
        np.testing.assert_allclose(each, 0, atol=1e-6)
    full = packet_to_motion(read_packet(text_packet(jawOpen=60, mouthSmile_L=100)), Shaping(rest=rest))
    assert full.expr[0, JAW] == pytest.approx(0.5)
    assert full.expr[0, ARKIT_NAMES.index("mouthSmileLeft")] == pytest.approx(1)


def test_the_head_moves_as_seen_from_its_rest():
    """However the phone is held: a nod of 10 degrees about the head's own ear-to-ear axis stays one."""
    held = Rotation.from_euler("YXZ", (30, -20, 8), degrees=True)
    rest, nod = (_with_head(turn.as_rotvec()) for turn in (held, held * Rotation.from_euler("X", 10, degrees=True)))
    found = packet_to_motion(nod, Shaping(rest=rest))
    np.testing.assert_allclose(found.neck_pose, [[np.radians(10), 0, 0]], atol=1e-6)


def test_the_mirror_changes_sides_of_face_and_head():
    packet = read_packet(text_packet((10, 20, 5, 0.1, 0.2, -0.4), mouthSmile_L=40, jawLeft=30, jawOpen=20))
    plain, mirrored = (packet_to_motion(packet, Shaping(mirror=mirror)) for mirror in (False, True))
    sides = {"mouthSmileRight": 0.4, "mouthSmileLeft": 0, "jawRight": 0.3, "jawLeft": 0, "jawOpen": 0.2}
    for name, value in sides.items():
        assert mirrored.expr[0, ARKIT_NAMES.index(name)] == pytest.approx(value), name
    reflection = np.diag([-1, 1, 1])
    turn, other = (Rotation.from_rotvec(each.neck_pose[0]).as_matrix() for each in (plain, mirrored))
    np.testing.assert_allclose(other, reflection @ turn @ reflection, atol=1e-6)


def test_what_was_left_out_is_told_in_words():
    assert Counts().sentences() == []
    told = Counts(taken=5, not_understood=12, late=1).sentences()
    assert told == ["12 packets were not understood.", "1 packet was late or came twice."]


def _with_head(rotation: np.ndarray) -> LivePacket:
    return LivePacket("test", np.zeros(len(ARKIT_NAMES), np.float32), rotation, seen=True)
