"""Scaling in: which servers of scalable VNFs would have to go so that the targets of a domain can be emptied.

A VNF is scalable when it is a group that can be smaller, and somebody can be asked to make it so. Which of
its servers go is its manager's to choose: here it is counted how many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.verdict import Code
from escalator.upgrade_manager.feasibility.alternatives import (
    Trial,
    find_fewest_out,
    leave_servers_out,
    list_scalable,
)
from escalator.upgrade_manager.feasibility.sequence import DrainSequence
from escalator.upgrade_manager.state.capacity import MEMORY

_EXACT = 16
"""Of up to so many targets the fewest servers of a VNF are found; of more, few."""
_PRUNED = 50
"""Of up to so many servers it is tried to spare each."""


def find_scale_in(
    trial: Trial, snapshot: CloudSnapshot, stuck: DrainSequence, scalable: Collection[str]
) -> tuple[Server, ...]:
    """Return the fewest servers found without which every target can be emptied; none: there are none.

    One VNF alone comes before several together. Where something else than room is lacking, as a node of a
    zone, nobody is asked to scale in.

    :param snapshot: the cloud of one domain.
    :param stuck: how far its targets can be emptied as it is.
    :param scalable: ids of the servers whose managers can be asked.
    """
    lacking = [verdict for simulation in stuck.stuck.values() for verdict in simulation.unplaced]
    if not scalable or not lacking or any(verdict.code is not Code.CAPACITY for verdict in lacking):
        return ()
    groups = list(list_scalable(snapshot, {verdict.subject.id for verdict in lacking}, scalable))
    alone = list(_each_alone(trial, snapshot, groups))
    if alone:
        return min(alone, key=lambda servers: (len(servers), _memory(servers)))
    return _several(trial, snapshot, [s for _, members, most in groups for s in members[: max(0, most)]])


def _each_alone(
    trial: Trial, snapshot: CloudSnapshot, groups: Sequence[tuple[str, Sequence[Server], int]]
) -> Iterator[tuple[Server, ...]]:
    for _, members, most in groups:
        if len(trial.hosts) <= _EXACT:
            ids = find_fewest_out(trial, snapshot, members, most)
            found = tuple(server for server in members if server.id in ids)
        else:
            found = _several(trial, snapshot, members[: max(0, most)])
        if found:
            yield found


def _several(trial: Trial, snapshot: CloudSnapshot, servers: Sequence[Server]) -> tuple[Server, ...]:
    """Return a few servers, none of which could stay, without which it is feasible; none: it never is."""

    def is_enough(chosen: Sequence[Server]) -> bool:
        return trial.is_feasible(leave_servers_out(snapshot, chosen))

    largest = sorted(servers, key=lambda s: (-s.resources.get(MEMORY, 0), s.id))
    if not largest or not is_enough(largest):
        return ()
    low, high = 0, len(largest)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(largest[:middle]) else (middle, high)
    chosen = largest[:high]
    for server in tuple(chosen) if len(chosen) <= _PRUNED else ():
        rest = [other for other in chosen if other is not server]
        if rest and is_enough(rest):
            chosen = rest
    return tuple(chosen)


def _memory(servers: Sequence[Server]) -> int:
    return sum(server.resources.get(MEMORY, 0) for server in servers)
