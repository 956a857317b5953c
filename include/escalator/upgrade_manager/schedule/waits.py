"""Waits: why a node that a round has looked at does not go now, in words."""

from __future__ import annotations

from collections.abc import Collection
from heapq import nsmallest

from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.placing import DrainSimulation
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.state.availability import Obstacle

_NAMED = 5
"""Hosts that a message names one by one."""


def explain_obstacle(host: str, obstacle: Obstacle) -> AdmissionDecision:
    """Say what an obstacle of an HA group means for a node."""
    return AdmissionDecision(
        host=host,
        admission=Admission.HOLD if obstacle.lasting else Admission.WAIT,
        code=obstacle.code,
        message=f"waiting will not help: {obstacle.message}" if obstacle.lasting else obstacle.message,
    )


def explain_arrivals(state: RoundState, host: str) -> AdmissionDecision | None:
    """Say that a node waits because servers are being moved to it; None when there are none."""
    if not (state.moving and state.claims.get(host)):
        return None
    message = f"{len(state.claims[host])} server(s) are on their way to it"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.NODE_NOT_EMPTY, message=message)


def explain_lack_of_room(state: RoundState, host: str, simulation: DrainSimulation) -> AdmissionDecision:
    """Say why the servers of a node have no place, and whether waiting helps."""
    node = state.book.nodes[host]
    out = _name_some(state.out.get(node.domain, ()))
    absent = _name_some(set(state.absent.get(node.domain, ())) - {host})
    if out:
        message, admission = f"not while {out} is out: {simulation.shortfall}", Admission.WAIT
    elif absent:
        message = f"not without {absent}, down or disabled now: {simulation.shortfall}"
        admission = Admission.WAIT
    else:
        message, admission = f"waiting will not help: {simulation.shortfall}", Admission.HOLD
    return AdmissionDecision(host=host, admission=admission, code=Code.CAPACITY, message=message)


def explain_second_moves(state: RoundState, host: str, moved_twice: int) -> AdmissionDecision:
    """Say that a node waits for room, as the budget does not carry the second moves of its servers."""
    out = _name_some(state.out.get(state.book.nodes[host].domain, ()))
    until = f"until {out} is back" if out else "on upgraded nodes"
    message = f"{moved_twice} of its servers would have to move twice: it waits for room {until}"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.CAPACITY, message=message)


def _name_some(hosts: Collection[str]) -> str:
    """Name some hosts: the first few in order, and how many more there are."""
    named = ", ".join(nsmallest(_NAMED, hosts))
    return f"{named} and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else named
