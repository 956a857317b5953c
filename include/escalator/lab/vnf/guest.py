"""The service in one server: active or standby on the address of its pair, always there on its own address.

``python -m escalator.lab.vnf.guest --name db-1 --server ID --own 127.0.75.12:8080 --service 127.0.75.9:8080
--peer http://127.0.75.13:8080 --log FILE [--active]``

Its own address answers ``/`` (who am I), ``/role``, ``/health``, ``POST /switch`` (the active one gives
the role to its peer), ``POST /switchover`` (the standby takes it), ``POST /activate`` and ``POST
/release`` (take and give up the address of the service). The active one answers on the address of the
service too. Standard library only.
"""

import argparse
import contextlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from escalator.lab.vnf.json_server import NOT_FOUND, OK, Answer, JsonServer, Request, call
from escalator.lab.vnf.service_log import BOUND, UNBOUND, ServiceLog

CONFLICT, UNAVAILABLE = 409, 503
BIND_SECONDS = 2.0
BIND_POLL_SECONDS = 0.002
TAKEOVER_SECONDS = 0.02
DEFAULT_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSettings:
    """What a guest is told.

    :param own: address and port of its own.
    :param service: address and port that it serves while it is active; None: it is told with ``/activate``.
    :param peer: where the other one of the pair is; None when somebody else moves the address.
    :param takeover_seconds: how long it takes from being told to be active until it serves.
    """

    name: str
    server: str
    own: tuple[str, int]
    service: tuple[str, int] | None = None
    peer: str | None = None
    takeover_seconds: float = TAKEOVER_SECONDS


