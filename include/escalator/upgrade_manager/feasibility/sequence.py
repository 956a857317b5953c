"""Sequences of drains: can nodes be emptied one after the other, each back before the next one goes.

Nothing but places is asked here: resources, traits, zones, server groups and the age of hypervisors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.verdict import Code, Verdict
from escalator.upgrade_manager.drain.placing import DrainSimulation, Placing, simulate
from escalator.upgrade_manager.feasibility.exhaustive import Search
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

_EVERY_ORDER = 5
"""Of up to so many nodes of a domain, every order is tried."""

_MANY = 64
"""Nodes from which on time matters more than the last detail."""
_PASSES = 4
"""Times that many nodes which are stuck are tried again after others have gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainSequence:
    """How far it goes.

    :ivar order: the hosts in the order in which they were emptied.
    :ivar stuck: what each other host lacked when it was first tried.
    :ivar older: of these, the hosts that no server may move to live in the end: their hypervisor is older.
    """

    order: tuple[str, ...]
    stuck: Mapping[str, DrainSimulation] = field(default_factory=dict)
    older: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Tell whether every node could be emptied."""
        return not self.stuck


def drain_in_turn(
    snapshot: CloudSnapshot,
    hosts: Iterable[str],
    *,
    members_stay: bool = True,
    brings: ReleaseVersion | None = None,
    explained: int = 20,
) -> DrainSequence:
    """Empty nodes one after the other on paper; each takes servers again as an upgraded one when it is done.

    Where the cheapest-first order gets stuck, others are tried: the fullest first, and for a few nodes all,
    with every place of every server.

    :param brings: the hypervisor that an upgraded node has; None: the one it had.
    :param explained: of many nodes that are stuck, those of which each shortage is told in numbers.
    :return: for every domain the first sequence that serves all nodes, else the one that serves most.
    """
    wanted = tuple(dict.fromkeys(hosts))

    def open_book() -> _DrainsOnPaper:
        book = CapacityBook(snapshot, members_stay=members_stay, pending=wanted, in_flight=False)
        return _DrainsOnPaper(book, brings, explained)

    first = open_book()
    in_domains: dict[str, list[str]] = {}
    for host in sorted(wanted, key=lambda h: (first.book.used(h).get(MEMORY, 0), h)):
        in_domains.setdefault(first.book.nodes[host].domain, []).append(host)
    order: list[str] = []
    stuck: dict[str, DrainSimulation] = {}
    older: dict[str, frozenset[str]] = {}
    for cheapest in in_domains.values():
        best = first.empty_in_order(cheapest)
        for other in _other_orders(cheapest):
            if best.feasible:
                break
            best = min(best, open_book().empty_in_order(other), key=lambda found: len(found.stuck))
        if not best.feasible and brings is None:
            best = open_book().search_order(cheapest) or best
        order += best.order
        stuck |= best.stuck
        older |= best.older
    return DrainSequence(order=tuple(order), stuck=stuck, older=older)


def upgrade_on_paper(
    snapshot: CloudSnapshot,
    hosts: Sequence[str],
    *,
    members_stay: bool = True,
    brings: ReleaseVersion | None = None,
) -> CloudSnapshot:
    """Return the cloud as it would be when nodes were upgraded one after the other, in that order.

    What Placement had allocated beyond the servers is left where it was.
    """
    book = CapacityBook(snapshot, members_stay=members_stay, pending=hosts, in_flight=False)
    drains = _DrainsOnPaper(book, brings)
    done = set(drains.empty_in_order(hosts).order)
    versions = {} if brings is None else {HYPERVISOR: str(brings)}
    nodes = (
        replace(n, upgraded=True, target=False, usage={}, versions={**n.versions, **versions})
        if n.host in done
        else replace(n, usage={})
        for n in snapshot.nodes
    )
    servers = (replace(s, host=drains.moved[s.id]) if s.id in drains.moved else s for s in snapshot.servers)
    return replace(snapshot, nodes=tuple(nodes), servers=tuple(servers))


def _other_orders(hosts: Sequence[str]) -> Iterable[Sequence[str]]:
    if len(hosts) > _MANY:
        return ()
    return permutations(hosts) if len(hosts) <= _EVERY_ORDER else [hosts[::-1]]


class _DrainsOnPaper:
    """A book in which one node after the other is emptied."""

    def __init__(self, book: CapacityBook, brings: ReleaseVersion | None, explained: int = 0) -> None:
        self.book = book
        self._brings = brings
        self._explained = explained
        self.moved: dict[str, str] = {}

    def empty_in_order(self, order: Sequence[str]) -> DrainSequence:
        """Empty nodes in an order; one that is stuck is tried again when others have gone."""
        left: Sequence[str] = order
        gone: list[str] = []
        lacked: dict[str, DrainSimulation] = {}
        passes = 0
        while left:
            stuck = []
            for host in left:
                simulation = self._simulate(
                    host, explain=host not in lacked and len(lacked) < self._explained
                )
                if simulation.feasible:
                    self._empty(host, simulation.placements)
                    gone.append(host)
                else:
                    lacked.setdefault(host, simulation)
                    stuck.append(host)
            passes += 1
            if len(stuck) == len(left) or (passes == _PASSES and len(stuck) > _MANY):
                left = stuck
                break
            left = stuck
        return DrainSequence(
            order=tuple(gone),
            stuck={host: lacked[host] for host in left},
            older={host: self.book.older(host) for host in left},
        )

    def _simulate(self, host: str, *, explain: bool) -> DrainSimulation:
        """Place the servers of a node; without the numbers of each shortage, which take time to find."""
        if explain or len(self.book.nodes) <= _MANY:
            return simulate(self.book, {host})
        placing = Placing(self.book, closed={host})
        homeless = [server for server in self.book.movable({host}) if not placing.try_add(server)]
        return DrainSimulation(placements=placing.placements, unplaced=tuple(map(_no_room, homeless)))

    def search_order(self, hosts: Sequence[str]) -> DrainSequence | None:
        """Search for an order of a few nodes of a domain whose hypervisors are of one age."""
        if self.book.ages.is_mixed(self.book.nodes[hosts[0]].domain):
            return None
        order = Search(book=self.book).find_order(hosts)
        return None if order is None else DrainSequence(order=order)

    def _empty(self, host: str, placements: Mapping[str, str]) -> None:
        for server in self.book.movable({host}):
            self.book.take(placements[server.id], server)
            self.book.take(host, server, give_back=True)
            self.book.relocate(server, replace(server, host=placements[server.id]))
            self.moved[server.id] = placements[server.id]
        if self._brings is not None:
            self.book.note_hypervisor(host, self._brings)
        self.book.close(host)
        self.book.reopen(host, upgraded=True)


def _no_room(server: Server) -> Verdict:
    return Verdict(code=Code.CAPACITY, message="no node has room", subject=server.subject)
