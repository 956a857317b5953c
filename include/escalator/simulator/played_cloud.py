"""The played cloud: the cloud as the played campaign has changed it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.decisions import AdmissionDecision
from escalator.model.lease import Lease
from escalator.model.verdict import Code, SubjectType, Verdict
from escalator.simulator.options import SimulationOptions
from escalator.upgrade_manager.drain.stops import mark_unmovable
from escalator.upgrade_manager.schedule.limits import find_leases_beside, find_limit, wait_for_places
from escalator.upgrade_manager.schedule.planning import TargetOrder, order_targets
from escalator.upgrade_manager.schedule.round import Round
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.state.availability import RUNNING, Availability
from escalator.upgrade_manager.state.capacity import CapacityBook, Tier
from escalator.upgrade_manager.state.targets import mark_targets


@dataclass(slots=True, kw_only=True)
class PlayedCloud:
    """Where everything is, who is out, in which order the targets go, and which do not.

    :ivar changed: something happened after which a node may go that could not go before.
    :ivar leases: those of campaigns that have nodes out; nothing is known of when they give them back.
    """

    state: RoundState
    order: TargetOrder
    changed: bool = True
    leases: Mapping[str, Lease] = field(default_factory=dict)
    _servers: dict[str, Server] = field(default_factory=dict)

    @property
    def barred(self) -> dict[str, tuple[str, str]]:
        """Return why targets do not go as things are: host -> (code, reason)."""
        return {host: (str(v.code), _say(v)) for host, v in self.order.barred.items()}

    def open_round(self, now: float) -> Round:
        """Begin a round at a moment, under the limit of the campaigns that have nodes out."""
        return Round(self.state, now, self._find_limited if self.leases else None)

    def _find_limited(self, host: str) -> AdmissionDecision | None:
        """Say that a node waits for the nodes of other campaigns, as its admission would."""
        nodes = self.state.book.nodes
        beside = find_leases_beside(nodes[host], nodes, self.leases)
        limit = find_limit(self.state.slots, beside.values())
        own = dict.fromkeys(sorted(h for out in self.state.out.values() for h in out))
        if not beside or len(beside) + len(own) < limit:
            return None
        return wait_for_places(host, {**beside, **own}, limit)

    def server(self, server_id: str) -> Server:
        """Return a server as it is now."""
        return self._servers[server_id]

    def land(self, server: Server, host: str) -> None:
        """Record that a move has ended on its destination, whose place was taken when it was planned."""
        state = self.state
        del state.claims[host][server.id]
        if server.id in state.on_the_way:
            state.on_the_way.discard(server.id)
            state.forget(server.host or "")
            self.changed = True
        there = replace(server, host=host)
        state.book.take(server.host or "", server, give_back=True)
        state.book.expect(host, server, over=True)
        state.book.relocate(server, there)
        state.availability.relocate(server.id, host)
        self._servers[server.id] = there
        if host in state.rank_of and state.book.tiers[host] is Tier.PENDING:
            state.forget(host)
            self.changed = True

    def give_back(self, host: str, now: float) -> None:
        """Record that a node is upgraded and in service again."""
        state = self.state
        state.out[state.book.nodes[host].domain].discard(host)
        state.availability.give_back(host, now)
        state.book.reopen(host, upgraded=True)
        if self.leases:  # a place that is free again is one for every domain that waits beside them
            state.quiet.clear()
        state.quiet.discard(state.book.nodes[host].domain)
        self.wake(host)

    def wake(self, host: str | None = None) -> None:
        """Let the domains be looked at again whose nodes share an HA group with a node; all without one."""
        state = self.state
        if host is None:
            state.quiet.clear()
        else:
            for group in state.availability.groups_on(host):
                for member in state.book.memberships.ha_groups[group].members:
                    node = state.book.nodes.get(state.availability.host_of(member) or "")
                    if node is not None:
                        state.quiet.discard(node.domain)
        self.changed = True

    def stopped_on(self, host: str) -> list[Server]:
        """Return the servers that stay on a node and run: they stop while it is upgraded."""
        return [s for s in self.state.book.servers(host) if s.power_state == RUNNING]

    def explain_held(self, now: float) -> dict[str, tuple[str, str]]:
        """Return why targets were not upgraded: host -> (code, reason)."""
        state = self.state
        state.explain = True
        state.quiet.clear()
        for _ in self.open_round(now).choose_departures():
            raise RuntimeError("a node could go, but the campaign has ended")  # pragma: no cover
        found = self.barred
        for queue in state.queues.values():
            for host in queue:
                decision = state.reasons.get(host)
                found[host] = (str(decision.code), decision.message) if decision else _UNSEEN
        return found


_SHOWN = 5
_UNSEEN = (str(Code.CAPACITY), "nodes before it in the order have no room")


def open_played_cloud(snapshot: CloudSnapshot, options: SimulationOptions) -> PlayedCloud:
    """Prepare a campaign over the targets of a snapshot."""
    targets = find_targets(snapshot)
    snapshot = mark_unmovable(snapshot, options.mode)
    book = CapacityBook(snapshot, members_stay=options.members_stay, pending=set(targets), in_flight=False)
    order = order_targets(
        book,
        targets,
        mode=options.mode,
        ours=options.mends,
        seed=options.seed,
        hard_first=options.hard_first,
        in_turn=options.in_turn,
    )
    away = {node.host for node in snapshot.nodes if not node.eligible_destination}
    book.expect_order(order.going)
    queues: dict[str, list[str]] = {}
    for host in order.going:
        queues.setdefault(book.nodes[host].domain, []).append(host)
    state = RoundState(
        book=book,
        availability=Availability(book.memberships, out=away, noticed_at=0.0),
        queues=queues,
        out={},
        durations=options.durations,
        slots=options.max_parallel,
        rank_of={host: number for number, host in enumerate(order.going)},
        spill=options.spill,
        explain=False,
        moving=True,
    )
    return PlayedCloud(
        state=state,
        order=order,
        leases={node.host: lease for node in snapshot.nodes if (lease := node.counting_lease) is not None},
        _servers={server.id: server for server in snapshot.servers},
    )


def find_refusals(played: PlayedCloud) -> dict[str, tuple[str, str]]:
    """Return which targets can never be emptied for want of room, in any order: host -> (code, reason).

    What is free on the other nodes of a domain stays the same, whoever moves where.
    """
    book = played.state.book
    found: dict[str, tuple[str, str]] = {}
    for domain, queue in played.state.queues.items():
        hosts = [host for tier in book.open_tiers(domain) for _, host in tier]
        free = _sums(book.free(host) for host in hosts)
        for host in queue:
            wanted = _sums(dict(book.shape(s).need) for s in book.movable((host,)))
            for name, amount in sorted(wanted.items()):
                there = free.get(name, 0) - max(0, book.free(host).get(name, 0))
                if amount > there:
                    message = (
                        f"its servers want {amount} {name}, and the other nodes of {domain} have {there}"
                    )
                    found[host] = (str(Code.CAPACITY), message)
    return found


def explain_refusal(
    played: PlayedCloud, lacking: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[str, str]]:
    """Say of every target why a campaign is refused in which some of them cannot be emptied."""
    hosts = ", ".join(sorted(lacking)[:_SHOWN]) + (" and more" if len(lacking) > _SHOWN else "")
    why = (str(Code.CAPACITY), f"the campaign is refused before its start: {hosts} cannot be emptied")
    return {**dict.fromkeys(played.order.going, why), **played.barred, **lacking}


def _say(verdict: Verdict) -> str:
    """Say why a node does not go, and what mends it; of a server on it, which."""
    about = f"{verdict.subject}: " if verdict.subject.type is SubjectType.SERVER else ""
    remedy = f" -> {verdict.remedy}" if verdict.remedy else ""
    return f"{about}{verdict.message}{remedy}"


def _sums(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, 0) + max(0, amount)
    return total


def find_targets(snapshot: CloudSnapshot) -> tuple[str, ...]:
    """Return the nodes to upgrade: those the snapshot calls targets, else all; upgraded ones left out."""
    return tuple(n.host for n in mark_targets(snapshot).nodes if n.target and not n.upgraded)
