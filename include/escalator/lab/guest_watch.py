"""When real guests are silent, seen from outside: echoes to each of them, as a log of guest events.

``python -m escalator.lab.guest_watch --log FILE --guest ID=ADDRESS ...`` sends to every guest all the time.
When a guest has not answered for ``SILENT_SECONDS``, it writes ``silent`` with the moment of the last answer,
and ``answering`` with that of the next one. Once a second it writes
``answering`` besides: the guest was watched.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from escalator.lab.ping_meter import PERIOD_SECONDS, decode, encode, open_link
from escalator.lab.services import VNF_PREFIX, Service

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence

    from escalator.lab.settings import LabSettings

SILENT_SECONDS = 4 * PERIOD_SECONDS
"""From here on a guest counts as silent; the silence began with its last answer."""
WORD_SECONDS = 1.0
_INCLUDE = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Silence:
    """What is known of one guest: its last answer, and whether it is silent.

    All moments are in seconds since the epoch.
    """

    last: float
    is_silent: bool = False
    _asked: float | None = None
    _said: float = 0.0

    def ask(self, moment: float) -> None:
        """Take note of an echo that was sent: silence is what follows one, not the sender's own pause."""
        if self._asked is None:
            self._asked = moment

    def hear(self, moment: float) -> tuple[tuple[float, str], ...]:
        """Take an answer; return what is to be written, as moments and words."""
        told = self.is_silent or moment - self._said >= WORD_SECONDS
        self.last, self.is_silent, self._asked = moment, False, None
        if not told:
            return ()
        self._said = moment
        return ((moment, "answering"),)

    def look(self, now: float) -> tuple[tuple[float, str], ...]:
        """Look whether the guest has fallen silent; return what is to be written."""
        if self.is_silent or self._asked is None or now - self._asked < SILENT_SECONDS:
            return ()
        self.is_silent = True
        return ((self.last, "silent"),)


def guest_watch(settings: LabSettings, addresses: Mapping[str, str]) -> Service:
    """Return the process that watches guests; it ends with the VNFs of the lab.

    :param addresses: id of each server -> its address.
    """
    log = settings.hypervisors / "outside" / "guest-events.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    guests = [word for pair in sorted(addresses.items()) for word in ("--guest", "=".join(pair))]
    return Service(
        name=f"{VNF_PREFIX}guest-watch",
        command=(sys.executable, "-m", "escalator.lab.guest_watch", "--log", log, *guests),
        environment={"PYTHONPATH": str(_INCLUDE)},
    )


def watch(guests: Mapping[str, str], log: TextIO, ended: threading.Event) -> None:
    """Send echoes to all guests until the event is set, and write when they are silent.

    :param guests: id of each server -> its address.
    """
    token = os.urandom(8)
    links = {open_link(address): guest for guest, address in guests.items()}
    silences = {guest: Silence(time.time()) for guest in guests}
    number = 0
    due = time.monotonic()
    while not ended.is_set():
        if time.monotonic() >= due:
            for link, guest in links.items():
                with suppress(OSError):  # nobody has the address at this moment: that is silence
                    link.send(encode(token, number))
                silences[guest].ask(time.time())
            number += 1
            due = max(due + PERIOD_SECONDS, time.monotonic() - WORD_SECONDS)
        for guest, moment in _receive(links, token, max(0.0, due - time.monotonic())):
            _write(log, guest, silences[guest].hear(moment))
        now = time.time()
        for guest, silence in silences.items():
            _write(log, guest, silence.look(now))
    for link in links:
        link.close()


def _receive(
    links: Mapping[socket.socket, str], token: bytes, timeout_seconds: float
) -> Iterator[tuple[str, float]]:
    """Yield each guest that has answered, with the moment, all that lies there."""
    ready, _, _ = select.select(list(links), [], [], timeout_seconds)
    for link in ready:
        with suppress(OSError):
            while True:
                if decode(link.recv(2048), token) is not None:
                    yield links[link], time.time()


def _write(log: TextIO, guest: str, events: Sequence[tuple[float, str]]) -> None:
    records = [{"t": round(moment, 4), "guest": guest, "event": word} for moment, word in events]
    if records:
        log.writelines(json.dumps(record) + "\n" for record in records)
        log.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until SIGTERM."""
    parser = argparse.ArgumentParser(description="watch real guests from outside")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--guest", action="append", default=[], help="id=address")
    args = parser.parse_args(arguments)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with args.log.open("a") as log:
        watch(dict(each.split("=", 1) for each in args.guest), log, ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
