"""ICMP: echo requests over a ping socket that the kernel grants, or a raw one."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import struct

from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.probes.gaps import TIMEOUT
from escalator.vim_interface.probes.outcome import name_cause
from escalator.vim_interface.probes.telling import Tell

_HEADER = struct.Struct("!BBHHH")
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_NUMBERS = 1 << 16
_WORD = _NUMBERS - 1
_LARGEST = 2048


class EchoAsker:
    """Asks one address for echoes. A reply counts also after the time-out, at the time at which it came.

    :param address: an IP address.
    :param tell: is told of each probe how it ended: number, and the cause when the answer is not good.
    :raises InvalidRequestError: the kernel grants neither kind of socket.
    """

    def __init__(self, address: str, tell: Tell, *, timeout_seconds: float) -> None:
        self._tell = tell
        self._timeout = timeout_seconds
        version = ipaddress.ip_address(address).version
        self._family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004
        self._socket, self._raw = _open_socket(self._family)
        self._ident = secrets.randbelow(_NUMBERS)
        self._number_of: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.TimerHandle] = {}
        self._socket.setblocking(False)
        self._address = address
        self._connected = False
        self._loop.add_reader(self._socket, self._read)

    def ask(self, number: int) -> None:
        """Send one request."""
        sequence = number % _NUMBERS
        self._number_of[sequence] = number
        try:
            if not self._connected:  # there may be no route yet
                self._socket.connect((self._address, 0))
                self._connected = True
            self._socket.send(make_request(self._family, self._ident, sequence))
        except OSError as exc:
            self._tell(number, name_cause(exc))
            return
        self._waiting[number] = self._loop.call_later(self._timeout, self._give_up, number)

    def close(self) -> None:
        """Close the socket; nothing is told any more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for timer in self._waiting.values():
            timer.cancel()

    def _read(self) -> None:
        try:
            packet = self._socket.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError as exc:  # an ICMP error came back: the request before it will not be answered
            self._refuse_newest(name_cause(exc))
            return
        sequence = read_reply(self._family, packet, self._ident if self._raw else None)
        number = None if sequence is None else self._number_of.get(sequence)
        if number is not None:
            self._forget(number)
            self._tell(number, None)

    def _refuse_newest(self, cause: str) -> None:
        number = next(reversed(self._waiting), None)
        if number is not None:
            self._forget(number)
            self._tell(number, cause)

    def _give_up(self, number: int) -> None:
        self._forget(number)
        self._tell(number, TIMEOUT)

    def _forget(self, number: int) -> None:
        timer = self._waiting.pop(number, None)
        if timer is not None:
            timer.cancel()


def make_request(family: int, ident: int, sequence: int) -> bytes:
    """Write an echo request; the kernel adds the checksum of IPv6, and the ident of a ping socket."""
    kind = _REQUEST[socket.AddressFamily(family)]
    checksum = 0
    if family == socket.AF_INET:
        checksum = ~_sum_words(_HEADER.pack(kind, 0, 0, ident, sequence)) & _WORD
    return _HEADER.pack(kind, 0, checksum, ident, sequence)


def read_reply(family: int, packet: bytes, ident: int | None) -> int | None:
    """Return the sequence number of an echo reply to us; None when the packet is something else.

    :param ident: of our requests, when the socket is a raw one: it hears what others are told, too.
    """
    if ident is not None and family == socket.AF_INET:
        packet = packet[(packet[0] & 0x0F) * 4 :] if packet else packet  # behind the IP header
    if len(packet) < _HEADER.size:
        return None
    kind, _, _, found, sequence = _HEADER.unpack_from(packet)
    ours = kind == _REPLY[socket.AddressFamily(family)] and (ident is None or found == ident)
    return int(sequence) if ours else None


def _sum_words(packet: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total > _WORD:
        total = (total & _WORD) + (total >> 16)
    return total


def _open_socket(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    """Open a ping socket, or a raw one."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, _PROTOCOL[family]), kind is socket.SOCK_RAW
        except PermissionError:
            continue
    raise InvalidRequestError(
        "the kernel lets this process send no echo requests",
        remedy="set the sysctl net.ipv4.ping_group_range to a range that has the group of the triggerer's "
        "user, or give its Python CAP_NET_RAW; or probe by tcp or http",
    )
