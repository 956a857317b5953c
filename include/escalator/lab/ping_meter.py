"""How long a guest is silent, measured from outside: an echo every five milliseconds, from start to end.

``python -m escalator.lab.ping_meter ADDRESS`` sends until it is told to end and prints what it counted.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise

PERIOD_SECONDS = 0.005
LAST_ANSWERS_SECONDS = 0.5
"""How long the meter waits for answers to what it sent last."""
_REQUEST, _REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")
_TOKEN_BYTES = 8
_COUNTER = struct.Struct("!Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Echoes:
    """What a meter counted.

    :param sent: number of requests.
    :param answered: number of those that were answered.
    :param longest_silence_seconds: the longest time without an answer, that at the beginning and that at the
        end included; a guest that never came back is silent to the end.
    """

    sent: int
    answered: int
    longest_silence_seconds: float

    @property
    def lost(self) -> int:
        """Return the number of requests without an answer."""
        return self.sent - self.answered


@dataclass(slots=True)
class PingMeter:
    """A meter that runs in a process of its own.

    :param address: that it sends to.
    """

    address: str
    _process: subprocess.Popen[str] | None = None
    _counted: list[Echoes] = field(default_factory=list)

    def start(self) -> None:
        """Begin to send; it is when this returns."""
        command = [sys.executable, "-m", "escalator.lab.ping_meter", self.address]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        if self._process.stdout is not None:
            self._process.stdout.readline()

    def stop(self) -> Echoes:
        """End and return what was counted; a second call returns the same."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            told, _ = self._process.communicate()
            self._process = None
            self._counted = [Echoes(**json.loads(told))]
        return self._counted[0]

    def end(self) -> None:
        """End without a count, where it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def metered(address: str) -> Iterator[PingMeter]:
    """Measure while something happens; ``stop`` of the meter gives what was counted."""
    meter = PingMeter(address)
    meter.start()
    try:
        yield meter
    finally:
        meter.end()


def answers(address: str, *, timeout_seconds: float = 0.5) -> bool:
    """Tell whether an address answers one echo."""
    token = os.urandom(_TOKEN_BYTES)
    with open_link(address) as link, suppress(OSError):  # nobody has the address
        link.send(encode(token, 0))
        deadline = time.monotonic() + timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([link], [], [], left)[0] and decode(link.recv(2048), token) == 0:
                return True
    return False


def encode(token: bytes, number: int) -> bytes:
    """Return an echo request.

    :param token: of the meter, so that the answers to another one are never taken for its own.
    """
    content = token + _COUNTER.pack(number)
    identity = int.from_bytes(token[:2])
    plain = _HEADER.pack(_REQUEST, 0, 0, identity, number & 0xFFFF) + content
    return _HEADER.pack(_REQUEST, 0, checksum(plain), identity, number & 0xFFFF) + content


def decode(packet: bytes, token: bytes) -> int | None:
    """Return the number of the request that an IPv4 packet answers; None when it is no such answer."""
    message = packet[(packet[0] & 0xF) * 4 :]
    content = message[_HEADER.size :]
    if len(content) < _TOKEN_BYTES + _COUNTER.size or message[0] != _REPLY:
        return None
    if content[:_TOKEN_BYTES] != token:
        return None
    return int.from_bytes(content[_TOKEN_BYTES:][: _COUNTER.size])


def checksum(message: bytes) -> int:
    """Return the checksum of an ICMP message of an even length (RFC 792)."""
    total: int = sum(struct.unpack(f"!{len(message) // 2}H", message))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def find_longest_silence(begin: float, answered: Sequence[float], end: float) -> float:
    """Return the longest time without an answer, in seconds.

    :param begin: moment of the first request.
    :param answered: moments of the answers, in any order.
    :param end: moment of the last request.
    """
    moments = [begin, *sorted(moment for moment in answered if moment < end), end]
    return max(after - before for before, after in pairwise(moments))


def measure(address: str, ended: threading.Event) -> Echoes:
    """Send echoes until the event is set, and return what was counted."""
    token = os.urandom(_TOKEN_BYTES)
    sent: list[float] = []
    answered: dict[int, float] = {}
    with open_link(address) as link:
        begin = time.monotonic()
        last = None
        while last is None or time.monotonic() < last + LAST_ANSWERS_SECONDS:
            now = time.monotonic()
            due = begin + len(sent) * PERIOD_SECONDS
            if last is None and now >= due:
                with suppress(OSError):  # nobody has the address at this moment: that is silence
                    link.send(encode(token, len(sent)))
                sent.append(now)
                last = now if ended.is_set() else None
            pause = PERIOD_SECONDS if last is not None else max(0.0, due - now)
            if select.select([link], [], [], pause)[0]:
                number = decode(link.recv(2048), token)
                if number is not None:
                    answered.setdefault(number, time.monotonic())
    silence = find_longest_silence(begin, list(answered.values()), sent[-1])
    return Echoes(sent=len(sent), answered=len(answered), longest_silence_seconds=silence)


def open_link(address: str) -> socket.socket:
    """Return a socket that sends to an address, and receives all ICMP from there; it never blocks."""
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    link.setblocking(False)
    link.connect((address, 0))
    return link


def main(address: str) -> int:
    """Measure until SIGTERM, then print what was counted as JSON."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(asdict(measure(address, ended))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
