"""A small Masakari for the steps; ``tests/cloud_manager/test_instance_ha_real.py`` has the real one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.steps.fake_records import Fuse

from escalator.model.errors import NotFoundError
from escalator.model.watchers import Recovery, SegmentHost

SEGMENT = "segment-1"


@dataclass
class FakeInstanceHa:
    """One segment.

    :ivar there: the catalogue has it; :ivar errors: what its next calls raise; :ivar calls: their number.
    """

    fuse: Fuse
    there: bool = False
    hosts: dict[str, SegmentHost] = field(default_factory=dict)
    recoveries: tuple[Recovery, ...] = ()
    errors: list[Exception] = field(default_factory=list)
    writes: list[tuple[str, bool]] = field(default_factory=list)
    calls: int = 0

    def add(self, name: str, *, on_maintenance: bool = False) -> None:
        self.there = True
        self.hosts[name] = SegmentHost(
            id=f"id-{name}", name=name, segment_id=SEGMENT, on_maintenance=on_maintenance
        )

    def set(self, name: str, *, on: bool) -> None:
        """Let a person set or clear the flag."""
        self.hosts[name] = replace(self.hosts[name], on_maintenance=on)

    def is_on(self, name: str) -> bool:
        return self.hosts[name].on_maintenance

    def exists(self) -> bool:
        return self.there

    def fetch_recoveries(self) -> tuple[Recovery, ...]:
        self._ask()
        return self.recoveries

    def fetch_hosts(self) -> tuple[SegmentHost, ...]:
        self._ask()
        return tuple(self.hosts[name] for name in sorted(self.hosts))

    def find_host(self, name: str) -> SegmentHost | None:
        self._ask()
        return self.hosts.get(name)

    def fetch_host(self, segment_id: str, host_id: str) -> SegmentHost:
        found = next((h for h in self.hosts.values() if (h.segment_id, h.id) == (segment_id, host_id)), None)
        if found is None:
            raise NotFoundError(f"HTTP 404: no host with id {host_id}")
        return found

    def ensure_maintenance(self, segment_id: str, host_id: str, *, on: bool) -> SegmentHost:
        self._ask()
        found = self.fetch_host(segment_id, host_id)
        if found.on_maintenance != on:
            self.fuse.burn()
            self.writes.append((found.name, on))
            self.set(found.name, on=on)
            self.fuse.burn()
        return self.hosts[found.name]

    def _ask(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
