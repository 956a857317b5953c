"""Drains: how a node is emptied, server by server, and what comes after a move that failed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.moves import (
    NO_AGREEMENT,
    Agreement,
    DrainPlan,
    FailureAction,
    MoveMethod,
    MoveRecord,
    PlannedMove,
)
from escalator.model.verdict import Code, Verdict, find_blockers
from escalator.upgrade_manager.drain.placing import Placing, place
from escalator.upgrade_manager.drain.prechecks import check_server
from escalator.upgrade_manager.drain.refusals import is_refused
from escalator.upgrade_manager.drain.stops import NO_STOPS, StopRule, plan_stops
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook, sort_largest_first

_AT_WORK = frozenset({Code.SERVER_BUSY, Code.MIGRATION_UNFINISHED, Code.SERVER_UNKNOWN_STATE})
"""These block a server that stays, too: a restart of its nova-compute would break off what is being done."""
ALTERNATIVES = 3
"""Further destinations that a move carries beside its first."""


def plan_drain(
    snapshot: CloudSnapshot,
    host: str,
    verdicts: Sequence[Verdict] = (),
    *,
    out: Collection[str] = (),
    members_stay: bool = True,
    order: Sequence[str] = (),
    agreement: Agreement = NO_AGREEMENT,
    stops: StopRule = NO_STOPS,
) -> DrainPlan:
    """Plan the move of every server off a node, largest memory first.

    Upgraded nodes are preferred, then nodes that need no upgrade, then nodes of the campaign. Of each kind
    those with the least memory left over come first, but of the campaign's the one that goes last. Each
    placement counts on those before it. Nodes that are down, disabled or leased take no server.

    :param host: the node to empty.
    :param verdicts: findings about its servers; a server with a blocker among them is not planned.
    :param out: further hosts that must not take servers.
    :param members_stay: members of HA groups stay on the node.
    :param order: hosts of the campaign in the order in which they go.
    :param agreement: what was agreed with the managers of the servers; it goes before ``members_stay``.
    :param stops: which servers are stopped around the upgrade: they stay on the node.
    :return: the moves, and all findings; a server without a place is a blocker of code NO_DESTINATION.
    """
    book = CapacityBook(snapshot, members_stay=members_stay)
    book.expect_order(order)
    here = snapshot.servers_on(host)
    staying = {s.id for s in here if _stays(s, book, agreement)}
    unmovable = stops.find_unmovable((s for s in here if s.id not in staying), book.nodes.get(host))
    resting = [s for s in here if s.id in unmovable or (stops.restarts and s.id in staying)]
    staying.update(unmovable)
    kept = tuple(v for v in verdicts if not (v.blocks and v.subject.id in staying) or v.code in _AT_WORK)
    blocked = {v.subject.id for v in kept if v.blocks}
    free = [_as_agreed(s, agreement) for s in sort_largest_first(here) if s.id not in blocked | staying]
    methods = {s.id: method for s in free if (method := choose_move_method(s)) is not None}
    placing = place(book, [s for s in free if s.id in methods], closed={host, *out})
    placed = placing.placements
    moves = (_planned(s, methods[s.id], placing, first=placed[s.id]) for s in free if s.id in placed)
    findings = [v for s in free if s.id not in methods for v in find_blockers(check_server(s))]
    homeless = [replace(v, code=Code.NO_DESTINATION) for v in placing.unplaced]
    return DrainPlan(
        host=host,
        moves=tuple(moves),
        verdicts=(*kept, *findings, *homeless),
        staying=tuple(sorted(staying)),
        stopping=plan_stops(resting, book.memberships, unmovable),
    )


def choose_next_action(attempts: Sequence[MoveRecord], move: PlannedMove) -> FailureAction:
    """Choose what to do after failed attempts: another destination while there is one, else hold the node.

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


def choose_move_method(server: Server) -> MoveMethod | None:
    """Return how a server moves in the state it is in; None when it does not, or Nova would refuse it."""
    if is_refused(server):
        return None
    match (server.vm_state, server.migration):
        case ("active" | "paused", "live"):
            return MoveMethod.LIVE
        case ("stopped", "live" | "cold") | ("active", "cold"):
            return MoveMethod.COLD
        case _:
            return None


def _stays(server: Server, book: CapacityBook, agreement: Agreement) -> bool:
    if server.id in agreement.leaves:
        return False
    return server.id in agreement.stays or book.stays(server)


def _as_agreed(server: Server, agreement: Agreement) -> Server:
    """Return a server as its manager wants it moved: cold when it asked for that, which no paused one can."""
    asked = server.id in agreement.cold and server.vm_state == "active" and server.migration == "live"
    return replace(server, migration="cold") if asked else server


def _planned(server: Server, method: MoveMethod, placing: Placing, *, first: str) -> PlannedMove:
    """Make the move of a server: its first destination, then others where it fits beside all the rest."""
    others = [node.host for node in placing.rank_nodes(server) if node.host != first]
    return PlannedMove(
        server_id=server.id,
        server_name=server.name,
        method=method,
        destinations=(first, *others[:ALTERNATIVES]),
        memory_mib=server.resources.get(MEMORY, 0),
        vm_state=server.vm_state,
    )
