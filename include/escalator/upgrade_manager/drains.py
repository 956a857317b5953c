"""Drains: how a node is emptied, server by server, and what comes after a move that failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.moves import DrainPlan, FailureAction, MoveMethod, MoveRecord, PlannedMove
from escalator.model.verdict import Code, Verdict, blockers
from escalator.upgrade_manager.capacity import MEMORY, CapacityBook, Fit, Placing
from escalator.upgrade_manager.prechecks import check_server

ALTERNATIVES = 3
"""Further destinations that a move carries beside its first."""


def plan_drain(
    snapshot: CloudSnapshot, host: str, verdicts: Sequence[Verdict] = (), *, out: Collection[str] = ()
) -> DrainPlan:
    """Plan the move of every server off a node, largest memory first.

    Upgraded nodes come first as destinations, then those where the least memory is left over; each placement
    counts on those before it. Nodes that are down, disabled or leased are no destinations.

    :param host: the node to empty.
    :param verdicts: findings about its servers; a server with a blocker among them is not planned.
    :param out: further hosts that must not take servers.
    :return: the moves, and all findings; a server without a place is a blocker of code NO_DESTINATION.
    """
    book = CapacityBook(snapshot)
    blocked = {v.subject.id for v in verdicts if v.blocks}
    free = [s for s in _largest_first(snapshot.servers_on(host)) if s.id not in blocked]
    methods = {s.id: method for s in free if (method := _method(s)) is not None}
    placing = _placed(book, [s for s in free if s.id in methods], closed={host, *out})
    simulation = placing.simulation()
    moves = tuple(
        _planned(server, methods[server.id], placing, first=simulation.placements[server.id])
        for server in free
        if server.id in simulation.placements
    )
    findings = [v for s in free if s.id not in methods for v in blockers(check_server(s))]
    homeless = [replace(v, code=Code.NO_DESTINATION) for v in simulation.unplaced]
    return DrainPlan(host=host, moves=moves, verdicts=(*verdicts, *findings, *homeless))


def next_action(attempts: Sequence[MoveRecord], move: PlannedMove) -> FailureAction:
    """Say what to do after attempts that failed: another destination while there is one, else hold the node.

    There are never more attempts than destinations.

    :param attempts: how the tries so far ended, of this server or of several.
    :param move: the move as planned; destinations tried already may have been taken out of it.
    """
    failed = [a for a in attempts if a.server_id == move.server_id and not a.succeeded]
    tried = {a.to_host for a in failed if a.to_host is not None}
    destinations = tried.union(move.destinations)
    if tried.issuperset(move.destinations) or len(failed) >= len(destinations):
        return FailureAction.HOLD
    return FailureAction.RETRY_ELSEWHERE


def _largest_first(servers: Iterable[Server]) -> list[Server]:
    return sorted(servers, key=lambda s: (-s.resources.get(MEMORY, 0), s.id))


def _method(server: Server) -> MoveMethod | None:
    """Return how a server moves in the state it is in; None when it does not."""
    match (server.vm_state, server.migration):
        case ("active" | "paused", "live"):
            return MoveMethod.LIVE
        case ("stopped", "live" | "cold") | ("active", "cold"):
            return MoveMethod.COLD
        case _:
            return None


def _placed(book: CapacityBook, servers: Sequence[Server], *, closed: Collection[str]) -> Placing:
    """Place servers by best fit; where that leaves more of them without a place, by first fit."""
    best, first = (Placing(book, closed=closed, fit=fit) for fit in (Fit.BEST, Fit.FIRST))
    for server in servers:
        best.add(server)
    unplaced = len(best.simulation().unplaced)
    if not unplaced:
        return best
    for server in servers:
        first.add(server)
    return first if len(first.simulation().unplaced) < unplaced else best


def _planned(server: Server, method: MoveMethod, placing: Placing, *, first: str) -> PlannedMove:
    """Make the move of a server: its first destination, then others where it fits beside all the rest."""
    others = [node.host for node in placing.ranked(server) if node.host != first]
    return PlannedMove(
        server_id=server.id,
        server_name=server.name,
        method=method,
        destinations=(first, *others[:ALTERNATIVES]),
        memory_mib=server.resources.get(MEMORY, 0),
    )
