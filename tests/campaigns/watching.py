"""Looks at the leases of a cloud from outside, and lets people act at the right moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from escalator.cloud_manager.cloud import Cloud
from escalator.model.lease import Lease, LeasePhase


@dataclass
class Watcher:
    """Looks at all services all the time, and lets people act when a node gets into a phase of its lease."""

    cloud: Cloud
    acts: Mapping[tuple[str, LeasePhase], Callable[[], None]] = field(default_factory=dict)
    seen: list[tuple[datetime, dict[str, Lease | None]]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    done: set[tuple[str, LeasePhase]] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _people: list[threading.Thread] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for each in (thread, *self._people):
                each.join()

    def _look(self) -> None:
        while not self._stop.wait(0.4):
            leases = {s.host: s.lease for s in self.cloud.fetch_services()}
            self.seen.append((datetime.now(UTC), leases))
            for host, lease in leases.items():
                moment = (host, lease.phase) if lease is not None and lease.phase is not None else None
                if moment in self.acts and moment not in self.done:
                    self.done.add(moment)
                    self._people.append(threading.Thread(target=self._act, args=(moment,)))
                    self._people[-1].start()

    def _act(self, moment: tuple[str, LeasePhase]) -> None:
        try:
            self.acts[moment]()
        except Exception as exc:  # noqa: BLE001  (a thread of the test: it is told in the test)
            self.trouble.append(f"{moment}: {exc!r}")

    def list_past_admission(self) -> list[set[str]]:
        """List the nodes that something was done to: of two that take leases at once, one gives it back."""
        looks = (leases.items() for _, leases in self.seen)
        return [
            {h for h, lease in look if lease and lease.phase is not LeasePhase.ADMITTED} for look in looks
        ]

    def phases_around(self, host: str, moment: datetime) -> set[LeasePhase | None]:
        """Return the phases in which a node was seen about a moment.

        The last look before it and the first one after count in any case: on a busy machine looks are rare.
        """
        near = timedelta(seconds=3)
        before = max((at for at, _ in self.seen if at <= moment), default=moment)
        after = min((at for at, _ in self.seen if at >= moment), default=moment)
        first, last = min(before, moment - near), max(after, moment + near)
        found = (leases.get(host) for at, leases in self.seen if first <= at <= last)
        return {lease.phase for lease in found if lease is not None}