class Guest:
    """One member of a pair."""

    def __init__(self, settings: GuestSettings, log: ServiceLog) -> None:
        self.settings = settings
        self._log = log
        self._lock = threading.RLock()
        self._healthy = True
        self._served = 0
        self._control = JsonServer(*settings.own, self.answer)
        self._service: JsonServer | None = None

    @property
    def role(self) -> str:
        """Return ``active`` or ``standby``."""
        return "active" if self._service is not None else "standby"

    def start(self, *, active: bool) -> None:
        """Answer on the own address; serve as well when active, unless the peer does.

        :raises OSError: when the own address is taken.
        """
        self._control.start()
        self._log.write("started", server=self.settings.server, address=self.settings.own[0])
        if active and self.settings.service is not None:
            with contextlib.suppress(OSError):  # the peer serves: this one is the standby
                self._bind(self.settings.service, seconds=0.0)

    def stop(self) -> None:
        """Give up every address."""
        with self._lock:
            self._unbind()
            self._control.stop()
        self._log.write("ended")

    def answer(self, request: Request) -> Answer:
        """Answer a request on either address."""
        body = request.body if isinstance(request.body, dict) else {}
        answers: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", ""): self._tell,
            ("GET", "/role"): lambda: Answer(body={"role": self.role, "server": self.settings.server}),
            ("GET", "/health"): self._tell_health,
            ("POST", "/health"): lambda: self._set_health(healthy=bool(body.get("healthy", True))),
            ("POST", "/switch"): lambda: self._switch(str(body.get("from") or self.settings.server)),
            ("POST", "/switchover"): self._take_over,
            ("POST", "/activate"): lambda: self._activate(body.get("address"), body.get("port")),
            ("POST", "/release"): lambda: self._release(body.get("address")),
        }
        asked = (request.method, request.path.partition("?")[0].rstrip("/"))
        if asked not in answers:
            return Answer(status=NOT_FOUND, body={"error": f"nothing at {request.method} {request.path}"})
        return answers[asked]()

    def _serve(self, noted: threading.Event, request: Request) -> Answer:
        """Answer on the address of the service, once this one has noted that it serves."""
        noted.wait()
        self._served += 1
        return self.answer(request)

    def _tell(self) -> Answer:
        about = {"name": self.settings.name, "server": self.settings.server, "role": self.role}
        return Answer(body={**about, "healthy": self._healthy, "t": time.time()})

    def _set_health(self, *, healthy: bool) -> Answer:
        self._healthy = healthy
        self._log.write("health", healthy=healthy)
        return Answer(body={"healthy": healthy})

    def _tell_health(self) -> Answer:
        return Answer(status=OK if self._healthy else UNAVAILABLE, body={"healthy": self._healthy})

    def _switch(self, leaving: str) -> Answer:
        """Hand the role over to the peer. One that is standby, or not the one that shall leave, does nothing.

        So the same order twice, even on the address of the service, does not switch back.
        """
        with self._lock:
            if self._service is None or leaving not in {self.settings.server, self.settings.name}:
                return Answer(body={"role": self.role, "switched": False})
            if self.settings.peer is None:
                return Answer(status=CONFLICT, body={"role": self.role, "error": "there is no peer"})
            begun = time.monotonic()
            was = self._unbind()
            taken = _ask_to_serve(self.settings.peer)
            if not taken:
                self._bind(was)
                error = "the peer does not take over"
                return Answer(status=UNAVAILABLE, body={"role": self.role, "error": error})
        seconds = round(time.monotonic() - begun, 6)
        self._log.write("switched", seconds=seconds)
        return Answer(body={"role": self.role, "switched": True, "seconds": seconds})

    def _take_over(self) -> Answer:
        """Take the role from the peer; one that is not there has given it up. The active one does nothing."""
        if self._service is not None:
            return Answer(body={"role": self.role, "switched": False})
        if not self._healthy:
            return Answer(status=CONFLICT, body={"role": self.role, "error": "not healthy"})
        begun = time.monotonic()
        if self.settings.peer is not None:
            with contextlib.suppress(OSError):
                call("POST", f"{self.settings.peer}/release", {})
        answer = self._activate(None, None)
        seconds = round(time.monotonic() - begun, 6)
        self._log.write("switched", seconds=seconds)
        return Answer(status=answer.status, body={**answer.body, "switched": True, "seconds": seconds})

    def _activate(self, address: str | None, port: int | None) -> Answer:
        with self._lock:
            if not self._healthy:
                return Answer(status=CONFLICT, body={"role": self.role, "error": "not healthy"})
            wanted = (address, port or DEFAULT_PORT) if address else self.settings.service
            if wanted is None:
                return Answer(status=CONFLICT, body={"role": self.role, "error": "no address was told"})
            if self._service is not None and self._service.address != wanted[0]:
                self._unbind()
            if self._service is None:
                time.sleep(self.settings.takeover_seconds)
                self._bind(wanted)
        return Answer(body={"role": self.role})

    def _release(self, address: str | None) -> Answer:
        with self._lock:
            if self._service is not None and address in {None, self._service.address}:
                self._unbind()
        return Answer(body={"role": self.role})

    def _bind(self, where: tuple[str, int], *, seconds: float = BIND_SECONDS) -> None:
        """Bind the address of the service as soon as it is free.

        :raises OSError: when somebody keeps it.
        """
        noted = threading.Event()
        service = JsonServer(*where, partial(self._serve, noted))
        deadline = time.monotonic() + seconds
        while not service.is_bound:
            try:
                service.start()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(BIND_POLL_SECONDS)
        self._log.write(BOUND, address=service.address, port=service.port)
        self._service, self._served = service, 0
        noted.set()

    def _unbind(self) -> tuple[str, int]:
        service, self._service = self._service, None
        if service is None:
            return ("", 0)
        service.stop()
        self._log.write(UNBOUND, address=service.address, port=service.port, served=self._served)
        return (service.address, service.port)


def _ask_to_serve(peer: str) -> bool:
    try:
        return call("POST", f"{peer}/activate", {}).status == OK
    except OSError:
        return False


def parse_endpoint(text: str) -> tuple[str, int]:
    """Return address and port of ``address:port``."""
    address, _, port = text.rpartition(":")
    return address, int(port)


def catch_end() -> threading.Event:
    """Return what is set when this process is told to end in order; call it before anybody is answered."""
    ended = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: ended.set())
    return ended


def main() -> None:
    """Run one guest until it is told to end."""
    parser = argparse.ArgumentParser(description="the service in one server of a VNF")
    parser.add_argument("--name", required=True)
    parser.add_argument("--server", required=True, help="id of the server, as Nova has it")
    parser.add_argument("--own", required=True, type=parse_endpoint)
    parser.add_argument("--service", type=parse_endpoint)
    parser.add_argument("--peer")
    parser.add_argument("--takeover-seconds", type=float, default=TAKEOVER_SECONDS)
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument("--active", action="store_true")
    args = parser.parse_args()
    settings = GuestSettings(
        name=args.name,
        server=args.server,
        own=args.own,
        service=args.service,
        peer=args.peer,
        takeover_seconds=args.takeover_seconds,
    )
    guest = Guest(settings, ServiceLog(args.log, args.name))
    ended = catch_end()
    guest.start(active=args.active)
    ended.wait()
    guest.stop()


if __name__ == "__main__":
    main()
