"""Probes over real sockets on the loopback, against services that are really away for a while."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.model.interruption import NOT_MEASURED, Gap, ProbeMethod
from escalator.model.vnf_means import ProbeTarget
from escalator.vim_interface.probes import echo
from escalator.vim_interface.probes.gaps import TIMEOUT, GapFinder
from escalator.vim_interface.probes.loop_thread import LoopThread
from escalator.vim_interface.probes.rhythm import Rhythm
from escalator.vim_interface.probes.session import ProbeSession, Watched, name_address

PERIOD = Rhythm().period_seconds


class Probed:
    """A session and what it has found so far, as a ledger would keep it."""

    def __init__(self, *targets: ProbeTarget, answered: bool = False) -> None:
        self.watched = [Watched(host="node-01", target=t, answered=answered) for t in targets]
        self.session = ProbeSession(cloud="lab", campaign="upgrade", run_id="run-1", thread=LoopThread())
        self.found: dict[tuple[str, Any], Gap] = {}

    def look(self) -> None:
        self.keep(self.session.update(self.watched))

    def keep(self, gaps: tuple[Gap, ...]) -> None:
        for gap in gaps:
            self.found[gap.address, gap.started_at] = gap

    def watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(0.1)

    @property
    def gaps(self) -> list[Gap]:
        return [gap for gap in self.found.values() if gap.measured]

    @property
    def stood_still(self) -> float:
        """Return for how long nothing was measured, without the time before the first answer."""
        others = sorted((g for g in self.found.values() if not g.measured), key=lambda g: g.started_at)
        return sum(gap.seconds for gap in others[1:])


@contextlib.contextmanager
def probed(*targets: ProbeTarget, answered: bool = False) -> Iterator[Probed]:
    made = Probed(*targets, answered=answered)
    try:
        yield made
    finally:
        made.keep(made.session.close())


class Moment(NamedTuple):
    """When something happened: not before, and not after."""

    earliest: float
    latest: float


class Listener:
    """A service that listens on one port, and is really away between ``leave`` and ``come_back``."""

    def __init__(self) -> None:
        self._socket = self._listen(0)
        self.port = self._socket.getsockname()[1]

    @staticmethod
    def _listen(port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        made.listen(512)
        return made

    def leave(self) -> Moment:
        begun = time.monotonic()
        self._socket.close()
        return Moment(begun, time.monotonic())

    def come_back(self) -> Moment:
        begun = time.monotonic()
        self._socket = self._listen(self.port)
        return Moment(begun, time.monotonic())

    def target(self) -> ProbeTarget:
        return ProbeTarget(group="sbc", method=ProbeMethod.TCP, address="127.0.0.1", port=self.port)


@pytest.fixture
def stalls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long the probe itself stood still, each time: what is short stays part of a gap."""
    found: list[float] = []
    note = GapFinder.note_stall

    def take(finder: GapFinder, start: float, end: float) -> None:
        found.append(end - start)
        note(finder, start, end)

    monkeypatch.setattr(GapFinder, "note_stall", take)
    return found


@pytest.mark.parametrize("away_seconds", [0.35, 1.2])
def test_the_gap_of_a_service_that_was_away_is_as_long_as_it_was_within_a_period(
    away_seconds: float, stalls: list[float]
) -> None:
    service = Listener()
    with probed(service.target()) as found:
        found.watch(0.5)
        left = service.leave()
        found.watch(away_seconds)
        back = service.come_back()
        found.watch(0.5)
    measured = sum(gap.seconds for gap in found.gaps)
    # the outage begins and ends somewhere between two probes: half a period each, on average
    assert measured - PERIOD <= back.latest - left.earliest + PERIOD + 0.05 + sum(stalls)
    assert measured >= back.earliest - left.latest - 0.01 - found.stood_still
    assert {(gap.address, gap.cause) for gap in found.gaps} == {(f"127.0.0.1:{service.port}", "refused")}
    assert {(gap.group, gap.host, gap.method) for gap in found.gaps} == {("sbc", "node-01", ProbeMethod.TCP)}
    if not found.stood_still:  # a busy machine lets probes wait, and their gaps come in pieces
        assert len(found.gaps) == 1


def test_a_service_that_stays_has_no_gap() -> None:
    with probed(Listener().target()) as found:
        found.watch(1.0)
    assert found.gaps == []
    assert found.found, "it did answer: the time before its first answer is there"


def test_an_open_gap_is_there_before_it_ends_and_at_the_end_of_the_probes() -> None:
    service = Listener()
    with probed(service.target()) as found:
        found.watch(0.4)
        service.leave()
        found.watch(0.6)
        before = {gap.started_at: gap.seconds for gap in found.gaps}
        found.watch(0.6)
        grown = {gap.started_at: gap.seconds for gap in found.gaps}
        assert before.keys() <= grown.keys()
        assert sum(grown.values()) > sum(before.values()) + 0.2 - found.stood_still
    assert sum(gap.seconds for gap in found.gaps) >= sum(grown.values())
    assert before


