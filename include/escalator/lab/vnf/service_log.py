"""What a process of a VNF says of itself: one JSON line for each event; and the gaps that follow from it."""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOUND, UNBOUND = "bound", "unbound"


class ServiceLog:
    """Append events with the time on the wall clock (``t``) and on the machine's monotonic clock.

    :param path: of the file.
    :param name: who writes.
    """

    def __init__(self, path: Path, name: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._name = path, name
        self._lock = threading.Lock()

    def write(self, event: str, **more: Any) -> None:  # noqa: ANN401
        """Write one event down."""
        now = {"t": round(time.time(), 6), "monotonic": round(time.monotonic(), 6)}
        line = json.dumps({**now, "name": self._name, "event": event, **more}, default=str)
        with self._lock, self._path.open("a") as log:
            log.write(line + "\n")


def read_events(paths: Iterable[Path]) -> tuple[dict[str, Any], ...]:
    """Read the logs, oldest event first; a log that is not there yet has none."""
    lines = [line for path in paths if path.exists() for line in path.read_text().splitlines()]
    return tuple(sorted(map(json.loads, lines), key=lambda event: float(event["monotonic"])))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceGap:
    """A time in which nobody served an address.

    :param started_at: seconds since the epoch; :param monotonic: the same moment on the monotonic clock.
    :param before: who served until then; :param after: who served from then on; None: nobody did yet.
    """

    address: str
    started_at: float
    monotonic: float
    seconds: float | None
    before: str
    after: str | None


def find_gaps(events: Iterable[Mapping[str, Any]], address: str) -> tuple[ServiceGap, ...]:
    """Return when nobody served an address, between the first that bound it and the end of the log."""
    found: list[ServiceGap] = []
    lost: Mapping[str, Any] | None = None
    for event in events:
        if event.get("address") != address or event["event"] not in {BOUND, UNBOUND}:
            continue
        if event["event"] == UNBOUND:
            lost = event
        elif lost is not None:
            found.append(_gap(lost, event))
            lost = None
    return (*found, _gap(lost, None)) if lost is not None else tuple(found)


def _gap(lost: Mapping[str, Any], again: Mapping[str, Any] | None) -> ServiceGap:
    return ServiceGap(
        address=lost["address"],
        started_at=lost["t"],
        monotonic=lost["monotonic"],
        seconds=None if again is None else again["monotonic"] - lost["monotonic"],
        before=lost.get("guest", lost["name"]),
        after=None if again is None else again.get("guest", again["name"]),
    )
