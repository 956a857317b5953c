"""A small Neutron, a small Octavia, a book of switchovers and a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.builders import NOW, make_server

from escalator.model.cloud import Server
from escalator.model.errors import InvalidRequestError, NodeFaultError, NotFoundError
from escalator.model.load_balancer import PoolMember
from escalator.model.network import AddressPair, FloatingIp, NetworkPort
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.vim_interface.switching import Health, RoleView, SwitchGroup

FLOATING = "203.0.113.7"
VIP = "10.0.0.77"


def make_member(server_id: str, host: str, **changes: Any) -> Server:
    return make_server(host=host, **({"id": server_id, "name": f"vnf-{server_id}"} | changes))


PAIR = SwitchGroup(id="pair", members=(make_member("a", "node-01"), make_member("b", "node-02")))


def make_port(server_id: str, host: str, address: str, **changes: Any) -> NetworkPort:
    fields = {"network_id": "net", "addresses": (address,), "status": "ACTIVE"} | changes
    return NetworkPort(id=f"p-{server_id}", server_id=server_id, host=host, **fields)


@dataclass
class FakeNetwork:
    """Ports and floating IPs by id and address; ``writes`` says what was written, ``reads`` counts looks."""

    ports: dict[str, NetworkPort] = field(default_factory=dict)
    floating: dict[str, FloatingIp] = field(default_factory=dict)
    writes: list[tuple[Any, ...]] = field(default_factory=list)
    before_write: Callable[[], None] = lambda: None
    has_router: bool = True
    reads: int = 0

    def add(self, *ports: NetworkPort) -> FakeNetwork:
        self.ports |= {port.id: port for port in ports}
        return self

    def fetch_floating_ip(self, address: str) -> FloatingIp:
        self.reads += 1
        if not self.has_router:
            raise InvalidRequestError("the cloud has no floating IPs")
        if address not in self.floating:
            raise NotFoundError(f"no floating IP has the address {address}")
        return self.floating[address]

    def fetch_floating_ips(self, port_ids: Collection[str]) -> tuple[FloatingIp, ...]:
        if not self.has_router:
            raise InvalidRequestError("the cloud has no floating IPs")
        return tuple(one for one in self.floating.values() if one.port_id in port_ids)

    def fetch_port(self, port_id: str) -> NetworkPort:
        self.reads += 1
        if port_id not in self.ports:
            raise NotFoundError(f"no port {port_id}")
        return self.ports[port_id]

    def fetch_ports(self, server_ids: Collection[str]) -> tuple[NetworkPort, ...]:
        self.reads += 1
        return tuple(port for port in self.ports.values() if port.server_id in server_ids)

    def fetch_ports_with(self, address: str) -> tuple[NetworkPort, ...]:
        self.reads += 1
        return tuple(port for port in self.ports.values() if address in port.addresses)

    def ensure_floating_ip(
        self, address: str, port_id: str, fixed_address: str, *, known: FloatingIp | None = None
    ) -> bool:
        assert known in {None, self.floating[address]}
        self.before_write()
        self.writes.append(("floating", address, port_id, fixed_address))
        self.floating[address] = replace(self.floating[address], port_id=port_id, fixed_address=fixed_address)
        return True

    def ensure_pair(
        self, port_id: str, address: str, *, present: bool, known: NetworkPort | None = None
    ) -> bool:
        assert known in {None, self.ports.get(port_id)}
        port = known or self.fetch_port(port_id)
        if port.has_pair(address) is present:
            return False
        self.before_write()
        self.writes.append(("pair", port_id, address, present))
        others = tuple(pair for pair in port.pairs if pair.address != address)
        pairs = (*others, AddressPair(address=address)) if present else others
        self.ports[port_id] = replace(port, pairs=pairs)
        return True


def make_network() -> FakeNetwork:
    """Make the network of the pair, whose floating IP is at ``a``."""
    network = FakeNetwork().add(make_port("a", "node-01", "10.0.0.1"), make_port("b", "node-02", "10.0.0.2"))
    network.floating[FLOATING] = FloatingIp(id="f", address=FLOATING, port_id="p-a", fixed_address="10.0.0.1")
    return network


@dataclass
class FakeBalancers:
    """Pools of one load balancer; ``connections`` are what is open at one look after the other."""

    members: dict[str, list[PoolMember]] = field(default_factory=dict)
    connections: list[int] = field(default_factory=lambda: [0])
    writes: list[tuple[str, str, int]] = field(default_factory=list)
    after_write: Callable[[], None] = lambda: None
    there: bool = True
    broken: set[str] = field(default_factory=set)

    def _require(self) -> None:
        if not self.there:
            raise InvalidRequestError("the cloud has no load balancers")

    def fetch_pools(self, load_balancer_id: str) -> tuple[str, ...]:
        self._require()
        assert load_balancer_id == "lb"
        return tuple(self.members)

    def fetch_load_balancer(self, pool_id: str) -> str:
        assert pool_id in self.members
        return "lb"

    def fetch_members(self, pool_id: str) -> tuple[PoolMember, ...]:
        self._require()
        if pool_id not in self.members:
            raise NotFoundError(f"no pool {pool_id}")
        return tuple(self.members[pool_id])

    def fetch_open_connections(self, load_balancer_id: str) -> int:
        assert load_balancer_id == "lb"
        return self.connections.pop(0) if len(self.connections) > 1 else self.connections[0]

    def ensure_weight(self, pool_id: str, member_id: str, weight: int) -> bool:
        if pool_id in self.broken:
            raise NodeFaultError(f"member {member_id} of pool {pool_id} is in ERROR")
        self.writes.append((pool_id, member_id, weight))
        self.set(pool_id, member_id, weight)
        self.after_write()
        return True

    def set(self, pool_id: str, member_id: str, weight: int) -> None:
        self.members[pool_id] = [
            replace(m, weight=weight) if m.id == member_id else m for m in self.members[pool_id]
        ]


def key_of(record: SwitchRecord) -> tuple[str, ...]:
    return (record.campaign, record.run_id, record.host, record.group, record.from_server)


@dataclass
class FakeBook:
    """The ledger's book of switchovers, as ``ledger/switch_book.py`` has it."""

    records: list[SwitchRecord] = field(default_factory=list)

    def _last(self, record: SwitchRecord) -> int | None:
        same = [n for n, one in enumerate(self.records) if key_of(one) == key_of(record)]
        return same[-1] if same else None

    def begin(self, record: SwitchRecord) -> SwitchRecord:
        last = self._last(record)
        if last is None or self.records[last].restored_at is not None:
            self.records.append(record)
            return record
        return self.records[last]

    def note(self, record: SwitchRecord, since: datetime) -> bool:
        last = self._last(record)
        ended = None if last is None else self.records[last].ended_at
        if ended is not None and ended >= since:
            return False
        self.records.append(record)
        return True

    def end(self, record: SwitchRecord) -> None:
        last = self._last(record)
        assert last is not None
        self.records[last] = replace(
            self.records[last],
            ended_at=record.ended_at,
            verified=record.verified,
            message=record.message,
            to_server=record.to_server,
        )

    def of_run(self, campaign: str, run_id: str) -> tuple[SwitchRecord, ...]:
        return tuple(r for r in self.records if (r.campaign, r.run_id) == (campaign, run_id))

    def mark_restored(self, record: SwitchRecord, now: datetime, words: Sequence[str] = ()) -> None:
        last = self._last(record)
        assert last is not None
        self.records[last] = replace(self.records[last], restored_at=now, not_restored=tuple(words))

    def note_not_restored(self, record: SwitchRecord, words: Sequence[str]) -> None:
        last = self._last(record)
        assert last is not None
        self.records[last] = replace(self.records[last], not_restored=tuple(words))


