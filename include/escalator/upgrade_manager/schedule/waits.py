"""Waits: why a node that a round has looked at does not go now, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from escalator.model.cloud import Server
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code
from escalator.model.wording import name_some
from escalator.upgrade_manager.drain.placing import DrainSimulation
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.state.availability import Obstacle

PATIENCE = timedelta(hours=1)
"""How long a node waits for room while nothing is out that would bring some, where no window ends it."""
_NEVER = frozenset({Code.SERVER_GROUP, Code.SERVER_PINNED, Code.NO_DESTINATION})
"""What keeps a server from every node of its domain, however much room there is."""


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
    out = name_some(sorted(state.out.get(node.domain, ())))
    absent = name_some(sorted(set(state.absent.get(node.domain, ())) - {host}))
    if out:
        message, admission = f"not while {out} is out: {simulation.shortfall}", Admission.WAIT
    elif absent:
        message = f"not without {absent}, down or disabled now: {simulation.shortfall}"
        admission = Admission.WAIT
    elif _is_hopeless(state, host, simulation):
        message, admission = f"waiting will not help: {simulation.shortfall}", Admission.HOLD
    else:
        message = f"it waits for room, and nothing is out that would bring some: {simulation.shortfall}"
        admission = Admission.WAIT
    return AdmissionDecision(host=host, admission=admission, code=Code.CAPACITY, message=message)


def _is_hopeless(state: RoundState, host: str, simulation: DrainSimulation) -> bool:
    """Tell whether no room would help: a group, a zone or a trait, or a server larger than any other node.

    A group with a member on its way takes a node more than it will when that has landed.
    """
    flying = {state.book.memberships.server_group_of.get(server_id) for server_id in state.book.heading}
    for verdict in simulation.unplaced:
        grouped = verdict.code is Code.SERVER_GROUP
        passing = grouped and state.book.memberships.server_group_of[verdict.subject.id] in flying
        if verdict.code in _NEVER and not passing:
            return True
    homeless = {verdict.subject.id for verdict in simulation.unplaced if verdict.code is Code.CAPACITY}
    return any(server.id in homeless and _is_giant(state, server) for server in state.leaving(host))


def _is_giant(state: RoundState, server: Server) -> bool:
    """Tell whether a server would fit on no other node of its domain, were it empty."""
    book, source = state.book, state.book.nodes[server.host or ""]
    need = book.shape(server).need
    return not any(
        all(amount <= book.max_unit(node.host, name) for name, amount in need)
        for node in book.nodes.values()
        if node.domain == source.domain and node.host != source.host
    )


def end_wait(decision: AdmissionDecision, waited: timedelta) -> AdmissionDecision:
    """Hold a node that has waited for room long enough; what is lacking stays in its reason.

    :param waited: since when it waits for room with nothing out that would bring some.
    """
    if waited < PATIENCE:
        return decision
    minutes = round(waited.total_seconds() / 60)
    message = f"no room came in {minutes} min: {decision.message} -> free room, then clear the node's admit"
    return replace(decision, admission=Admission.HOLD, message=message)


def explain_second_moves(state: RoundState, host: str, moved_twice: int) -> AdmissionDecision:
    """Say that a node waits for room, as the budget does not carry the second moves of its servers."""
    out = name_some(sorted(state.out.get(state.book.nodes[host].domain, ())))
    until = f"until {out} is back" if out else "on upgraded nodes"
    message = f"{moved_twice} of its servers would have to move twice: it waits for room {until}"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.CAPACITY, message=message)
