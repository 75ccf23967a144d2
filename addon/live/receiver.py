"""A thread with a UDP socket: the latest frame for display, every frame of a take, and counts of what was refused.

It heeds one sender at a time, keeps no more than one frame besides a take, and ends within half a second.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import sys
import threading
import time
from dataclasses import dataclass

from likeness.contract.errors import InputError, LikenessError, MachineError

from .packets import GREETING, IFACIALMOCAP_PORT, MAX_BYTES, LivePacket, read_packet
from .take import Take

LOOPBACK, ANYWHERE = "127.0.0.1", "0.0.0.0"
PATIENCE = 0.2
"""Seconds that the thread waits for a packet before it looks whether it shall end."""
MAX_RATE, BURST = 240.0, 60.0
"""Packets a second, and at once; what exceeds them is not looked at. Apps send 60 a second."""
REST, REST_AFTER = 0.005, 64
"""In a flood the thread sleeps so many seconds after so many packets; the system drops the others."""
SILENCE = 2.0
"""Seconds without a frame after which another sender may take over, or the same one begin its clock anew."""


@dataclass
class Counts:
    """Packets since the beginning."""

    taken: int = 0
    not_understood: int = 0
    too_many: int = 0
    late: int = 0
    """Older than what came before, or the same again."""
    foreign: int = 0
    """From somebody else than the one who is heeded."""

    def sentences(self) -> list[str]:
        """Return what a person should know; nothing while all is well."""
        told = (
            (self.not_understood, "not understood"),
            (self.foreign, "of another sender and left out"),
            (self.too_many, "too many at once and left out"),
            (self.late, "late or came twice"),
        )
        return [f"{count:,} {'packet was' if count == 1 else 'packets were'} {what}." for count, what in told if count]


@dataclass(frozen=True)
class Received:
    """A frame, when it arrived (seconds, `time.monotonic`) and from which address."""

    packet: LivePacket
    arrival: float
    sender: str


class Receiver:
    """Listens from its making until `stop`."""

    def __init__(self, address: str = LOOPBACK, port: int = IFACIALMOCAP_PORT, phone: str = "") -> None:
        """Open the port; with `phone`, heed this address alone.

        Errors: InputError `live.address`, MachineError `live.port_taken`, `live.no_address`, `live.port`.
        """
        self.counts = Counts()
        self.latest: Received | None = None
        self._phone = str(read_address(phone)) if phone else ""
        self._take: Take | None = None
        self._lock = threading.Lock()
        self._allowance, self._filled = BURST, time.monotonic()
        self._socket = _open(address, port)
        self.address, self.port = self._socket.getsockname()[:2]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="likeness-live", daemon=True)
        self._thread.start()

    @property
    def listening(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    @property
    def take(self) -> Take | None:
        """The take that is being recorded."""
        return self._take

    def stop(self) -> None:
        """Close the port and wait for the thread; a take that is being recorded is gone."""
        self._stopping.set()
        self._thread.join(2 * PATIENCE)
        self._socket.close()

    def record(self, take: Take | None = None) -> None:
        """Begin a take, or go on with one."""
        with self._lock:
            self._take = take or Take()

    def end_take(self) -> Take:
        """End the take and return it; empty if none was begun."""
        with self._lock:
            take, self._take = self._take or Take(), None
        return take

    def greet(self, phone: str) -> None:
        """Ask iFacialMocap on a phone to send here. Errors: InputError `live.address`, MachineError `live.greeting`."""
        target = read_address(phone)
        try:
            self._socket.sendto(GREETING, (str(target), IFACIALMOCAP_PORT))
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"The greeting cannot be sent from {self.address} to {target} ({reason})."
            raise MachineError("live.greeting", message, "Listen on an address in the phone's network.") from error

    def _run(self) -> None:
        left_out = 0
        while not self._stopping.is_set():
            try:
                data, sender = self._socket.recvfrom(MAX_BYTES + 1)  # one more shows what is too long
            except TimeoutError:
                continue
            except OSError:  # Windows: a datagram that is too long, or the greeting found nobody
                self.counts.not_understood += 1
                time.sleep(REST)
                continue
            if self._look_at(data, sender[0], time.monotonic()):
                continue
            left_out += 1
            if left_out % REST_AFTER == 0:
                time.sleep(REST)

    def _look_at(self, data: bytes, sender: str, now: float) -> bool:
        """Take a packet that comes from the right sender and not too often; False if it is not even read."""
        last = self.latest
        quiet = last is None or now - last.arrival > SILENCE
        if sender != (self._phone or (sender if quiet else last.sender)):
            self.counts.foreign += 1
            return False
        if not self._allowed(now):
            self.counts.too_many += 1
            return False
        packet = read_packet(data)
        if packet is None:
            self.counts.not_understood += 1
        elif not quiet and _is_late(packet, last.packet):
            self.counts.late += 1
        else:
            self._keep(packet, now, sender)
        return True

    def _keep(self, packet: LivePacket, now: float, sender: str) -> None:
        self.counts.taken += 1
        self.latest = Received(packet, now, sender)
        with self._lock:
            if self._take is not None:
                self._take.add(packet, now)

    def _allowed(self, now: float) -> bool:
        """Take one from the allowance, which fills up with time."""
        self._allowance = min(self._allowance + (now - self._filled) * MAX_RATE, BURST)
        self._filled = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an IP address that somebody can have; names are not looked up. Errors: InputError `live.address`."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise _no_address(text) from error
    if address.is_multicast or address.is_reserved:
        raise _no_address(text)
    return address


def own_address() -> str:
    """Return this computer's address in its network, for the app on the phone; empty if it has none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # an address for documentation: only the route to it is asked for
        return str(probe.getsockname()[0])
    return ""


def _open(address: str, port: int) -> socket.socket:
    chosen = read_address(address)
    opened = socket.socket(socket.AF_INET6 if chosen.version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if sys.platform == "win32":  # where else two programs could share a port, each with half of the packets
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        opened.settimeout(PATIENCE)
        opened.bind((str(chosen), port))
    except (OSError, OverflowError) as error:
        opened.close()
        raise _not_opened(str(chosen), port, error) from error
    return opened


def _not_opened(address: str, port: int, error: OSError | OverflowError) -> LikenessError:
    reason = getattr(error, "errno", None)
    if reason == errno.EADDRINUSE or getattr(error, "winerror", None) == 10013:
        message = f"UDP port {port} is taken by another program."
        return MachineError(
            "live.port_taken", message, "Quit that program, or choose another port here and in the app."
        )
    if reason == errno.EADDRNOTAVAIL:
        message = f"This computer has no address {address}."
        return MachineError("live.no_address", message, "Choose Whole Network, or look up this computer's address.")
    message = f"UDP port {port} of {address} cannot be opened ({getattr(error, 'strerror', None) or error})."
    return MachineError("live.port", message, "Choose another port, 1024 to 65535, here and in the app.")


def _no_address(text: str) -> InputError:
    return InputError("live.address", f"{text!r} is no IP address.", "Write it as in 192.168.1.20.")


def _is_late(packet: LivePacket, before: LivePacket) -> bool:
    """Tell whether a frame is no newer than the one before, by its own clock; a clock far behind has begun anew."""
    if packet.time is None or before.time is None:
        return False
    return before.time - SILENCE < packet.time <= before.time