@dataclass
class FakeClock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class FakeSwitcher:
    """A VNF that switches after so many looks; ``acts`` are what it was told."""

    method: SwitchMethod = SwitchMethod.HTTP
    repeatable: bool = False
    holder: str | None = "a"
    looks_until_done: int = 0
    blind: bool = False
    acts: list[str | None] = field(default_factory=list)
    finished: list[SwitchRecord] = field(default_factory=list)
    trouble: BaseException | None = None
    obeys: bool = True
    restoring: BaseException | None = None
    _target: str | None = None

    def find_role(self) -> RoleView:
        if self._target is not None:
            self.looks_until_done -= 1
            if self.looks_until_done < 0:
                self.holder, self._target = self._target, None
        if self.blind or self.holder is None:
            return RoleView(unknown=frozenset({"a", "b"}), words="nothing is seen", blind=self.blind)
        return RoleView(holders=frozenset({self.holder}), words=f"{self.holder} has it")

    def is_healthy(self, server: Server) -> Health:  # noqa: ARG002
        return Health(ok=True)

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:  # noqa: ARG002
        return {"weights": {"pool": {from_server: 1}}}

    def switch(self, record: SwitchRecord) -> None:
        self.acts.append(record.to_server)
        if self.obeys:
            self._target = record.to_server
        if self.trouble is not None:
            raise self.trouble

    def finish(self, record: SwitchRecord) -> None:
        self.finished.append(record)

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:
        if self.restoring is not None:
            raise self.restoring
        return (f"{record.group} is not as it was",)
