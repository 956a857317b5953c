"""A small Nova for the steps: it moves servers poll by poll, goes wrong on order, and keeps what was written.

``test_fake_cloud_contract.py`` holds it to what the real Nova does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.steps.fake_images import FakeImage, FakeImages
from tests.steps.fake_power import FakePower, Power
from tests.steps.fake_proofs import FakeProofs
from tests.steps.fake_records import (
    WRONG_COLD,
    WRONG_LIVE,
    Clock,
    Fault,
    Fuse,
    Guest,
    Host,
    Move,
    Write,
    request,
    server_of,
)

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.canary import NO_WISH
from escalator.model.canary import CanaryFault, CanaryWish
from escalator.model.cloud import (
    CloudSnapshot,
    ComputeService,
    Migration,
    MigrationStatus,
    Node,
    ResourceInventory,
    Server,
    ServiceState,
    ServiceStatus,
)
from escalator.model.errors import (
    ConflictError,
    InvalidRequestError,
    LeaseLostError,
    NotFoundError,
)
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules


@dataclass
class FakeCloud(FakeProofs, FakePower, FakeImages):
    """A cloud of equal nodes.

    :ivar errors: method -> what its next calls raise.
    :ivar before: called before every request with its name: the rest of the world acts.
    :ivar audit: called with every write that changed something.
    """

    clock: Clock
    fuse: Fuse = field(default_factory=Fuse)
    hosts: dict[str, Host] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    powers: list[Power] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    before: Callable[[str], None] | None = None
    audit: Callable[[Write], None] | None = None
    counter: CallCounter = field(default_factory=CallCounter)
    canary: CanaryWish = NO_WISH
    image_script: tuple[str, ...] = ("saving", "active")
    images: dict[str, list[FakeImage]] = field(default_factory=dict)
    canary_faults: tuple[CanaryFault, ...] = ()
    wishes: list[CanaryWish] = field(default_factory=list)

    # what a test does

    def add_host(self, name: str) -> Host:
        inventory = {
            "VCPU": ResourceInventory(total=64),
            "MEMORY_MB": ResourceInventory(total=65536),
            "DISK_GB": ResourceInventory(total=1000),
        }
        self.hosts[name] = Host(name=name, inventory=inventory)
        return self.hosts[name]

    def boot(self, name: str, host: str, **fields: Any) -> Guest:
        self.guests[name] = Guest(id=name, host=host, **fields)
        return self.guests[name]

    def person_disables(self, host: str, reason: str | None = "broken fan") -> None:
        self.hosts[host].status, self.hosts[host].reason = ServiceStatus.DISABLED, reason

    def person_enables(self, host: str) -> None:
        self.hosts[host].status, self.hosts[host].reason = ServiceStatus.ENABLED, None

    def delete(self, server_id: str) -> None:
        """Delete a server: Nova's list of migrations does not have those of deleted servers."""
        gone = self.guests.pop(server_id)
        for move in self.moves:
            if move.guest is gone:
                move.deleted, move.script = True, []

    def begin_move(self, guest: Guest, kind: str, destination: str, script: Iterable[str]) -> None:
        """Let somebody else move a server."""
        guest.task_state = "migrating" if kind == "live-migration" else "resize_prep"
        self._begin(guest, kind, destination, script)

    def requested(self, server_id: str) -> list[str]:
        """Return where a server was asked to go, in order."""
        return [w.detail for w in self.writes if w.verb in {"live", "cold"} and w.subject == server_id]

    def unfinished(self, host: str) -> list[Move]:
        unfinished = [m for m in self.moves if m.status.unfinished and not m.deleted]
        return [m for m in unfinished if host in {m.source, m.dest}]

    # services

    @request
    def fetch_services(self) -> tuple[ComputeService, ...]:
        return tuple(self._service(name) for name in sorted(self.hosts))

    @request
    def fetch_service(self, host: str) -> ComputeService:
        return self._service(host)

    @request
    def ensure_disabled(self, host: str, reason: str, *, over: Collection[str] = ()) -> ComputeService:
        service = self._service(host)
        if service.status is ServiceStatus.DISABLED:
            if service.disabled_reason == reason:
                return service
            if service.disabled_reason not in over:
                raise LeaseLostError(f"{host} is disabled already: {service.disabled_reason!r}")
        self._wrote("disable", host, reason, service.disabled_reason)
        self.hosts[host].status, self.hosts[host].reason = ServiceStatus.DISABLED, reason
        return self._service(host)

    @request
    def ensure_enabled(self, host: str, *, over: Collection[str]) -> ComputeService:
        service = self._service(host)
        if service.status is ServiceStatus.ENABLED:
            return service
        if service.disabled_reason not in over:
            raise LeaseLostError(f"{host} is disabled by somebody else: {service.disabled_reason!r}")
        self._wrote("enable", host, "", service.disabled_reason)
        self.hosts[host].status, self.hosts[host].reason = ServiceStatus.ENABLED, None
        return self._service(host)

    def _service(self, name: str) -> ComputeService:
        if name not in self.hosts:
            raise NotFoundError(f"no nova-compute service on host {name}")
        host = self.hosts[name]
        return ComputeService(
            id=f"service-{name}",
            host=name,
            zone="az1",
            state=ServiceState.DOWN if host.died_at else ServiceState.UP,
            status=host.status,
            disabled_reason=host.reason,
            updated_at=(host.died_at or self.clock.now).replace(microsecond=0),
        )

    # servers and their moves

    @request
    def fetch_servers(self, host: str) -> tuple[Server, ...]:
        self._service(host)
        self._look()
        return tuple(server_of(g) for g in self._sorted() if g.host == host)

    @request
    def fetch_server(self, server_id: str) -> Server:
        self._look()
        return server_of(self._guest(server_id))

    @request
    def fetch_migrations(
        self, host: str | None = None, server_id: str | None = None, since: datetime | None = None
    ) -> tuple[Migration, ...]:
        for move in self.moves:
            self._advance(move)
        found = [
            m.record()
            for m in self.moves
            if m.visible
            and not m.deleted
            and (host is None or host in {m.source, m.dest})
            and (server_id is None or m.guest.id == server_id)
            and (since is None or (m.updated_at or m.created_at) >= since)
        ]
        return tuple(sorted(found, key=lambda m: (m.created_at, m.id), reverse=True))

    @request
    def start_live_migration(self, server_id: str, destination: str) -> None:
        guest = self._movable(server_id, destination, {"active", "paused"})
        guest.task_state = "migrating"
        self._depart(
            guest, "live", "live-migration", destination, WRONG_LIVE, ("queued", "running", "completed")
        )

    @request
    def start_cold_migration(self, server_id: str, destination: str) -> None:
        guest = self._movable(server_id, destination, {"active", "stopped"})
        guest.task_state = "resize_prep"
        self._depart(guest, "cold", "migration", destination, WRONG_COLD, ("migrating", "finished", "waits"))

    @request
    def confirm_resize(self, server_id: str) -> None:
        guest = self._guest(server_id)
        if guest.vm_state != "resized":
            raise ConflictError(f"HTTP 409: {server_id} does not wait for confirmation")
        move = next(m for m in reversed(self.moves) if m.guest is guest)
        self._wrote("confirm", server_id, f"migration-{move.id}")
        move.status = MigrationStatus.CONFIRMING
        move.script = ["confirmed"]

    @request
    def abort_migration(self, server_id: str, migration_id: int) -> None:
        move = next((m for m in self.moves if m.id == migration_id and m.guest.id == server_id), None)
        if move is None:
            raise NotFoundError(f"migration {migration_id} of {server_id}")
        if not move.status.unfinished:
            raise ConflictError(f"HTTP 409: {server_id} does not migrate")
        self._wrote("abort", server_id, f"migration-{move.id}")
        if not move.deaf:
            move.script = ["cancelled"]

    @request
    def force_complete(self, server_id: str, migration_id: int) -> None:
        move = next((m for m in self.moves if m.id == migration_id and m.guest.id == server_id), None)
        if move is None or move.status is not MigrationStatus.RUNNING:
            raise ConflictError(f"HTTP 409: no migration of {server_id} runs")
        self._wrote("force", server_id, f"migration-{move.id}")
        if not move.deaf:
            move.script = ["completed"]

    def _movable(self, server_id: str, destination: str, states: set[str]) -> Guest:
        guest = self._guest(server_id)
        if destination not in self.hosts:
            raise InvalidRequestError(f"HTTP 400: compute host {destination} could not be found")
        if guest.vm_state not in states or guest.task_state is not None or self._fault(guest) is Fault.REFUSE:
            raise ConflictError(f"HTTP 409: {server_id} is {guest.vm_state}, {guest.task_state}")
        return guest

    def _depart(
        self,
        guest: Guest,
        verb: str,
        kind: str,
        destination: str,
        wrong: Mapping[Fault, tuple[str, ...]],
        well: tuple[str, ...],
    ) -> None:
        self._wrote(verb, guest.id, destination, guest.host)
        fault = self._fault(guest)
        closed = self.hosts[destination].status is ServiceStatus.DISABLED or destination == guest.host
        script = ("error",) if closed else wrong.get(fault, well)
        guest.faults_left -= fault is not Fault.NONE
        if fault is Fault.LOST:
            return
        was = "error" if fault is Fault.ERROR else guest.vm_state
        self._begin(guest, kind, destination, script, was=was, deaf=fault is Fault.DIE)

    def _begin(
        self,
        guest: Guest,
        kind: str,
        destination: str,
        script: Iterable[str],
        *,
        was: str | None = None,
        deaf: bool = False,
    ) -> None:
        self.moves.append(
            Move(
                id=len(self.moves) + 1,
                guest=guest,
                type=kind,
                source=guest.host,
                dest=destination,
                created_at=self.clock.now,
                script=list(script),
                was=was or guest.vm_state,
                deaf=deaf,
            )
        )

    def _fault(self, guest: Guest) -> Fault:
        return guest.fault if guest.faults_left > 0 else Fault.NONE

    def _advance(self, move: Move) -> None:
        """Go one status on: the record appears a poll after the request."""
        if not move.visible:
            move.visible = move.updated_at is not None
            move.updated_at = self.clock.now
            return
        if not move.script:
            return
        word = move.script.pop(0)
        if word == "waits":
            move.guest.vm_state, move.guest.task_state = "resized", None
            return
        if word == "half-landed":
            move.status, move.updated_at = MigrationStatus.COMPLETED, self.clock.now
            return
        move.status, move.updated_at = MigrationStatus(word), self.clock.now
        if move.status is MigrationStatus.FINISHED:
            move.guest.host, move.guest.task_state = move.dest, "resize_finish"
        elif not move.status.unfinished:
            move.guest.task_state = None
            move.guest.vm_state = move.was
            if not move.status.failed:
                move.guest.host = move.dest

    def _guest(self, server_id: str) -> Guest:
        if server_id not in self.guests:
            raise NotFoundError(f"HTTP 404: server {server_id}")
        return self.guests[server_id]

    def _sorted(self) -> list[Guest]:
        return [self.guests[key] for key in sorted(self.guests)]

    # the whole cloud

    @request
    def fetch_snapshot(
        self,
        cloud_name: str,
        *,
        domain_of: Callable[[str, str, tuple[str, ...]], str],
        target_version: str | None = None,
        node_versions: Mapping[str, str] | None = None,
        targets: Iterable[str] = (),
        cells: Mapping[str, str] | None = None,
        aggregates: AggregateRules = ALL_AGGREGATES,
        with_agents: bool = False,
        with_control_plane: bool = False,
        afresh: Collection[str] = (),
        watched_within: float | None = None,
        may_lack: bool = False,
    ) -> CloudSnapshot:
        del cells, aggregates, with_agents, with_control_plane, afresh, watched_within, may_lack
        versions, wanted = node_versions or {}, set(targets)
        nodes = tuple(
            replace(
                self._node(name, domain_of("cell1", "az1", ("general",))),
                target=name in wanted,
                versions={
                    **({"nova-compute": versions[name]} if name in versions else {}),
                    **({"hypervisor": old} if (old := self.hosts[name].hypervisor_version) else {}),
                },
                upgraded=target_version is not None and versions.get(name) == target_version,
            )
            for name in sorted(self.hosts)
        )
        return CloudSnapshot(
            cloud=cloud_name,
            taken_at=self.clock.now,
            nodes=nodes,
            servers=tuple(map(server_of, self._sorted())),
            migrations=tuple(
                m.record() for m in self.moves if m.visible and not m.deleted and m.status.unfinished
            ),
        )

    def _node(self, name: str, domain: str) -> Node:
        service = self._service(name)
        guests = [g for g in self._sorted() if g.host == name]
        return Node(
            host=name,
            domain=domain,
            zone=service.zone,
            aggregates=("general",),
            state=service.state,
            status=service.status,
            disabled_reason=service.disabled_reason,
            inventory=self.hosts[name].inventory,
            usage={"VCPU": len(guests), "MEMORY_MB": sum(g.memory_mib for g in guests)},
        )

    @request
    def fetch_addresses(self) -> dict[str, str]:
        return {name: f"192.0.2.{n}" for n, name in enumerate(sorted(self.hosts), start=1)}

    def _wrote(self, verb: str, subject: str, detail: str, found: str | None = None) -> None:
        write = Write(verb=verb, subject=subject, detail=detail, found=found)
        if self.audit is not None:
            self.audit(write)
        self.writes.append(write)