def test_an_address_that_never_answers_is_said_to_be_not_measured() -> None:
    service = Listener()
    service.leave()
    with probed(service.target()) as found:
        found.watch(0.5)
    assert found.gaps == []
    assert [gap.cause for gap in found.found.values()] == [f"{NOT_MEASURED}: no answer yet (refused)"]


def test_an_address_that_answered_before_a_restart_and_is_away_now_is_interrupted() -> None:
    service = Listener()
    service.leave()
    with probed(service.target(), answered=True) as found:
        found.watch(0.5)
    assert {gap.cause for gap in found.gaps} == {"refused"}


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the test says."""

    status = HTTPStatus.OK

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[tuple[ProbeTarget, Callable[[HTTPStatus], None]]]:
    handler = type("Own", (Answers,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/health?deep=1"
        target = ProbeTarget(
            group="web", method=ProbeMethod.HTTP, address="127.0.0.1", port=server.server_port, url=url
        )
        yield target, lambda status: setattr(handler, "status", status)
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "cause"),
    [(HTTPStatus.SERVICE_UNAVAILABLE, "status 503"), (HTTPStatus.NOT_FOUND, None)],
)
def test_a_status_from_500_on_is_an_interruption(web: Any, status: HTTPStatus, cause: str | None) -> None:
    target, answer = web
    with probed(target) as found:
        found.watch(0.5)
        begun = time.monotonic()
        answer(status)
        found.watch(0.6)
        answer(HTTPStatus.OK)
        away = time.monotonic() - begun
        found.watch(0.4)
    causes = {(gap.address, gap.cause) for gap in found.gaps if gap.cause != TIMEOUT}
    assert causes == ({(target.url, cause)} if cause else set())
    assert sum(gap.seconds for gap in found.gaps if gap.cause == cause) < away + 0.4


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_echoes_are_answered_and_a_void_is_not(address: str) -> None:
    may_probe()
    here = ProbeTarget(group="sbc", method=ProbeMethod.ICMP, address=address)
    void = ProbeTarget(group="sbc", method=ProbeMethod.ICMP, address="203.0.113.1")
    with probed(here, void, answered=True) as found:
        found.watch(1.5)
    assert {gap.address for gap in found.gaps} == {"203.0.113.1"}


def may_probe() -> None:
    try:
        echo._open_socket(socket.AF_INET)[0].close()
        echo._open_socket(socket.AF_INET6)[0].close()
    except (InvalidRequestError, OSError) as exc:
        pytest.skip(f"no echo requests here: {exc}")


def test_a_kernel_that_grants_no_echo_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(echo.socket, "socket", refuse)
    with pytest.raises(InvalidRequestError, match="lets this process send no echo requests") as refused:
        echo._open_socket(socket.AF_INET)
    assert "ping_group_range" in str(refused.value)


def test_what_cannot_be_probed_is_not_measured_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_family: object) -> None:
        raise InvalidRequestError("the kernel says no")

    monkeypatch.setattr(echo, "_open_socket", refuse)
    service = Listener()
    with probed(
        service.target(), ProbeTarget(group="sbc", method=ProbeMethod.ICMP, address="127.0.0.1")
    ) as found:
        found.watch(0.4)
        service.leave()
        found.watch(0.4)
    assert {gap.method for gap in found.gaps} == {ProbeMethod.TCP}
    (mute,) = [gap for gap in found.found.values() if gap.method is ProbeMethod.ICMP]
    assert mute.cause == f"{NOT_MEASURED}: it cannot be probed: the kernel says no"
    assert mute.seconds > 0.5


def test_a_reply_to_somebody_else_is_not_ours() -> None:
    request = echo.make_request(socket.AF_INET, 7, 513)
    header = bytes([0x45]) + bytes(19)
    reply = bytes([0]) + request[1:]
    assert echo.read_reply(socket.AF_INET, header + reply, 7) == 513
    assert echo.read_reply(socket.AF_INET, header + reply, 8) is None
    assert echo.read_reply(socket.AF_INET, header + request, 7) is None
    assert echo.read_reply(socket.AF_INET, reply, None) == 513
    assert [echo.read_reply(socket.AF_INET, packet, 7) for packet in (b"", header, header + b"\0" * 5)] == [
        None
    ] * 3


def test_the_thread_ends_with_its_last_session() -> None:
    thread = LoopThread()
    sessions = [
        ProbeSession(cloud="lab", campaign="upgrade", run_id=run, thread=thread) for run in ("one", "two")
    ]
    service = Listener()
    sessions[0].close()
    watched = [Watched(host="node-01", target=service.target())]
    assert sessions[1].update(watched) == ()
    sessions[1].close()
    deadline = time.monotonic() + 5
    while any(t.name == "escalator-probes" and t.is_alive() for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(RuntimeError, match="not entered"):
        sessions[1].update(())


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"method": ProbeMethod.ICMP, "address": "::1"}, "::1"),
        ({"method": ProbeMethod.TCP, "address": "::1", "port": 80}, "[::1]:80"),
        ({"method": ProbeMethod.HTTP, "address": "a", "url": "http://a/x"}, "http://a/x"),
    ],
)
def test_an_address_has_one_name(fields: dict[str, Any], name: str) -> None:
    assert name_address(ProbeTarget(group="g", **fields)) == name
